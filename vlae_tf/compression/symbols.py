"""Distributions of single symbols as intervals of integers.

Probabilities become integers by tables over the numbers of a grid, so that a
float that differs in its last bits, as between devices, is the same integer.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from vlae_tf.compression.rans import Interval, PRECISION
from vlae_tf.distributions import pixel_distributions

# Logits are rounded to multiples of 1 / STEPS and limited to +-_LIMIT: for a
# Bernoulli that costs 10**-6 nats at most.
STEPS = 256
_LIMIT = 16
_TOTAL = 1 << PRECISION
_WEIGHT_BITS = 20

# From the class of a `PixelLaw` to that of the symbols of its channels.
SYMBOLS: dict[type, Any] = {}


class Symbols(Protocol):
  """A distribution of symbols.

  Equal ones must have equal hashes: they share compiled functions.
  """

  def intervals(self, params: tf.Tensor, value: tf.Tensor) -> Interval:
    """Intervals of symbols `[...]` under parameters `[..., num_params]`."""
    ...

  def locate(
    self, params: tf.Tensor, slot: tf.Tensor
  ) -> tuple[tf.Tensor, Interval]:
    """Inverse CDF.

    Args:
      params: Float `Tensor` of shape `[..., num_params]`.
      slot: int64 `Tensor` of shape `[...]`, in [0, 2**24).

    Returns:
      The symbols whose intervals the slots are in, of shape `[...]` and of the
      dtype of `params`, and these intervals.
    """
    ...


class PixelSymbols(Symbols, Protocol):
  """A distribution of the channels of a pixel, each given those before it."""

  def of_next(
    self, params: tf.Tensor, before: Sequence[tf.Tensor]
  ) -> tf.Tensor:
    """Parameters of the next channel.

    Args:
      params: Float `Tensor` of shape `[..., num]`, parameters of pixels.
      before: The channels before it, `Tensor`s of shape `[...]`.

    Returns:
      A `Tensor` of shape `[..., num_params]`.
    """
    ...

  def restored(self, pixels: tf.Tensor) -> tf.Tensor:
    """Exact values of pixels that were rounded as input of a network."""
    ...


def pixel_intervals(
  symbols: PixelSymbols, params: tf.Tensor, pixels: tf.Tensor
) -> Interval:
  """Intervals of the channels of pixels, `[..., channels]`."""
  channels = tf.unstack(pixels, axis=-1)
  found = [
    symbols.intervals(symbols.of_next(params, channels[:c]), channel)
    for c, channel in enumerate(channels)
  ]
  return Interval(*(tf.stack(parts, -1) for parts in zip(*found)))


def of_pixel_law(law: pixel_distributions.PixelLaw) -> PixelSymbols:
  """The symbols of the channels of a pixel."""
  if type(law) not in SYMBOLS:
    known = ', '.join(sorted(c.__name__ for c in SYMBOLS))
    raise ValueError(
      f'`pixel_law` must be one that has a codec, {known}, or registered in '
      f'`compression.SYMBOLS`, got {law!r}.'
    )
  return SYMBOLS[type(law)].of_pixel_law(law)


def to_levels(values: tf.Tensor, scale: int) -> tf.Tensor:
  """The integers nearest to `values * scale`, int32."""
  return tf.cast(tf.round(values * scale), tf.int32)


def from_levels(
  level: tf.Tensor, levels: int, scale: int, dtype: tf.DType
) -> tf.Tensor:
  """`level / scale` for levels below `levels`."""
  # A table, as XLA turns `/ 255` into an inexact `* (1 / 255)`.
  return tf.gather(tf.constant(np.arange(levels) / scale, dtype), level)


def exp_weights(steps: tf.Tensor) -> tf.Tensor:
  """`exp(-steps / STEPS)` as multiples of 2**-20, for `steps` from 0 on."""
  return tf.gather(_WEIGHTS, tf.minimum(steps, _LIMIT * STEPS))


def _widths_of_ones():
  """The integer probability of a one, at every logit of the grid."""
  logits = np.arange(-_LIMIT * STEPS, _LIMIT * STEPS + 1) / STEPS
  widths = np.floor(_TOTAL / (1 + np.exp(-logits)) + 0.5)
  return np.clip(widths, 1, _TOTAL - 1).astype(np.int64)


def _weights():
  n = np.arange(_LIMIT * STEPS + 1)
  return np.floor(np.exp(-n / STEPS) * 2**_WEIGHT_BITS + 0.5).astype(np.int64)


_WIDTHS_OF_ONES = _widths_of_ones()
_WEIGHTS = _weights()


@dataclasses.dataclass(frozen=True)
class BernoulliSymbols:
  """Zeros and ones; the parameter is a logit."""

  @classmethod
  def of_pixel_law(
    cls, law: pixel_distributions.PixelLaw
  ) -> 'BernoulliSymbols':
    """The symbols of the channels of a pixel."""
    del law
    return cls()

  def of_next(
    self, params: tf.Tensor, before: Sequence[tf.Tensor]
  ) -> tf.Tensor:
    """See `PixelSymbols`: a logit, independent of the channels before."""
    return params[..., len(before) : len(before) + 1]

  def restored(self, pixels: tf.Tensor) -> tf.Tensor:
    return pixels

  def intervals(self, params: tf.Tensor, value: tf.Tensor) -> Interval:
    """See `Symbols`: ones come first."""
    return self._interval(value > 0, self._ones(params))

  def locate(
    self, params: tf.Tensor, slot: tf.Tensor
  ) -> tuple[tf.Tensor, Interval]:
    ones = self._ones(params)
    value = slot < ones
    return tf.cast(value, params.dtype), self._interval(value, ones)

  def _ones(self, params):
    logits = tf.clip_by_value(params[..., 0], -_LIMIT, _LIMIT)
    entry = tf.floor((logits + _LIMIT) * STEPS + 0.5)
    return tf.gather(_WIDTHS_OF_ONES, tf.cast(entry, tf.int32))

  def _interval(self, is_one, ones):
    return Interval(
      tf.where(is_one, tf.zeros_like(ones), ones),
      tf.where(is_one, ones, _TOTAL - ones),
    )


SYMBOLS[pixel_distributions.BernoulliPixel] = BernoulliSymbols


@dataclasses.dataclass(frozen=True)
class CategoricalSymbols:
  """Levels with a logit each as parameters; symbols are `level / scale`.

  Attributes:
    levels: Number of levels, at most 256.
    scale: Divisor of levels.
  """

  levels: int = 256
  scale: int = 255

  def __post_init__(self):
    if not 2 <= self.levels <= 256:
      raise ValueError(f'`levels` must be from 2 to 256, got {self.levels}.')

  @classmethod
  def of_pixel_law(
    cls, law: pixel_distributions.CategoricalPixel
  ) -> 'CategoricalSymbols':
    """The symbols of the channels of a pixel."""
    return cls(law.levels, law.levels - 1)

  def of_next(
    self, params: tf.Tensor, before: Sequence[tf.Tensor]
  ) -> tf.Tensor:
    """See `PixelSymbols`: logits, independent of the channels before."""
    start = len(before) * self.levels
    return params[..., start : start + self.levels]

  def restored(self, pixels: tf.Tensor) -> tf.Tensor:
    return self._values(to_levels(pixels, self.scale), pixels.dtype)

  def intervals(self, params: tf.Tensor, value: tf.Tensor) -> Interval:
    return self._interval(to_levels(value, self.scale), self._ends(params))

  def locate(
    self, params: tf.Tensor, slot: tf.Tensor
  ) -> tuple[tf.Tensor, Interval]:
    ends = self._ends(params)
    level = tf.reduce_sum(tf.cast(ends <= slot[..., None], tf.int32), -1)
    return self._values(level, params.dtype), self._interval(level, ends)

  def _values(self, level, dtype):
    return from_levels(level, self.levels, self.scale, dtype)

  def _ends(self, params):
    """The end of each level's interval, `[..., levels]`."""
    below = tf.reduce_max(params, -1, keepdims=True) - params
    steps = tf.floor(tf.minimum(below, _LIMIT) * STEPS + 0.5)
    sums = tf.cumsum(exp_weights(tf.cast(steps, tf.int32)), axis=-1)
    # One part of 2**24 for each level, so that all can be coded; the rest is
    # divided. The sums are below 2**28 and 2**24 times that fits int64.
    free = _TOTAL - self.levels
    divided = sums * free // sums[..., -1:]
    return divided + tf.range(1, self.levels + 1, dtype=tf.int64)

  def _interval(self, level, ends):
    last = tf.maximum(level - 1, 0)
    before = tf.gather(ends, last, batch_dims=level.shape.rank)
    start = tf.where(level > 0, before, tf.zeros_like(before))
    end = tf.gather(ends, level, batch_dims=level.shape.rank)
    return Interval(start, end - start)


SYMBOLS[pixel_distributions.CategoricalPixel] = CategoricalSymbols
