"""Gaussians and flows on a lattice of points that can be coded exactly.

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

from vlae_tf.compression.rans import Interval, Located, PRECISION
from vlae_tf.distributions import autoregressive_shift
from vlae_tf.nn import fixed_point
from vlae_tf.utils.fields import check

tfb = tfp.bijectors

# Scales of posteriors are rounded to powers of 2**(1 / _SCALES), means to
# eighths of a step: on average less than 10**-3 nats a dimension, where a scale
# is no less than a step.
_SCALES = 16
_MIN_SCALE, _MAX_SCALE = 2.0**-6, 2.0
_MEANS = 8
_TAILS = 8.0  # Scales to either side that a posterior's draws may lie at.
MAX_MEAN = 24.0
MAX_SHIFT = 8.0
# The points of a prior reach to this bound and a point or two beyond it: all
# that posteriors draw have a place.
MAX_LATENT = MAX_MEAN + _TAILS * _MAX_SCALE + 1.0
# Powers of two, and some between the coarsest.
# All are numbers of the grid of `fixed_point`, or a network could not see them.
STEPS = tuple(sorted([*(2.0**n for n in range(-8, 4)), 0.75, 1.5, 3.0, 6.0]))
# A sixteenth of the grid of `fixed_point`. Offset by this, its numbers have no
# ties between points: rounding does not depend on the last bit of 1 / step,
# which is inexact if the step is no power of two, nor on how a product is
# rounded.
_OFFSET = 2.0 ** -(fixed_point.FRACTION_BITS + 4)

# TFP makes a chain with a part that is no `CompositeTensor`, as ours are, an
# instance of the base class.
_CHAIN = (tfb.Chain, tfb.Chain.__base__)
_MOVES = (tfb.Permute, tfb.Reshape, tfb.Identity)


def check_step(name: str, step: float) -> None:
  """Checks the distance of a lattice's points."""
  check(name, step, step in STEPS, f'one of {", ".join(map(repr, STEPS))}')


class _Rows(NamedTuple):
  """Cumulative probabilities of Gaussians on a lattice, one after the other."""

  # int64, `[total]`; a row of `n` points has `n + 1`, from 0 to 2**24.
  ends: np.ndarray
  first: np.ndarray  # int32, where each row begins.
  points: np.ndarray  # int32, number of points of each row.
  below: np.ndarray  # int32, number of points below the centre.


@dataclasses.dataclass(frozen=True)
class _LatticeSymbols:
  """Gaussians on a lattice; a point gets the mass of the step around it."""

  step: float  # Distance of the points, one of `STEPS`.

  def __post_init__(self):
    check_step('step', self.step)

  def _rows(self, params, shape):
    """All rows, and of each Gaussian its row and the point at its centre."""
    raise NotImplementedError

  def intervals(self, params: tf.Tensor, value: tf.Tensor) -> Interval:
    rows, row, centre = self._rows(params, tf.shape(value))
    point = tf.cast(tf.round(value * (1 / self.step)), tf.int32) - centre
    return _interval(rows, row, point + tf.gather(rows.below, row))

  def locate(self, params: tf.Tensor, slot: tf.Tensor) -> Located:
    rows, row, centre = self._rows(params, tf.shape(slot))
    first = tf.gather(rows.first, row)
    # Bisects to the point whose interval a slot is in.
    point, high = tf.zeros_like(row), tf.gather(rows.points, row)
    for _ in range(int(rows.points.max()).bit_length()):
      middle = (point + high) // 2
      before = tf.gather(rows.ends, first + middle) <= slot
      point = tf.where(before, middle, point)
      high = tf.where(before, high, middle)
    whole = point - tf.gather(rows.below, row) + centre
    value = tf.cast(whole, params.dtype) * self.step
    return value, _interval(rows, row, point)


@dataclasses.dataclass(frozen=True)
class GaussianSymbols(_LatticeSymbols):
  """`N(mean, stddev^2)` on a lattice; mean and stddev are the parameters."""

  def _rows(self, params, shape):
    del shape
    mean, stddev = tf.unstack(params, axis=-1)
    mean = tf.clip_by_value(mean, -MAX_MEAN, MAX_MEAN)
    stddev = tf.clip_by_value(stddev, _MIN_SCALE, _MAX_SCALE)
    octaves = tf.math.log(stddev / _MIN_SCALE) * (1 / math.log(2.0))
    level = tf.cast(tf.floor(octaves * _SCALES + 0.5), tf.int32)
    eighths = tf.floor((mean + _OFFSET) * (_MEANS / self.step) + 0.5)
    eighths = tf.cast(eighths, tf.int32) + _MEANS // 2
    centre = tf.math.floordiv(eighths, _MEANS)
    row = level * _MEANS + eighths - centre * _MEANS
    return _posterior_rows(self.step), row, centre


