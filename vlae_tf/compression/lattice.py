"""Gaussians and flows on a lattice, whose points can be coded exactly.

#### References

[1]: Jonathan Ho, Evan Lohn, Pieter Abbeel. Compression with Flows via Local
     Bits-Back Coding. In _Neural Information Processing Systems_, 2019.
     https://arxiv.org/abs/1905.08500
"""

import dataclasses
import functools
import math
from typing import NamedTuple

import numpy as np
import scipy.special
import tensorflow as tf
import tensorflow_probability as tfp

from vlae_tf.compression.rans import Interval, PRECISION
from vlae_tf.distributions import autoregressive_shift
from vlae_tf.nn import fixed_point

tfb = tfp.bijectors

# Scales of posteriors are rounded to powers of 2**(1 / _SCALES), means to
# eighths of a step: on average less than 10**-3 nats a dimension, where a scale
# is no less than a step.
_SCALES = 16
_MIN_SCALE, _MAX_SCALE = 2.0**-6, 2.0
_PLACES = 8
_TAILS = 8.0  # Scales to either side that a posterior's draws may lie at.
MAX_MEAN = 24.0
MAX_SHIFT = 8.0
# Codes lie within this bound of zero.
MAX_CODE = MAX_MEAN + _TAILS * _MAX_SCALE + 1.0
# Powers of two, and some between the coarsest.
# All are numbers of the grid of `fixed_point`, or a network could not see them.
STEPS = tuple(sorted([*(2.0**n for n in range(-8, 4)), 0.75, 1.5, 3.0, 6.0]))
# A sixteenth of the grid of `fixed_point`. So far above its numbers there is no
# tie between points: rounding does not turn on the last bit of 1 / step, which
# is inexact if the step is no power of two, nor on how a product is rounded.
_ASIDE = 2.0 ** -(fixed_point.FRACTION_BITS + 4)

# What TFP makes of a chain where a part, as a bijector of ours, is no
# `CompositeTensor`: its base class.
_CHAIN = (tfb.Chain, tfb.Chain.__base__)
_MOVES = (tfb.Permute, tfb.Reshape, tfb.Identity)


class _Rows(NamedTuple):
  """Cumulative probabilities of Gaussians on a lattice, row by row."""

  # int64, `[total]`; a row of `n` points has `n + 1`, from 0 to 2**24.
  ends: np.ndarray
  first: np.ndarray  # int32, where each row begins.
  points: np.ndarray  # int32, the number of points of each row.
  below: np.ndarray  # int32, how many of them are below the centre.


@dataclasses.dataclass(frozen=True)
class GaussianSymbols:
  """`N(mean, stddev^2)` on the lattice of a step; parameters are the two.

  A point gets the mass of the step around it.

  Attributes:
    step: Distance of the points, one of `STEPS`.
  """

  step: float

  def __post_init__(self):
    check_step('step', self.step)

  def intervals(self, params: tf.Tensor, value: tf.Tensor) -> Interval:
    """See `symbols.Symbols`."""
    rows, row, centre = self._rows(params)
    point = _whole(value, self.step) - centre
    point += tf.gather(rows.below, row)
    return _interval(rows, row, point)

  def locate(
    self, params: tf.Tensor, slot: tf.Tensor
  ) -> tuple[tf.Tensor, Interval]:
    """See `symbols.Symbols`."""
    rows, row, centre = self._rows(params)
    point = _search(rows, row, slot)
    whole = point - tf.gather(rows.below, row) + centre
    value = tf.cast(whole, params.dtype) * self.step
    return value, _interval(rows, row, point)

  def _rows(self, params):
    """All rows, and of each Gaussian its row and the point at its centre."""
    mean, stddev = tf.unstack(params, axis=-1)
    mean = tf.clip_by_value(mean, -MAX_MEAN, MAX_MEAN)
    stddev = tf.clip_by_value(stddev, _MIN_SCALE, _MAX_SCALE)
    octaves = tf.math.log(stddev / _MIN_SCALE) * (1 / math.log(2.0))
    level = tf.cast(tf.floor(octaves * _SCALES + 0.5), tf.int32)
    place = tf.floor((mean + _ASIDE) * (_PLACES / self.step) + 0.5)
    place = tf.cast(place, tf.int32) + _PLACES // 2
    centre = tf.math.floordiv(place, _PLACES)
    return (
      _posterior_rows(self.step),
      level * _PLACES + place - centre * _PLACES,
      centre,
    )


@dataclasses.dataclass(frozen=True)
class StandardGaussianSymbols:
  """`N(0, 1)` on the lattice of a step, far into its tails; no parameters.

  Attributes:
    step: Distance of the points, one of `STEPS`.
    bound: The points lie within this bound of zero.
  """

  step: float
  bound: float

  def __post_init__(self):
    check_step('step', self.step)

  def intervals(self, params: tf.Tensor, value: tf.Tensor) -> Interval:
    """See `symbols.Symbols`; `params` say the dtype alone."""
    del params
    rows = self._rows()
    point = _whole(value, self.step) + rows.below[0]
    return _interval(rows, tf.zeros_like(point), point)

  def locate(
    self, params: tf.Tensor, slot: tf.Tensor
  ) -> tuple[tf.Tensor, Interval]:
    """See `symbols.Symbols`."""
    rows = self._rows()
    row = tf.zeros(tf.shape(slot), tf.int32)
    point = _search(rows, row, slot)
    value = tf.cast(point - rows.below[0], params.dtype) * self.step
    return value, _interval(rows, row, point)

  def _rows(self):
    return _prior_row(self.step, self.bound)


