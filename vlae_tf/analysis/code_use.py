"""What a code is used for: rates of its dimensions, active ones, plain words.

#### References

[1]: Yuri Burda, Roger Grosse, Ruslan Salakhutdinov. Importance Weighted
     Autoencoders. In _International Conference on Learning Representations_,
     2016. https://arxiv.org/abs/1509.00519 (section 5.2)
"""

import dataclasses

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from vlae_tf import data as data_lib
from vlae_tf.components import posteriors
from vlae_tf.system import notices, seeds

tfb = tfp.bijectors
tfd = tfp.distributions

_ACTIVE_VARIANCE = 0.01
_COLLAPSED_NATS = 0.1
_NEAR_FLOOR = 1.05
_BATCH = 100


@dataclasses.dataclass(frozen=True)
class CodeUse:
  """How a model uses its code.

  Attributes:
    rates: Mean rate of each dimension in nats, array of shape `[latent_size]`;
      their sum is the mean rate.
    variances: Variance over images of each dimension's posterior mean,
      `[latent_size]`.
  """

  rates: np.ndarray
  variances: np.ndarray

  @property
  def active_units(self):
    """Number of dimensions whose mean varies by more than 0.01 [1]."""
    return int(np.sum(self.variances > _ACTIVE_VARIANCE))


class CodeProbe:
  """Estimates a model's `CodeUse` from one code of each image."""

  def __init__(self, model, seed=0):
    """Creates the probe; its graph is traced at the first use.

    Args:
      model: Built `VLAE`.
      seed: Python integer.
    """
    self._model = model
    self._seed = seed

  def __call__(self, images, split='validation'):
    """Looks at some images.

    Args:
      images: Array of shape `[num_images, height, width, channels]`.
      split: Name of the split they are.

    Returns:
      A `CodeUse`.
    """
    batches = data_lib.evaluation_batches(images, _BATCH, split=split)
    parts = [self._mean_and_rates(**batch) for batch in batches]
    means, rates = [np.concatenate(column) for column in zip(*parts)]
    return CodeUse(rates=rates.mean(0), variances=means.var(0))

  @tf.function(reduce_retracing=True)
  def _mean_and_rates(self, image, index):
    q = self._model.posterior(image)
    seed = seeds.stream_seed(self._seed, 'importance', index[0])
    noise = tf.random.stateless_normal(tf.shape(q.mean()), seed)
    z = posteriors.sample_from_noise(q, noise)
    return q.mean(), rates_per_dimension(q, self._model.prior(), z)


def rates_per_dimension(posterior, prior, z):
  """`log q(z[i]|x) - log N(eps[i]; 0, 1)` with `z = f(eps)`.

  Of the two readings of an autoregressive flow, an AF prior on `z` and an IAF
  posterior on `eps`, this takes the second, whose prior has a term for each
  dimension. `eps[i]` is what the flow made `z[i]` of: reversals between its
  steps are undone. As the flow keeps volumes, the sum is the rate.

  Args:
    posterior: Diagonal Gaussian `q(z|x)`, batch shape `[batch]`.
    prior: `p(z)`, a standard normal or a volume-keeping flow from one.
    z: Codes, `[batch, latent_size]`.

  Returns:
    A `Tensor` of shape `[batch, latent_size]`, in nats.
  """
  log_q = tfd.Normal(posterior.mean(), posterior.stddev()).log_prob(z)
  eps = z
  bijector = getattr(prior, 'bijector', None)
  if bijector is not None:
    eps = bijector.inverse(tf.identity(z))
    place = tf.argsort(_origin(bijector, z.shape[-1]))
    eps = tf.gather(eps, place, axis=-1)
  return log_q - tfd.Normal(0.0, 1.0).log_prob(eps)


def _origin(bijector, size):
  """Which `z` each `eps` was made from, a `Tensor` of shape `[size]`."""
  origin = tf.range(size, dtype=tf.float32)
  for step in getattr(bijector, 'bijectors', [bijector]):
    if isinstance(step, tfb.Permute):
      origin = step.inverse(origin)
  return origin


class CodeWatch(keras.callbacks.Callback):
  """Warns when two validations in a row say that something is wrong."""

  def __init__(self, floor):
    """Creates the callback.

    Args:
      floor: Floor of the free bits in nats, 0 for none.
    """
    super().__init__()
    self._floor = floor
    self._in_row = 0

  def on_epoch_end(self, epoch, logs=None):
    text = warning(logs['val_rate'], self._floor)
    self._in_row = self._in_row + 1 if text else 0
    if self._in_row == 2:
      notices.warn(f'step {epoch}: {text}')


def warning(rate, floor):
  """Says in plain words what is wrong with a code, or `None`.

  Args:
    rate: Mean rate in nats.
    floor: Floor of the free bits in nats, 0 for none.

  Returns:
    A string, or `None`.
  """
  if rate < _COLLAPSED_NATS:
    return (
      f'the code has collapsed: {rate:.2f} nats, the decoder ignores it. Give '
      'the decoder a smaller window, or the code --free_bits or '
      '--kl_warmup_steps.'
    )
  if floor and rate < _NEAR_FLOOR * floor:
    return (
      f'the floor is what holds the code up: {rate:.2f} nats at a floor of '
      f'{floor:.2f} (--free_bits). Without it the decoder would use less.'
    )
  return None