@dataclasses.dataclass(frozen=True)
class StandardGaussianSymbols(_LatticeSymbols):
  """`N(0, 1)` on a lattice, far into its tails; there are no parameters."""

  bound: float  # Largest absolute value of a point.

  def _rows(self, params, shape):
    del params
    zeros = tf.zeros(shape, tf.int32)
    return _rows_of(self.step, ((0.0, 1.0, self.bound),)), zeros, zeros


@functools.lru_cache
def _posterior_rows(step):
  """Rows of all scales, for each those of means at eighths of a step."""
  levels = round(math.log2(_MAX_SCALE / _MIN_SCALE)) * _SCALES + 1
  scales = [_MIN_SCALE * 2.0 ** (k / _SCALES) for k in range(levels)]
  means = [(eighth - _MEANS // 2) / _MEANS * step for eighth in range(_MEANS)]
  gaussians = ((m, s, _TAILS * s) for s in scales for m in means)
  return _rows_of(step, tuple(gaussians))


@functools.lru_cache
def _rows_of(step, gaussians):
  """Rows of Gaussians `(mean, scale, bound)`, points within the bound or so."""
  rows, belows = [], []
  for mean, scale, bound in gaussians:
    below = math.ceil(bound / step) + 1
    points = 2 * below + 1
    edges = (np.arange(-below, below) + 0.5) * step
    mass = scipy.special.ndtr((edges - mean) / scale)
    # At least one part of 2**24 for each point.
    divided = np.floor(mass * ((1 << PRECISION) - points) + 0.5)
    inner = divided.astype(np.int64) + np.arange(1, points)
    rows.append(np.concatenate([[0], inner, [1 << PRECISION]]))
    belows.append(below)
  lengths = [len(row) for row in rows]
  return _Rows(
    np.concatenate(rows),
    np.cumsum([0, *lengths[:-1]]).astype(np.int32),
    np.array(lengths, np.int32) - 1,
    np.array(belows, np.int32),
  )


def _interval(rows, row, point):
  """The interval of a point of a row; of one outside it, the nearest one's."""
  point = tf.clip_by_value(point, 0, tf.gather(rows.points, row) - 1)
  entry = tf.gather(rows.first, row) + point
  start, end = (tf.gather(rows.ends, entry + k) for k in range(2))
  return Interval(start, end - start)


def on_lattice(bijector: tfb.Bijector, step: float) -> tfb.Bijector:
  """Restricts a flow to the lattice of a step by rounding its shifts.

  The result maps the lattice onto itself; its shifts are limited to
  +-`MAX_SHIFT`.

  Raises:
    ValueError: A part of the bijector is no `AutoregressiveShift`, permutation,
      reshaping, or chain of them, and does not preserve a lattice.
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


def max_noise(bijector: tfb.Bijector) -> float:
  """Bound of the noise that a flow of `on_lattice` makes latents of."""
  return MAX_LATENT + MAX_SHIFT * _num_shifts(bijector)


def _num_shifts(bijector):
  if isinstance(bijector, _CHAIN):
    return sum(map(_num_shifts, bijector.bijectors))
  return int(isinstance(bijector, autoregressive_shift.AutoregressiveShift))


def nearest(z: tf.Tensor, step: float) -> tf.Tensor:
  """The nearest point of a lattice, within +-`MAX_MEAN`."""
  # Only the sender calls this: ties need no offset.
  return _rounded(z, step, MAX_MEAN, 0.0)


@dataclasses.dataclass(frozen=True)
class _OnPoints:
  """Rounds shifts to a lattice; equal for equal steps."""

  step: float

  def __call__(self, shift):
    return _rounded(shift, self.step, MAX_SHIFT, _OFFSET)


def _rounded(x, step, bound, offset):
  most = math.floor(bound / step) * step
  x = tf.clip_by_value(x, -most, most)
  return tf.floor((x + offset) * (1 / step) + 0.5) * step
