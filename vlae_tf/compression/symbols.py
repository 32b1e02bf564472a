"""Distributions of single symbols as intervals of integers.

Probabilities become integers by tables over the numbers of a grid, so that a
float that differs in its last bits, as between devices, is the same integer.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from vlae_tf.compression.rans import Interval, Located, PRECISION, shifted
from vlae_tf.distributions import logistic_mixture, pixel_distributions
from vlae_tf.utils.fields import check

# Logits are rounded to multiples of 1 / _STEPS and limited to +-_LIMIT: for a
# Bernoulli that costs 10**-6 nats at most.
_TABLE_BITS = 8
_STEPS = 1 << _TABLE_BITS
_LIMIT = 16
_TOTAL = 1 << PRECISION
_WEIGHT_BITS = 20

# The class of the symbols of a pixel by that of its `PixelDistribution`.
SYMBOLS: dict[type, Any] = {}


class Symbols(Protocol):
  """A distribution of symbols.

  Equal ones must have equal hashes: they share compiled functions.
  """

  def intervals(self, params: tf.Tensor, value: tf.Tensor) -> Interval:
    """Intervals of symbols `[...]` under parameters `[..., num_params]`."""

  def locate(self, params: tf.Tensor, slot: tf.Tensor) -> Located:
    """Inverse CDF: symbols and intervals at slots `[...]` in [0, 2**24).

    Parameters are `[..., num_params]`; symbols are of their dtype.
    """


class PixelSymbols(Symbols, Protocol):
  """A distribution of the channels of a pixel, each given those before it."""

  def of_next(
    self, params: tf.Tensor, before: Sequence[tf.Tensor]
  ) -> tf.Tensor:
    """Parameters `[..., num_params]` of the next channel.

    Those of pixels are `[..., num]`, each of the channels before it `[...]`.
    """

  def restored(self, pixels: tf.Tensor) -> tf.Tensor:
    """Exact values of pixels that were rounded as input of a network."""


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


def from_pixel_distribution(
  distribution: pixel_distributions.PixelDistribution,
) -> PixelSymbols:
  """The symbols of the channels of a pixel."""
  if type(distribution) not in SYMBOLS:
    known = ', '.join(sorted(c.__name__ for c in SYMBOLS))
    raise ValueError(
      f'`pixel_distribution` must be one that has a codec, {known}, or '
      f'registered in `compression.SYMBOLS`, got {distribution!r}.'
    )
  return SYMBOLS[type(distribution)].from_pixel_distribution(distribution)


def _to_levels(values, scale):
  """The integers nearest to `values * scale`, int32."""
  return tf.cast(tf.round(values * scale), tf.int32)


def _from_levels(level, levels, scale, dtype):
  """`level / scale` for levels below `levels`."""
  # A table, as XLA turns `/ 255` into an inexact `* (1 / 255)`.
  return tf.gather(tf.constant(np.arange(levels) / scale, dtype), level)


def _exp_weights(steps):
  """`exp(-steps / _STEPS)` as multiples of 2**-20, for `steps` from 0 on."""
  return tf.gather(_WEIGHTS, tf.minimum(steps, _LIMIT * _STEPS))


def _grid(limit, bits):
  """All multiples of `2**-bits` within +-`limit`."""
  return np.arange(-limit << bits, (limit << bits) + 1) / (1 << bits)


def _table(numbers, bits):
  """Numbers as multiples of `2**-bits`."""
  return np.floor(numbers * (1 << bits) + 0.5).astype(np.int64)


_LOGITS = _grid(_LIMIT, _TABLE_BITS)
# The integer probability of a one, at every logit of the grid.
_WIDTHS_OF_ONES = np.clip(
  _table(1 / (1 + np.exp(-_LOGITS)), PRECISION), 1, _TOTAL - 1
)
_WEIGHTS = _table(np.exp(-_LOGITS[_LOGITS >= 0]), _WEIGHT_BITS)


@dataclasses.dataclass(frozen=True)
class BernoulliSymbols:
  """Zeros and ones; the parameter is a logit."""

  @classmethod
  def from_pixel_distribution(
    cls, distribution: pixel_distributions.PixelDistribution
  ) -> 'BernoulliSymbols':
    del distribution
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

  def locate(self, params: tf.Tensor, slot: tf.Tensor) -> Located:
    ones = self._ones(params)
    value = slot < ones
    return tf.cast(value, params.dtype), self._interval(value, ones)

  def _ones(self, params):
    logits = tf.clip_by_value(params[..., 0], -_LIMIT, _LIMIT)
    entry = tf.floor((logits + _LIMIT) * _STEPS + 0.5)
    return tf.gather(_WIDTHS_OF_ONES, tf.cast(entry, tf.int32))

  def _interval(self, is_one, ones):
    return Interval(
      tf.where(is_one, tf.zeros_like(ones), ones),
      tf.where(is_one, ones, _TOTAL - ones),
    )


SYMBOLS[pixel_distributions.BernoulliPixel] = BernoulliSymbols


@dataclasses.dataclass(frozen=True)
class CategoricalSymbols:
  """Levels with a logit each as parameters; symbols are `level / scale`."""

  levels: int = 256  # Number of levels, at most 256.
  scale: int = 255

  def __post_init__(self):
    check('levels', self.levels, 2 <= self.levels <= 256, 'from 2 to 256')

  @classmethod
  def from_pixel_distribution(
    cls, distribution: pixel_distributions.CategoricalPixel
  ) -> 'CategoricalSymbols':
    return cls(distribution.levels, distribution.levels - 1)

  def of_next(
    self, params: tf.Tensor, before: Sequence[tf.Tensor]
  ) -> tf.Tensor:
    """See `PixelSymbols`: logits, independent of the channels before."""
    start = len(before) * self.levels
    return params[..., start : start + self.levels]

  def restored(self, pixels: tf.Tensor) -> tf.Tensor:
    return self._values(_to_levels(pixels, self.scale), pixels.dtype)

  def intervals(self, params: tf.Tensor, value: tf.Tensor) -> Interval:
    return self._interval(_to_levels(value, self.scale), self._ends(params))

  def locate(self, params: tf.Tensor, slot: tf.Tensor) -> Located:
    ends = self._ends(params)
    level = tf.reduce_sum(tf.cast(ends <= slot[..., None], tf.int32), -1)
    return self._values(level, params.dtype), self._interval(level, ends)

  def _values(self, level, dtype):
    return _from_levels(level, self.levels, self.scale, dtype)

  def _ends(self, params):
    """The end of each level's interval, `[..., levels]`."""
    below = tf.reduce_max(params, -1, keepdims=True) - params
    steps = tf.floor(tf.minimum(below, _LIMIT) * _STEPS + 0.5)
    sums = tf.cumsum(_exp_weights(tf.cast(steps, tf.int32)), axis=-1)
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


