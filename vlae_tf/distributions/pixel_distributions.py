"""Pixel distributions: the interface, the registry, Bernoulli and categorical.

A new one is a frozen dataclass with the methods of `PixelDistribution` and
without required arguments, registered in `PIXEL_DISTRIBUTIONS`.

#### References

[1]: van den Oord et al. Pixel Recurrent Neural Networks. ICML 2016,
     arXiv:1601.06759 (section 3.3).
"""

import dataclasses
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from vlae_tf.utils import checks, registry, serialization

tfd = tfp.distributions

PIXEL_DISTRIBUTIONS = registry.Registry('pixel_distribution')
# Wider than any rounding of `k / 255`, far narrower than a step between levels.
TOLERANCE = 1e-6
LEVELS = 256  # As in the images of this package.


@runtime_checkable
class PixelDistribution(Protocol):
  """A family of distributions of a pixel, given its parameters.

  Families that compute the same are equal and have equal hashes: samplers are
  compiled once for each.
  """

  @property
  def kinds(self) -> tuple[str, ...]:
    """The kinds of pixels it is defined on, see `ImageData`."""

  def num_params(self, channels: int) -> int:
    """Number of parameters of a pixel of `channels`."""

  def num_uniforms(self, channels: int) -> int:
    """Number of uniform variates for a draw of a pixel of `channels`."""

  def distribution(self, params: tf.Tensor) -> tfd.Distribution:
    """Distribution of pixels in [0, 1], from parameters `[..., num_params]`.

    Of dependent channels, which have no closed `mode` and `mean`, it has each
    channel's given those before it: `likeliest()` and `means_given(pixels)`.
    """

  def quantile(self, params: tf.Tensor, uniforms: tf.Tensor) -> tf.Tensor:
    """A draw `[..., channels]`, from noise in [0, 1), `[..., num_uniforms]`."""


def check_kind(pixel: PixelDistribution, kind: str) -> None:
  """Checks that a pixel distribution is defined on images of a kind."""
  if kind in pixel.kinds:
    return
  fitting = [
    name
    for name in PIXEL_DISTRIBUTIONS
    if kind in PIXEL_DISTRIBUTIONS[name]().kinds
  ]
  raise ValueError(
    f'`pixel_distribution` must accept images of kind {kind!r}, as '
    f'{" and ".join(fitting) or "none"} would, got {pixel}, which accepts kind '
    f'{" and ".join(map(repr, pixel.kinds))}.'
  )


def in_support(pixel: PixelDistribution, image: tf.Tensor) -> tf.Tensor:
  """Whether each channel has a value that pixels of a family may have."""
  if 'levels' not in pixel.kinds:
    return (image == 0) | (image == 1)
  # Rounded as the distributions of levels do; NaN is near to none.
  steps = getattr(pixel, 'levels', LEVELS) - 1
  near = tf.abs(image - tf.round(image * steps) / steps) <= TOLERANCE
  return near & (image >= -TOLERANCE) & (image <= 1 + TOLERANCE)


def check_support(name: str, likelihood: Any, x: Any) -> None:
  """Checks, eagerly only, that a likelihood has probabilities of images."""
  values, pixel = (
    checks.values(x),
    getattr(likelihood, 'pixel_distribution', None),
  )
  if pixel is None or values is None:
    return
  others = values[~np.asarray(in_support(pixel, values))]
  if others.size:
    allowed = '`k / 255`' if 'levels' in pixel.kinds else '0 or 1'
    raise ValueError(
      f'`{name}` must have values {allowed}, as `data.fixed_binarization` '
      f'returns, got {others[0]:.6g}, which has no probability.'
    )


def level_values(levels: int, dtype: tf.DType) -> tf.Tensor:
  """The value in [0, 1] of each level, shape `[levels]`."""
  values = np.arange(levels) / (levels - 1)
  # By way of float32, the type of images, for the same bits.
  return tf.constant(values.astype(np.float32), dtype)


