"""What a code is used for: rates of its dimensions, active ones, plain words.

#### References

[1]: Yuri Burda, Roger Grosse, Ruslan Salakhutdinov. Importance Weighted
     Autoencoders. In _International Conference on Learning Representations_,
     2016. https://arxiv.org/abs/1509.00519 (section 5.2)
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from vlae_tf import data as data_lib
from vlae_tf.distributions import autoregressive_shift, reparameterized
from vlae_tf.evaluation import inputs
from vlae_tf.models import vlae as model_lib
from vlae_tf.utils import checks, random

tfb = tfp.bijectors
tfd = tfp.distributions

_ACTIVE_VARIANCE = 0.01
_COLLAPSED_NATS = 0.1
_NEAR_FLOOR = 1.05
_BATCH = 100


@dataclasses.dataclass(frozen=True)
class CodeUse:
  """How a model uses its code."""

  # Mean rate of each of the code's numbers in nats, array of shape `[size]`,
  # whose sum is the mean rate; `None` where they depend on each other in the
  # posterior, or in the noise of the prior.
  rates: np.ndarray | None
  # Variance over images of each number's posterior centre, which of a Gaussian
  # is its mean, `[size]`.
  variances: np.ndarray

  @property
  def active_units(self) -> int:
    """How many numbers' centres vary by more than 0.01 [1]."""
    return int(np.sum(self.variances > _ACTIVE_VARIANCE))


class CodeProbe:
  """Estimates a model's `CodeUse` from one code of each image.

  >>> from vlae_tf import Config, build_model
  >>> small = dict(encoder_widths='4', prior='gaussian', decoder='factorised')
  >>> config = Config(latent_size=2, decoder_depth=2, **small)
  >>> model = build_model(config, image_shape=(4, 4, 1))
  >>> use = CodeProbe(model)(np.ones([3, 4, 4, 1], bool))  # Equal images.
  >>> use.rates.shape, use.active_units
  ((2,), 0)
  """

  def __init__(self, model: model_lib.VLAE, seed: int = 0):
    """Creates the probe; its graph is traced at the first use.

    Args:
      model: Built `VLAE`.
      seed: Python integer.
    """
    self._model = model
    self._seed = checks.integer('seed', seed, 0, random.MAX_SEED)

  def __call__(
    self,
    images: np.ndarray,
    split: str = 'validation',
    kind: str | None = None,
  ) -> CodeUse:
    """Looks at some images.

    Args:
      images: Array of shape `[num_images, height, width, channels]`.
      split: Name of the split they are.
      kind: What the value of a pixel means, see `ImageData`; inferred by
        default.

    Returns:
      A `CodeUse`.

    Raises:
      ValueError: As `likelihood.Evaluator`.
    """
    kind = inputs.check_kind(self._model, images, kind)
    batches = data_lib.evaluation_batches(
      images, _BATCH, split=split, kind=kind
    )
    parts = [self._centres_and_rates(**batch) for batch in batches]
    centres, rates = zip(*parts)
    return CodeUse(
      rates=None if rates[0] is None else np.concatenate(rates).mean(0),
      variances=np.concatenate(centres).var(0),
    )

  # Without AutoGraph, which says that it cannot read `functools`.
  @tf.function(reduce_retracing=True, autograph=False)
  def _centres_and_rates(self, image, index):
    q = self._model.posterior(image)
    shape = tf.concat([tf.shape(image)[:1], self._model.event_shape], 0)
    seed = random.stream_seed(self._seed, 'importance', index[0])
    noise = tf.random.stateless_normal(shape, seed)
    z = reparameterized.draw(q, noise).value
    centre = reparameterized.draw(q, tf.zeros_like(noise)).value
    rates = rates_per_dimension(q, self._model.prior(), z)
    return _flat(centre), rates


def rates_per_dimension(
  posterior: tfd.Distribution, prior: tfd.Distribution, z: tf.Tensor
) -> tf.Tensor | None:
  """`log q(z[i]|x) - log p(eps[i])` with `z = f(eps)`."""
  # Of the two readings of an autoregressive flow, an AF prior on `z` and an IAF
  # posterior on `eps`, this takes the second, whose prior has a term for each
  # dimension. `eps[i]` is what the flow made `z[i]` of: reversals between its
  # steps are undone. As the flow keeps volumes, the sum is the rate.
  # posterior [batch]; z [batch, *event_shape] -> [batch, size]
  log_q = reparameterized.log_prob_of_dimensions(posterior, z)
  if log_q is None:
    return None
  log_p = reparameterized.log_prob_of_dimensions(prior, z)
  if log_p is not None:
    return _flat(log_q) - _flat(log_p)
  bijector = getattr(prior, 'bijector', None)
  if bijector is None:
    return None
  eps = bijector.inverse(tf.identity(z))
  log_p = reparameterized.log_prob_of_dimensions(prior.distribution, eps)
  if log_p is None or not all(map(_keeps_volumes, _steps(bijector))):
    return None
  place = places_in_noise(prior, z.shape[1:])
  return _flat(log_q) - tf.gather(_flat(log_p), place, axis=-1)


def places_in_noise(
  prior: tfd.Distribution, event_shape: Sequence[int]
) -> tf.Tensor:
  """Where in the noise of a prior each number of a code was made from."""
  # -> [size]
  shape = tf.TensorShape(event_shape)
  bijector = getattr(prior, 'bijector', None)
  if bijector is None:
    return tf.range(shape.num_elements())
  return tf.argsort(_origin(bijector, shape))


def _flat(x):
  """`[batch, *event_shape]` as a matrix, if it is not one."""
  if len(x.shape) == 2:
    return x
  return tf.reshape(x, [tf.shape(x)[0], x.shape[1:].num_elements()])


def _steps(bijector):
  return getattr(bijector, 'bijectors', [bijector])


def _keeps_volumes(step):
  kept = (tfb.Permute, tfb.Reshape, autoregressive_shift.AutoregressiveShift)
  return isinstance(step, kept)


def _origin(bijector, event_shape):
  """Which number of `z` each of `eps` was made from, shape `[size]`."""
  size = event_shape.num_elements()
  origin = tf.reshape(tf.range(size, dtype=tf.float32), event_shape)
  for step in _steps(bijector):
    if isinstance(step, (tfb.Permute, tfb.Reshape)):
      origin = step.inverse(origin)
  return tf.reshape(origin, [size])


def warning(rate: float, floor: float) -> str | None:
  """Says in plain words what is wrong with a code, or `None`."""
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
