"""Latents of images: encodings, noise of the prior, and the latent's use.

#### References

[1]: Yuri Burda, Roger Grosse, Ruslan Salakhutdinov. Importance Weighted
     Autoencoders. In _International Conference on Learning Representations_,
     2016. https://arxiv.org/abs/1509.00519 (section 5.2)
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from vlae_tf import data as data_lib
from vlae_tf.distributions import (
  autoregressive_shift,
  pixel_distributions,
  reparameterized,
)
from vlae_tf.evaluation import likelihood
from vlae_tf.models import vlae as model_lib
from vlae_tf.utils import checks, random

tfb = tfp.bijectors
tfd = tfp.distributions

_ACTIVE_VARIANCE = 0.01
_COLLAPSED_NATS = 0.1
_NEAR_FLOOR = 1.05
_BATCH, _ENCODED_AT_ONCE = 100, 256
# Draws that estimate moments of a posterior, of encodings and of `CodeUse`.
_DRAWS, _FEW_DRAWS = 100, 20


def check_code(model: model_lib.VLAE, name: str = 'model') -> None:
  """Checks that a model has latents."""
  if not math.prod(model.event_shape):
    raise ValueError(
      f'`{name}` must be a model with latents, got one of `latent_size` 0.'
    )


def check_pixels(model: model_lib.VLAE, images: Any) -> None:
  """Checks images that go into a model."""
  checks.images('images', images, model.image_shape)
  checks.unit_interval('images', images)
  pixel_distributions.check_support('images', model.likelihood, images)


class Encoding(NamedTuple):
  """Moments of the posterior of images, each `[num, *event_shape]`.

  Those of a flow are estimated from 100 draws, by the same noise for every
  image.
  """

  mean: tf.Tensor | np.ndarray  # Of q(z|x).
  stddev: tf.Tensor | np.ndarray  # Of q(z|x).
  eps: tf.Tensor | np.ndarray  # f^-1(mean), with the flow f of the prior.


def encode(model: model_lib.VLAE, image: tf.Tensor) -> Encoding:
  """Encodes a batch."""
  mean, stddev = _moments(model.posterior(image))
  return Encoding(mean, stddev, to_noise(model.prior(), mean))


def _moments(q, num_draws=_DRAWS):
  """Mean and standard deviation, estimated where they have no closed form."""
  try:
    return q.mean(), q.stddev()
  except NotImplementedError:
    # In pairs of opposite sign, of which a linear flow has the exact mean. An
    # array, as compilers differ in the random numbers that they draw.
    shape = (num_draws // 2, 1, *q.event_shape)
    noise = np.random.RandomState(0).standard_normal(shape)
    noise = tf.constant(np.concatenate([noise, -noise]), q.dtype)
    shape = tf.concat([[num_draws], q.batch_shape_tensor(), q.event_shape], 0)
    z = reparameterized.draw(q, tf.broadcast_to(noise, shape)).value
    return tf.reduce_mean(z, 0), tf.math.reduce_std(z, 0)


def to_noise(prior: tfd.Distribution, z: tf.Tensor) -> tf.Tensor:
  """`f^-1(z)` of a prior that is a flow `f`, in the shape of `z`; else `z`."""
  bijector = getattr(prior, 'bijector', None)
  if bijector is None:
    return z
  # A copy, so that TFP's cache does not answer.
  return tf.reshape(bijector.inverse(tf.identity(z)), tf.shape(z))


def from_noise(prior: tfd.Distribution, eps: tf.Tensor) -> tf.Tensor:
  """`f(eps)`, the inverse of `to_noise`."""
  bijector = getattr(prior, 'bijector', None)
  if bijector is None:
    return eps
  base = prior.distribution.event_shape
  noise = tf.reshape(eps, [tf.shape(eps)[0], *base])
  return bijector.forward(tf.identity(noise))


def encode_all(
  model: model_lib.VLAE,
  images: np.ndarray,
  split: str = 'test',
  kind: str | None = None,
  progress: Callable[[int], Any] = lambda _: None,
) -> Encoding:
  """Encodes the images of a split, in the binarisation fixed for it."""
  kind = likelihood.check_kind(model, images, kind)
  encode_batch = tf.function(
    lambda image: encode(model, image), reduce_retracing=True, autograph=False
  )
  parts = []
  for batch in data_lib.evaluation_batches(
    images, _ENCODED_AT_ONCE, split=split, kind=kind
  ):
    parts.append([x.numpy() for x in encode_batch(batch['image'])])
    progress(len(parts[-1][0]))
  return Encoding(*map(np.concatenate, zip(*parts)))


@dataclasses.dataclass(frozen=True)
class CodeUse:
  """Use of the latent dimensions."""

  # Mean rate of each dimension in nats, `[size]`, of which the sum is the mean
  # rate; `None` where dimensions depend on each other in the posterior, or in
  # the noise of the prior.
  rates: np.ndarray | None
  # Variance over images of the mean of the posterior, `[size]`.
  variances: np.ndarray

  @property
  def in_use(self) -> int | None:
    """Number of dimensions with a rate of at least 0.1 nats, where known."""
    if self.rates is None:
      return None
    return int(np.sum(self.rates >= _COLLAPSED_NATS))

  @property
  def active_units(self) -> int:
    """Number of dimensions with a variance above 0.01, active units [1].

    A mean that varies is not yet used: at initialisation all are active.
    """
    return int(np.sum(self.variances > _ACTIVE_VARIANCE))


class CodeProbe:
  """Estimates a model's `CodeUse` from one posterior sample per image.

  >>> from vlae_tf import Config, build_model
  >>> small = dict(encoder_widths='4', prior='gaussian', decoder='factorised')
  >>> config = Config(latent_size=2, decoder_depth=2, **small)
  >>> model = build_model(config, image_shape=(4, 4, 1))
  >>> use = CodeProbe(model)(np.ones([3, 4, 4, 1], bool))  # Equal images.
  >>> use.rates.shape, use.active_units
  ((2,), 0)
  """

  def __init__(self, model: model_lib.VLAE, seed: int = 0):
    """Creates the probe; its graph is traced at the first use."""
    self._model = model
    self._seed = checks.integer('seed', seed, 0, random.MAX_SEED)

  def __call__(
    self, images: np.ndarray, split: str = 'validation', kind: str | None = None
  ) -> CodeUse:
    """Estimates the use over some images, arguments as `Evaluator`'s."""
    kind = likelihood.check_kind(self._model, images, kind)
    batches = data_lib.evaluation_batches(
      images, _BATCH, split=split, kind=kind
    )
    parts = [self._means_and_rates(**batch) for batch in batches]
    means, rates = zip(*parts)
    return CodeUse(
      rates=None if rates[0] is None else np.concatenate(rates).mean(0),
      variances=np.concatenate(means).var(0),
    )

  # Without AutoGraph, which warns that it cannot read `functools`.
  @tf.function(reduce_retracing=True, autograph=False)
  def _means_and_rates(self, image, index):
    q = self._model.posterior(image)
    shape = tf.concat([tf.shape(image)[:1], self._model.event_shape], 0)
    seed = random.stream_seed(self._seed, 'importance', index[0])
    noise = tf.random.stateless_normal(shape, seed)
    z = reparameterized.draw(q, noise).value
    mean, _ = _moments(q, _FEW_DRAWS)
    return _flat(mean), rates_per_dimension(q, self._model.prior(), z)