# Mixtures of discretised logistics. All arithmetic is of integers: parameters
# are multiples of a power of two, nonlinear functions are tables over these,
# and sums of integers do not depend on their order. Between the entries of its
# table a sigmoid is linear, so that a component narrower than their distance
# gives its levels a probability as well.

_LEVELS = logistic_mixture.LEVELS
# Fraction bits of parameters; of slopes, and so of means in levels; of inverse
# scales; of places, which are distances from a mean over the scale (those of
# tables have `_TABLE_BITS`); of sigmoids in tables; of places between entries.
_GRID_BITS = 10
_SLOPE_BITS = 16
_MEAN_BITS = _SLOPE_BITS + 1
_SCALE_BITS = 24
_PLACE_BITS = 18
_SIGMOID_BITS = 28
_BETWEEN_BITS = _PLACE_BITS - _TABLE_BITS
# Limits: beyond them sigmoids of places are 0 or 1, slopes 1, and means far
# outside the levels.
_MAX_PLACE = 24
_MAX_SLOPE = 8
_MAX_MEAN = 128
_MAX_LOGIT = 1 << 40
_MAX_LOG_SCALE = int(logistic_mixture.MAX_LOG_SCALE)
# Logits, means in levels and log-scales of a channel.
_CHANNEL_BITS = (_GRID_BITS, _MEAN_BITS, _GRID_BITS)
_CHANNEL_LIMITS = (_MAX_LOGIT, _MAX_MEAN * _LEVELS, _MAX_LOG_SCALE)
# So that weights of 20 bits times sigmoids of 38 sum to less than 2**63.
_MAX_COMPONENTS = 31
_INVERSES = 2 / (_LEVELS - 1) * np.exp(-_grid(_MAX_LOG_SCALE, _GRID_BITS))
_INVERSE_SCALES = _table(_INVERSES, _SCALE_BITS)
# The logarithm of a level's mass over the product of the sigmoids at its ends.
_LOG_WIDTHS = _table(np.log(-np.expm1(-_INVERSES)), _GRID_BITS)
_SLOPES = _table(np.tanh(_grid(_MAX_SLOPE, _GRID_BITS)), _SLOPE_BITS)
_PLACES = _grid(_MAX_PLACE, _TABLE_BITS)
_SIGMOIDS = _table(1 / (1 + np.exp(-_PLACES)), _SIGMOID_BITS)
_RISES = np.diff(_SIGMOIDS)
# log(1 + exp(-x)) of places from 0 on.
_SOFT = _table(np.log1p(np.exp(-_PLACES[_PLACES >= 0])), _GRID_BITS)