def check_step(name: str, step: float) -> None:
  """Checks the distance of a lattice's points."""
  if step not in STEPS:
    raise ValueError(
      f'`{name}` must be one of {", ".join(map(repr, STEPS))}, got {step!r}.'
    )


@functools.lru_cache
def _posterior_rows(step):
  """Rows of all scales, of each for means at eighths of a step."""
  octaves = round(math.log2(_MAX_SCALE / _MIN_SCALE))
  rows = []
  for level in range(octaves * _SCALES + 1):
    scale = _MIN_SCALE * 2.0 ** (level / _SCALES)
    below = math.ceil(_TAILS * scale / step) + 1
    for place in range(_PLACES):
      mean = (place - _PLACES // 2) / _PLACES
      rows.append((_ends(below, mean * step, scale, step), below))
  return _joined(rows)


@functools.lru_cache
def _prior_row(step, bound):
  below = math.ceil(bound / step) + 1
  return _joined([(_ends(below, 0.0, 1.0, step), below)])


def _ends(below, mean, scale, step):
  """Cumulative integer probabilities of the points from -below to below."""
  points = 2 * below + 1
  edges = (np.arange(-below, below) + 0.5) * step
  mass = scipy.special.ndtr((edges - mean) / scale)
  # At least one part of 2**24 for each point.
  divided = np.floor(mass * ((1 << PRECISION) - points) + 0.5)
  inner = divided.astype(np.int64) + np.arange(1, points)
  return np.concatenate([[0], inner, [1 << PRECISION]])


def _joined(rows):
  lengths = [len(ends) for ends, _ in rows]
  return _Rows(
    np.concatenate([ends for ends, _ in rows]),
    np.cumsum([0, *lengths[:-1]]).astype(np.int32),
    np.array(lengths, np.int32) - 1,
    np.array([below for _, below in rows], np.int32),
  )


def _whole(value, step):
  return tf.cast(tf.round(value * (1 / step)), tf.int32)


def _interval(rows, row, point):
  """The interval of a point of a row; that of the nearest one, beyond it."""
  point = tf.clip_by_value(point, 0, tf.gather(rows.points, row) - 1)
  place = tf.gather(rows.first, row) + point
  start, end = (tf.gather(rows.ends, place + k) for k in range(2))
  return Interval(start, end - start)


def _search(rows, row, slot):
  """The point of a row in whose interval a slot is, by bisection."""
  first = tf.gather(rows.first, row)
  low, high = tf.zeros_like(row), tf.gather(rows.points, row)
  for _ in range(int(rows.points.max()).bit_length()):
    middle = (low + high) // 2
    before = tf.gather(rows.ends, first + middle) <= slot
    low, high = tf.where(before, middle, low), tf.where(before, high, middle)
  return low


def on_lattice(bijector: tfb.Bijector, step: float) -> tfb.Bijector:
  """A flow that maps a lattice onto itself: its shifts are rounded to it.

  Args:
    bijector: `AutoregressiveShift`, permutation, reshaping, or a chain of
      them: what keeps volumes.
    step: Distance of the lattice's points.

  Returns:
    A bijector of the lattice. Shifts are limited to +-`MAX_SHIFT`.

  Raises:
    ValueError: The bijector has another step, whose image of the lattice is no
      lattice.
  """
  if isinstance(bijector, _CHAIN):
    return tfb.Chain([on_lattice(b, step) for b in bijector.bijectors])
  if isinstance(bijector, _MOVES):
    return bijector
  if isinstance(bijector, autoregressive_shift.AutoregressiveShift):
    return bijector.with_shift(_OnPoints(step))
  raise ValueError(
    '`bijector` must be of steps that map a lattice onto itself '
    '(AutoregressiveShift, Permute, Reshape), got '
    f'{type(bijector).__name__}.'
  )


def nearest(z: tf.Tensor, step: float) -> tf.Tensor:
  """The nearest point of a lattice, within +-`MAX_MEAN`."""
  # Whoever receives it does not need to know how ties are broken.
  return _points(z, step, MAX_MEAN, 0.0)


def max_noise(bijector: tfb.Bijector) -> float:
  """Bound of the noise that codes are made of by a flow of `on_lattice`."""
  return MAX_CODE + MAX_SHIFT * _num_shifts(bijector)


def moves(bijector: tfb.Bijector) -> tfb.Bijector:
  """A flow of `on_lattice` without its shifts: where it puts numbers."""
  if isinstance(bijector, _CHAIN):
    return tfb.Chain([moves(b) for b in bijector.bijectors])
  if isinstance(bijector, autoregressive_shift.AutoregressiveShift):
    return tfb.Identity()
  return bijector


def _num_shifts(bijector):
  if isinstance(bijector, _CHAIN):
    return sum(map(_num_shifts, bijector.bijectors))
  return int(isinstance(bijector, autoregressive_shift.AutoregressiveShift))


@dataclasses.dataclass(frozen=True)
class _OnPoints:
  """Shifts rounded to a lattice; equal for equal steps."""

  step: float

  def __call__(self, shift):
    return _points(shift, self.step, MAX_SHIFT, _ASIDE)


def _points(x, step, bound, aside):
  most = math.floor(bound / step) * step
  x = tf.clip_by_value(x, -most, most)
  return tf.floor((x + aside) * (1 / step) + 0.5) * step