def rates_per_dimension(
  posterior: tfd.Distribution, prior: tfd.Distribution, z: tf.Tensor
) -> tf.Tensor | None:
  """`log q(z[i]|x) - log p(eps[i])` with `z = f(eps)`, `[batch, size]`."""
  # An autoregressive flow is an AF prior on `z` or an IAF posterior on `eps`;
  # this takes the second view, where the prior has a term for each dimension.
  # `eps[i]` is the number from which the flow computes `z[i]`: reversals
  # between its steps are undone. As the flow preserves volume, the sum is the
  # rate.
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
  kept = (tfb.Permute, tfb.Reshape, autoregressive_shift.AutoregressiveShift)
  if log_p is None or not all(isinstance(s, kept) for s in _steps(bijector)):
    return None
  place = places_in_noise(prior, z.shape[1:])
  return _flat(log_q) - tf.gather(_flat(log_p), place, axis=-1)


def places_in_noise(
  prior: tfd.Distribution, event_shape: Sequence[int]
) -> tf.Tensor:
  """Index in the noise of the prior of each dimension of `z`, `[size]`."""
  shape = tf.TensorShape(event_shape)
  size = shape.num_elements()
  bijector = getattr(prior, 'bijector', None)
  if bijector is None:
    return tf.range(size)
  # Which dimension of `z` is at each place in the noise.
  origin = tf.reshape(tf.range(size, dtype=tf.float32), shape)
  for step in _steps(bijector):
    if isinstance(step, (tfb.Permute, tfb.Reshape)):
      origin = step.inverse(origin)
  return tf.argsort(tf.reshape(origin, [size]))


def _flat(x):
  """`[batch, *event_shape]` as a matrix, if it is not one."""
  if len(x.shape) == 2:
    return x
  return tf.reshape(x, [tf.shape(x)[0], x.shape[1:].num_elements()])


def _steps(bijector):
  return getattr(bijector, 'bijectors', [bijector])


def warning(rate: float, floor: float) -> str | None:
  """A warning about a collapsed latent or an active floor, or `None`."""
  if rate < _COLLAPSED_NATS:
    return (
      f'the latent has collapsed: {rate:.2f} nats, the decoder ignores it. '
      'Give the decoder a smaller window, or use --free_bits or '
      '--kl_warmup_steps.'
    )
  if floor and rate < _NEAR_FLOOR * floor:
    return (
      f'the rate is at its floor: {rate:.2f} nats at a floor of {floor:.2f} '
      '(--free_bits). Without the floor it would be lower.'
    )
  return None