@dataclasses.dataclass(frozen=True)
class LogisticMixtureSymbols:
  """One of 256 levels by a mixture of discretised logistics.

  The parameters of a channel are the components' logits, their means in levels
  above 127.5, and the logarithms of their scales in units of 127.5 levels.
  """

  components: int = 10  # At most 31.

  def __post_init__(self):
    fits = 1 <= self.components <= _MAX_COMPONENTS
    check('components', self.components, fits, f'from 1 to {_MAX_COMPONENTS}')

  @classmethod
  def from_pixel_distribution(
    cls, distribution: logistic_mixture.LogisticMixturePixel
  ) -> 'LogisticMixtureSymbols':
    return cls(distribution.components)

  def of_next(
    self, params: tf.Tensor, before: Sequence[tf.Tensor]
  ) -> tf.Tensor:
    """See `PixelSymbols`: components are weighted by the channels before."""
    # Logits add logarithms of masses from tables: sums of integers, which do
    # not depend on their order, and no component vanishes.
    num_params = params.shape[-1]
    channels = logistic_mixture.num_channels(num_params, self.components)
    parts = tf.split(params, num_params // self.components, -1)
    levels = [_levels(x)[..., None] for x in before]
    logits = _integers(parts[0], _GRID_BITS, _MAX_LOGIT)
    for c, level in enumerate(levels):
      logits += _log_masses(level, *_logistics(parts, channels, levels[:c]))
    means, log_scales = _logistics(parts, channels, levels)
    found = [
      tf.cast(x, tf.float64) / (1 << bits)
      for x, bits in zip((logits, means, log_scales), _CHANNEL_BITS)
    ]
    return tf.cast(tf.concat(found, -1), params.dtype)

  def restored(self, pixels: tf.Tensor) -> tf.Tensor:
    return _values(_levels(pixels), pixels.dtype)

  def intervals(self, params: tf.Tensor, value: tf.Tensor) -> Interval:
    return _interval(_levels(value), _mixture(params))

  def locate(self, params: tf.Tensor, slot: tf.Tensor) -> Located:
    mixture = _mixture(params)

    def halve(step, level):
      # The levels below this one end at the slot or before it.
      further = level + step
      is_after = _end(further - 1, mixture) <= slot
      return step // 2, tf.where(is_after, further, level)

    step = tf.constant(_LEVELS // 2, tf.int64)
    _, level = tf.while_loop(
      lambda step, _: step > 0, halve, (step, tf.zeros_like(slot))
    )
    return _values(level, params.dtype), _interval(level, mixture)


SYMBOLS[logistic_mixture.LogisticMixturePixel] = LogisticMixtureSymbols


def _levels(values):
  return tf.cast(_to_levels(values, _LEVELS - 1), tf.int64)


def _values(level, dtype):
  return _from_levels(level, _LEVELS, _LEVELS - 1, dtype)


def _integers(x, bits, limit):
  """Numbers limited to +-`limit`, as multiples of `2**-bits`."""
  x = tf.clip_by_value(tf.cast(x, tf.float64), -limit, limit)
  return tf.cast(tf.floor(x * (1 << bits) + 0.5), tf.int64)


def _coarser(x, bits):
  """The integer that is nearest to `x / 2**bits`."""
  return shifted(x + (1 << (bits - 1)), bits)


def _at(table, x, limit, bits):
  """The entry of a table over `_grid(limit, bits)`."""
  return tf.gather(table, x + (limit << bits))


def _logistics(parts, channels, before):
  """Means and log-scales of the channel after some whose levels are given."""
  # The order of the parts is that of `LogisticMixturePixel`.
  c = len(before)
  # The middle and the levels are whole numbers of half levels.
  half_level = 1 << (_MEAN_BITS - _GRID_BITS - 1)
  means = _integers(parts[1 + c], _GRID_BITS, _MAX_MEAN)
  means *= (_LEVELS - 1) * half_level
  slopes = 1 + 2 * channels + c * (c - 1) // 2
  for b, level in enumerate(before):
    slope = _integers(parts[slopes + b], _GRID_BITS, _MAX_SLOPE)
    slope = _at(_SLOPES, slope, _MAX_SLOPE, _GRID_BITS)
    means += slope * (2 * level - (_LEVELS - 1))
  log_scales = parts[1 + channels + c] + logistic_mixture.LOG_SCALE
  return means, _integers(log_scales, _GRID_BITS, _MAX_LOG_SCALE)


def _places(level, means, log_scales):
  """The place of a level's end, `[..., 1]`, under each component."""
  end = (2 * level - (_LEVELS - 2)) * (1 << (_MEAN_BITS - 1))
  inverse = _at(_INVERSE_SCALES, log_scales, _MAX_LOG_SCALE, _GRID_BITS)
  return _coarser(
    (end - means) * inverse, _MEAN_BITS + _SCALE_BITS - _PLACE_BITS
  )


def _log_masses(level, means, log_scales):
  """The logarithm of a level's mass, see `logistic_mixture`."""
  up_to_it = _log_sigmoid(_places(level, means, log_scales))
  from_it = _log_sigmoid(-_places(level - 1, means, log_scales))
  width = _at(_LOG_WIDTHS, log_scales, _MAX_LOG_SCALE, _GRID_BITS)
  inner = up_to_it + from_it + width
  inner = tf.where(level == _LEVELS - 1, from_it, inner)
  return tf.where(level == 0, up_to_it, inner)


def _log_sigmoid(place):
  """As multiples of 2**-10."""
  entry = _coarser(tf.abs(place), _BETWEEN_BITS)
  soft = tf.gather(_SOFT, tf.minimum(entry, len(_SOFT) - 1))
  return _coarser(tf.minimum(place, 0), _PLACE_BITS - _GRID_BITS) - soft


def _mixture(params):
  """Weights, means and log-scales of a channel's components."""
  parts = zip(tf.split(params, 3, -1), _CHANNEL_BITS, _CHANNEL_LIMITS)
  logits, means, log_scales = (_integers(*part) for part in parts)
  below = tf.reduce_max(logits, -1, keepdims=True) - logits
  # Nearly 2**20 for the likeliest, in steps of 1 / 256 nats.
  weights = _exp_weights(_coarser(below, _GRID_BITS - _TABLE_BITS))
  return weights, means, log_scales


def _end(level, mixture):
  """End of the interval of a level, `[...]`, other than the last one."""
  weights, *logistics = mixture
  most = (_MAX_PLACE << _PLACE_BITS) - 1
  place = tf.clip_by_value(
    _places(level[..., None], *logistics), -most - 1, most
  )
  place += most + 1
  entry = shifted(place, _BETWEEN_BITS)
  between = place - (entry * (1 << _BETWEEN_BITS))
  mass = tf.gather(_SIGMOIDS, entry) * (1 << _BETWEEN_BITS)
  mass += tf.gather(_RISES, entry) * between
  mean = tf.reduce_sum(weights * mass, -1) // tf.reduce_sum(weights, -1)
  # One part of 2**24 for each level, so that all can be coded.
  share = mean * (_TOTAL - _LEVELS)
  return shifted(share, _SIGMOID_BITS + _BETWEEN_BITS) + level + 1


def _interval(level, mixture):
  is_first, is_last = level == 0, level == _LEVELS - 1
  start = _end(tf.maximum(level - 1, 0), mixture)
  start = tf.where(is_first, tf.zeros_like(start), start)
  end = _end(tf.minimum(level, _LEVELS - 2), mixture)
  end = tf.where(is_last, tf.constant(_TOTAL, tf.int64), end)
  return Interval(start, end - start)