class _Binary(tfd.Bernoulli):
  """A Bernoulli variable; TFP's has densities between 0 and 1 as well."""

  def _log_prob(self, event):
    log_prob = super()._log_prob(event)
    impossible = tf.constant(-np.inf, log_prob.dtype)
    return tf.where((event == 0) | (event == 1), log_prob, impossible)


@PIXEL_DISTRIBUTIONS.register(
  'bernoulli', 'channels are independent and binary'
)
@serialization.register
@dataclasses.dataclass(frozen=True)
class BernoulliPixel:
  """Independent Bernoulli channels; the parameters are logits."""

  kinds: ClassVar[tuple[str, ...]] = ('binary', 'grey')

  def num_params(self, channels: int) -> int:
    return channels

  def num_uniforms(self, channels: int) -> int:
    return channels

  def distribution(self, params: tf.Tensor) -> tfd.Distribution:
    return tfd.Independent(
      _Binary(logits=params, dtype=params.dtype),
      reinterpreted_batch_ndims=1,
    )

  def quantile(self, params: tf.Tensor, uniforms: tf.Tensor) -> tf.Tensor:
    return tf.cast(uniforms < tf.sigmoid(params), params.dtype)


@PIXEL_DISTRIBUTIONS.register(
  'categorical', 'channels are independent, a softmax over 256 levels each'
)
@serialization.register
@dataclasses.dataclass(frozen=True)
class CategoricalPixel:
  """Independent channels, each with one logit a level, as in [1].

  `p(x) = prod{ softmax(logits[c])[k[c]] : c }` where `x[c] = k[c] / (levels -
  1)` in float32, as the pipeline gives it; elsewhere the probability is zero.
  The parameters of a pixel are the logits of its first channel, then those of
  its second, and so on.

  >>> pixel = CategoricalPixel()
  >>> pixel.num_params(channels=3)
  768
  >>> pixel.distribution(tf.zeros([768])).mean().numpy().round(3)
  array([0.5, 0.5, 0.5], dtype=float32)
  """

  kinds: ClassVar[tuple[str, ...]] = ('levels',)
  levels: int = LEVELS

  def __post_init__(self):
    checks.integer('levels', self.levels, 2)

  def num_params(self, channels: int) -> int:
    return self.levels * channels

  def num_uniforms(self, channels: int) -> int:
    return channels

  def distribution(self, params: tf.Tensor) -> tfd.Distribution:
    params = tf.convert_to_tensor(params)
    values = level_values(self.levels, params.dtype)
    return tfd.Independent(
      tfd.FiniteDiscrete(values, self._logits(params), atol=TOLERANCE),
      reinterpreted_batch_ndims=1,
    )

  def quantile(self, params: tf.Tensor, uniforms: tf.Tensor) -> tf.Tensor:
    """The first level whose cumulative probability exceeds `uniforms`."""
    params = tf.convert_to_tensor(params)
    logits = self._logits(params)
    weights = tf.exp(logits - tf.reduce_max(logits, -1, keepdims=True))
    sums = tf.cumsum(weights, axis=-1)
    # The sums are compared as they were rounded, whatever their total; where
    # they were computed in parallel, a rounding error may even fall on a level
    # without weight. Such levels are never drawn.
    possible = weights > 0
    total = tf.reduce_max(tf.where(possible, sums, 0), -1, keepdims=True)
    below_one = np.nextafter(1, 0, dtype=params.dtype.as_numpy_dtype)
    target = tf.minimum(uniforms, below_one)[..., None] * total
    level = tf.reduce_min(
      tf.where(
        possible & (sums > target), tf.range(self.levels), self.levels - 1
      ),
      axis=-1,
    )
    return tf.gather(level_values(self.levels, params.dtype), level)

  def _logits(self, params):
    """Logits of shape `[..., channels, levels]`."""
    if params.shape[-1] % self.levels:
      raise ValueError(
        f'`params` must have a multiple of {self.levels} channels, got shape '
        f'{params.shape}.'
      )
    channels = params.shape[-1] // self.levels
    shape = tf.concat([tf.shape(params)[:-1], [channels, self.levels]], 0)
    return tf.reshape(params, shape)
