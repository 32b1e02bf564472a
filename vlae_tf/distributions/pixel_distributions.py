"""Laws of one pixel given its parameters: how they are asked, and their names.

A new one: a frozen dataclass that has what `PixelLaw` has and can be made
without arguments, and a line that registers it.

#### References

[1]: Aaron van den Oord, Nal Kalchbrenner, Koray Kavukcuoglu. Pixel Recurrent
     Neural Networks. In _International Conference on Machine Learning_, 2016.
     https://arxiv.org/abs/1601.06759 (section 3.3)
"""

import dataclasses
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from vlae_tf.utils import registry, serialization

tfd = tfp.distributions

PIXEL_LAWS = registry.Registry('pixel_law')
# Wider than any rounding of `k / 255`, far narrower than a step between levels.
TOLERANCE = 1e-6


@runtime_checkable
class PixelLaw(Protocol):
  """What a law of a pixel is: parameters in, a distribution or a draw out.

  Laws are equal, and hashed alike, if they compute the same: samplers are
  compiled once for each.
  """

  @property
  def kinds(self) -> tuple[str, ...]:
    """The kinds of pixels it is a law of, see `ImageData`."""
    ...

  def num_params(self, channels: int) -> int:
    """How many numbers a network must give for a pixel of `channels`."""
    ...

  def num_uniforms(self, channels: int) -> int:
    """How many uniform numbers a draw of a pixel of `channels` takes."""
    ...

  def distribution(self, params: tf.Tensor) -> tfd.Distribution:
    """The law of pixels.

    Args:
      params: `Tensor` of shape `[..., num_params]`.

    Returns:
      A `tfd.Distribution` of batch shape `[...]` and event shape `[channels]`,
      over values in [0, 1].
    """
    ...

  def quantile(self, params: tf.Tensor, uniforms: tf.Tensor) -> tf.Tensor:
    """A draw from the law, made of uniform noise.

    Args:
      params: `Tensor` of shape `[..., num_params]`.
      uniforms: `Tensor` in [0, 1) of shape `[..., num_uniforms]`.

    Returns:
      A `Tensor` of shape `[..., channels]`.
    """
    ...


def check_kind(law: PixelLaw, kind: str) -> None:
  """Checks that a law is one of images of a kind."""
  if kind in law.kinds:
    return
  fitting = [name for name in PIXEL_LAWS if kind in PIXEL_LAWS[name]().kinds]
  raise ValueError(
    f'`pixel_law` must accept images of kind {kind!r}, as '
    f'{" and ".join(fitting) or "none"} would, got {law}, which accepts kind '
    f'{" and ".join(map(repr, law.kinds))}.'
  )


def level_values(levels: int, dtype: tf.DType) -> tf.Tensor:
  """What pixels of every level are, as numbers in [0, 1]."""
  # -> [levels]
  values = np.arange(levels) / (levels - 1)
  # By way of float32, the type of images, to be theirs to the bit.
  return tf.constant(values.astype(np.float32), dtype)


@PIXEL_LAWS.register('bernoulli', 'channels are independent and binary')
@serialization.register
@dataclasses.dataclass(frozen=True)
class BernoulliPixel:
  """Independent Bernoulli channels; the parameters are logits."""

  kinds: ClassVar[tuple[str, ...]] = ('binary', 'grey')

  def num_params(self, channels: int) -> int:
    """One logit a channel."""
    return channels

  def num_uniforms(self, channels: int) -> int:
    """One a channel."""
    return channels

  def distribution(self, params: tf.Tensor) -> tfd.Distribution:
    """The law of `params`, logits of shape `[..., channels]`."""
    return tfd.Independent(
      tfd.Bernoulli(logits=params, dtype=params.dtype),
      reinterpreted_batch_ndims=1,
    )

  def quantile(self, params: tf.Tensor, uniforms: tf.Tensor) -> tf.Tensor:
    """One where `uniforms` are less than the means, else zero."""
    return tf.cast(uniforms < tf.sigmoid(params), params.dtype)


@PIXEL_LAWS.register(
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

  >>> law = CategoricalPixel()
  >>> law.num_params(channels=3)
  768
  >>> law.distribution(tf.zeros([768])).mean().numpy().round(3)
  array([0.5, 0.5, 0.5], dtype=float32)

  Attributes:
    levels: How many there are: 256 in the images of this package.
  """

  kinds: ClassVar[tuple[str, ...]] = ('levels',)
  levels: int = 256

  def __post_init__(self):
    if self.levels < 2:
      raise ValueError(f'`levels` must be at least 2, got {self.levels}.')

  def num_params(self, channels: int) -> int:
    """One logit a level and channel."""
    return self.levels * channels

  def num_uniforms(self, channels: int) -> int:
    """One a channel."""
    return channels

  def distribution(self, params: tf.Tensor) -> tfd.Distribution:
    """The law of `params`, logits of shape `[..., channels * levels]`."""
    params = tf.convert_to_tensor(params)
    values = level_values(self.levels, params.dtype)
    return tfd.Independent(
      tfd.FiniteDiscrete(values, self._logits(params), atol=TOLERANCE),
      reinterpreted_batch_ndims=1,
    )

  def quantile(self, params: tf.Tensor, uniforms: tf.Tensor) -> tf.Tensor:
    """The first level that more than `uniforms` of the probability is up to."""
    params = tf.convert_to_tensor(params)
    logits = self._logits(params)
    weights = tf.exp(logits - tf.reduce_max(logits, -1, keepdims=True))
    sums = tf.cumsum(weights, axis=-1)
    # The sums are compared as they were rounded, whatever their total; where
    # they were made in parallel, a rounding may even fall on a level without
    # weight. It is passed over: what is drawn has a probability.
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
        f'`params` must have a multiple of {self.levels} maps, got shape '
        f'{params.shape}.'
      )
    channels = params.shape[-1] // self.levels
    shape = tf.concat([tf.shape(params)[:-1], [channels, self.levels]], 0)
    static = params.shape[:-1].concatenate([channels, self.levels])
    return tf.ensure_shape(tf.reshape(params, shape), static)
