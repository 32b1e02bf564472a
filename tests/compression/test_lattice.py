"""Gaussians on a lattice are near the exact ones; flows are bijections."""

import decimal
import itertools
import math

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp
from hypothesis import example, given
from hypothesis import strategies as st

from vlae_tf import compression
from vlae_tf.compression import codecs, lattice
from vlae_tf.models import priors
from vlae_tf.nn import fixed_point, weight_norm

pytestmark = pytest.mark.usefixtures('all_eagerly')

tfb = tfp.bijectors
tfd = tfp.distributions
_TOTAL = 2**24
each_step = pytest.mark.parametrize('step', [1 / 64, 1 / 16, 1.0, 4.0])


def _pairs(low, high):
  """Means and scales, `[num, 2]`, the scales between two bounds."""
  rng = np.random.default_rng(0)
  means = np.r_[rng.normal(size=20), rng.uniform(-24, 24, 8), 0, -24, 24, 1 / 3]
  low, high = np.clip(np.log2([low, high]), -6, 1)
  scales = 2 ** rng.uniform(low, high, len(means))
  scales[:2] = 2**low, 2**high
  return np.stack([means, scales], -1)


def _line(step):
  """All points that there can be."""
  most = math.ceil(90 / step)
  return np.arange(-most, most + 1) * step


def _own(symbols, params, step):
  """The points of a Gaussian: values `[num]`, starts and widths."""
  line = tf.constant(_line(step))
  rows = tf.tile(params[None], [len(line), 1])
  start, width = symbols.intervals(rows, line)
  found, _ = symbols.locate(rows, start)
  # What is beyond them is given the place of the last.
  own = found == line
  return [x[own].numpy() for x in (line, start, width)]


def _log_masses(mean, scale, values, step):
  """Of the steps around values, by SciPy."""
  # From the tail that each is in.
  near = np.where(values > mean, values - mean, mean - values) - step / 2
  first, last = (scipy.stats.norm.logsf(x / scale) for x in (near, near + step))
  return first + np.log1p(-np.exp(last - first))


def _assert_codes(symbols, params, mean, scale, step, most):
  values, starts, widths = _own(symbols, params, step)
  assert widths.sum() == _TOTAL and widths.min() >= 1
  np.testing.assert_array_equal(starts, np.cumsum(widths) - widths)
  np.testing.assert_array_equal(np.diff(values), step)
  np.testing.assert_array_equal(values / step, np.rint(values / step))
  rows = tf.tile(params[None], [len(values), 1])
  interval = symbols.intervals(rows, tf.constant(values))
  np.testing.assert_array_equal(interval.start, starts)
  np.testing.assert_array_equal(interval.width, widths)
  found, _ = symbols.locate(rows, tf.constant(starts + widths - 1))
  np.testing.assert_array_equal(found, values)
  exact = _log_masses(mean, scale, values, step)
  masses = np.exp(exact)
  assert masses.sum() == pytest.approx(1, abs=1e-12)
  divergence = masses @ (exact - np.log(widths / _TOTAL))
  assert -1e-9 < divergence < most
  return divergence


def _posterior_divergences(step, low, high):
  symbols = compression.GaussianSymbols(step)
  return [
    _assert_codes(symbols, tf.constant([mean, scale]), mean, scale, step, 0.5)
    for mean, scale in _pairs(low, high)
  ]


@pytest.mark.parametrize('step', [1 / 64, 1 / 16, 1.0])
def test_posteriors_are_distributions_near_the_exact_ones(step):
  """Oracle: SciPy."""
  divergences = _posterior_divergences(step, step, 2.0)
  # Means are off a sixteenth of a step, scales 2**(1/32) at the most.
  most = (1 / 16) ** 2 / 2 + (2 ** (1 / 32) - 1) ** 2
  assert np.mean(divergences) < 1e-3 and np.max(divergences) < 1.1 * most


@given(
  st.sampled_from([x for x in lattice.STEPS if x >= 1 / 16]),
  st.floats(-40, 40),
  st.floats(-10, 10),
)
@example(0.25, 30.0, 8.0)
@example(3.0, -30.0, 8.0)
def test_all_posteriors_are_distributions(step, mean, octaves):
  """Of too large parameters, those that are nearest.

  Points of almost no mass may be off: that takes bits, but loses none.
  """
  near = float(np.clip(mean, -24, 24)), float(np.clip(2**octaves, 2**-6, 2))
  symbols = compression.GaussianSymbols(step)
  params = tf.constant([mean, 2**octaves], tf.float64)
  divergence = _assert_codes(symbols, params, *near, step, 0.5)
  if near[1] >= step:
    # A mean is off a sixteenth of a step, a scale 2**(1 / 32) at the most.
    most = (1 / 16) ** 2 / 2 + (2 ** (1 / 32) - 1) ** 2
    assert divergence < 1.1 * most
  # The prior has a place of its own for each point.
  prior = compression.StandardGaussianSymbols(step, lattice.MAX_LATENT)
  nothing = tf.zeros([0], tf.float64)
  values, places = (
    _own(x, p, step)[0] for x, p in ((symbols, params), (prior, nothing))
  )
  assert np.isin(values, places).all()


@each_step
@pytest.mark.parametrize('bound', [lattice.MAX_LATENT, 73.0])
def test_priors_are_distributions_far_into_their_tails(step, bound):
  symbols = compression.StandardGaussianSymbols(step, bound)
  params = tf.zeros([0], tf.float64)
  divergence = _assert_codes(symbols, params, 0, 1, step, 1e-3)
  # A part of 2**24 for each point.
  assert divergence < 3 * bound / step / _TOTAL + 1e-6
  for value in (-bound, bound):
    point = math.trunc(value / step) * step
    at = tf.constant([point], tf.float64)
    start = symbols.intervals(params[None], at).start
    found, _ = symbols.locate(params[None], start)
    assert float(found[0]) == point


def _exact_mass(x, places):
  """`ndtr(x)` in 40 digits, by its series."""
  with decimal.localcontext(prec=60):
    x = decimal.Decimal(x)
    term = total = x
    for n in itertools.count(1):
      term *= -x * x / (2 * n)
      total += term / (2 * n + 1)
      if abs(term) < decimal.Decimal(10) ** -50:
        break
    root = (
      2 * decimal.Decimal('3.14159265358979323846264338327950288419717')
    ).sqrt()
    return (decimal.Decimal('0.5') + total / root) * places


_OTHERS = pytest.mark.exhaustive('all steps')


@pytest.mark.parametrize(
  'step',
  [
    step if step in (1 / 16, 4.0) else pytest.param(step, marks=_OTHERS)
    for step in lattice.STEPS
  ],
)
def test_tables_are_of_integers_that_no_library_rounds_otherwise(step):
  """An error of `ndtr` is 1e-8 of these at the most; ties are 100 times that.

  Of what is nearest to a tie, the integer is recomputed in forty digits.
  """
  table = lattice._posterior_rows(step)
  nearest = []
  for row in range(len(table.first)):
    level, place = divmod(row, 8)
    scale = 2.0**-6 * 2.0 ** (level / 16)
    below, num = int(table.below[row]), int(table.points[row])
    assert num == 2 * below + 1
    # In steps from the mean, exact.
    edges = np.arange(-below, below) + 0.5 - (place - 4) / 8
    x = edges * step / scale
    masses = scipy.special.ndtr(x) * (_TOTAL - num)
    # Half of an odd number is a tie, but an exact one: `ndtr(0)` is 1/2.
    masses, found = masses[x != 0], x[x != 0]
    distance = np.abs(masses + 0.5 - np.rint(masses + 0.5))
    k = distance.argmin()
    nearest.append((distance[k], found[k], num, row, np.flatnonzero(x != 0)[k]))
  assert scipy.special.ndtr(0.0) == 0.5
  for distance, x, num, row, k in sorted(nearest)[:3]:
    assert distance > 1e-6
    mass = _exact_mass(x, _TOTAL - num) + decimal.Decimal('0.5')
    assert abs(mass - mass.to_integral_value()) > decimal.Decimal('1e-6')
    end = int(table.ends[table.first[row] + k + 1])
    assert end == math.floor(mass) + k + 1


def test_scales_of_posteriors_are_far_from_ties():
  """They are functions of numbers of the grid: all of them, in forty digits.

  So it does not matter what library's `exp`, `tanh` and `log` there are.
  """
  with decimal.localcontext(prec=40):
    half, log2 = decimal.Decimal('0.5'), decimal.Decimal(2).ln()
    levels, logs = [], np.arange(-5 * 1024, 1024) / 1024
    for x in logs.tolist():
      e = (decimal.Decimal(x) / 4).exp()
      octaves = 8 * (e - 1) / (e + 1) / log2 + 6
      octaves = min(max(octaves, 0), 7) * 16 + half
      assert octaves % 1 == half or abs(octaves - round(octaves)) > 1e-5
      levels.append(int(octaves))
  log_scale = 8 * tf.tanh(tf.constant(logs) / 8)
  params = tf.stack([tf.zeros_like(log_scale), tf.exp(log_scale)], -1)
  _, row, _ = compression.GaussianSymbols(1 / 16)._rows(params, None)
  np.testing.assert_array_equal(row, 8 * np.array(levels) + 4)


def test_means_on_the_grid_have_no_rounding():
  """Multiples of 2**-10, in eighths of a step: their ties are exact."""
  means = np.arange(-3000, 3000) / 1024
  for step in (1 / 256, 1 / 16, 4.0):
    params = tf.constant(np.stack([means, np.ones_like(means)], -1))
    _, row, centre = compression.GaussianSymbols(step)._rows(params, None)
    eighths = [math.floor(m * 8 / step + 0.5) for m in means.tolist()]
    found = 8 * centre.numpy() + row.numpy() % 8 - 4
    np.testing.assert_array_equal(found, eighths)


def _normal(*shape):
  return tf.constant(np.random.default_rng(0).normal(size=shape))


def _flow(size, event_shape=None):
  """A flow whose shifts are of several steps, some of them at their bounds."""
  keras.utils.set_random_seed(0)
  before = keras.config.dtype_policy()
  keras.config.set_dtype_policy('float64')
  prior = priors.AutoregressiveFlowPrior(
    event_shape or size, steps=2, hidden=(5, 4)
  )
  prior.build_once()
  keras.config.set_dtype_policy(before)
  rng = np.random.default_rng(0)
  layers = weight_norm.layers_of(prior)
  for layer in layers:
    gain = 20 if layer.units == size else 2
    layer.gain.assign(gain * rng.normal(size=layer.units))
    layer.bias.assign(
      fixed_point.quantized(gain * rng.normal(size=layer.units))
    )
  kernels = [tf.constant(fixed_point.quantized(x.kernel)) for x in layers]
  return prior, weight_norm.given_kernels(layers, kernels)


@pytest.mark.parametrize('step', [1 / 16, 1.0])
@pytest.mark.parametrize('size, most', [(2, 30), (3, 9)])
def test_flows_are_bijections_of_a_lattice(step, size, most):
  """By trying all points of a box."""
  prior, kernels = _flow(size)
  line = np.arange(-most, most + 1) * step
  box = np.array(list(itertools.product(line, repeat=size)))
  with fixed_point.exact(), kernels:
    flow = compression.on_lattice(prior.bijector(), step)
    codes = tf.identity(flow.forward(tf.constant(box))).numpy()
    noise = tf.identity(flow.inverse(tf.constant(codes))).numpy()
    noise_of_box = tf.identity(flow.inverse(tf.constant(box))).numpy()
    again = tf.identity(flow.forward(tf.constant(noise_of_box))).numpy()
  assert len(set(map(tuple, codes))) == len(box)
  np.testing.assert_array_equal(codes / step, np.rint(codes / step))
  np.testing.assert_array_equal(noise, box)
  np.testing.assert_array_equal(again, box)
  assert len(np.unique(codes - box[:, ::-1], axis=0)) > 5
  bound = lattice.max_noise(prior.bijector())
  assert np.abs(noise_of_box).max() <= np.abs(box).max() + 2 * 8
  assert bound == lattice.MAX_LATENT + 2 * lattice.MAX_SHIFT


def test_shifts_and_means_are_limited_as_the_format_says():
  far = tf.constant([-1e9, -8.25, 8.25, 1e9], tf.float64)
  for step, most in ((0.25, 8.0), (0.75, 7.5), (3.0, 6.0), (8.0, 8.0)):
    shifts = lattice._OnPoints(step)(far)
    np.testing.assert_array_equal(shifts, [-most, -most, most, most])
  assert (lattice.MAX_MEAN, lattice.MAX_LATENT) == (24.0, 41.0)


def test_flows_on_a_lattice_are_near_what_they_were():
  """A flow of two steps: half a step of the lattice for each."""
  prior, kernels = _flow(2)
  step = 1 / 64
  z = lattice.nearest(_normal(50, 2), step)
  with kernels:
    plain = prior.bijector().inverse(z)
    rounded = compression.on_lattice(prior.bijector(), step).inverse(
      tf.identity(z)
    )
  # Where no shift is at its bound and the second step's weights are no more.
  close = np.abs(plain - rounded)[:, -1] <= step
  assert close.mean() > 0.5


def test_codes_of_several_axes_are_on_it_as_well():
  prior, kernels = _flow(4, (2, 2))
  with fixed_point.exact(), kernels:
    flow = compression.on_lattice(prior.bijector(), 1 / 4)
    z = lattice.nearest(_normal(9, 2, 2), 1 / 4)
    noise = tf.identity(flow.inverse(z))
    np.testing.assert_array_equal(flow.forward(noise), z)
  assert noise.shape == (9, 4)


@given(
  st.sampled_from(lattice.STEPS),
  st.lists(st.floats(-30, 30) | st.floats(allow_nan=False), min_size=1),
)
def test_the_nearest_point_is_nearest(step, z):
  found = lattice.nearest(tf.constant(z, tf.float64), step).numpy()
  np.testing.assert_array_equal(found / step, np.rint(found / step))
  most = 24 // step * step
  inside = np.clip(z, -most, most)
  assert np.abs(found).max() <= most
  assert np.abs(found - inside).max() <= step / 2


@pytest.mark.parametrize('step', [0.0, 0.3, -1.0, 16.0, 2.0**-9, math.nan])
def test_steps_are_checked_by_name(step):
  for make in (
    compression.GaussianSymbols,
    lambda s: compression.StandardGaussianSymbols(s, 10.0),
    lambda s: lattice.check_step('step', s),
  ):
    with pytest.raises(ValueError, match=rf'`step` must be .*got {step!r}'):
      make(step)


def test_bijectors_that_stretch_are_refused_by_name():
  for bijector in (tfb.Scale(2.0), tfb.Chain([tfb.Shift(0.5), tfb.Exp()])):
    with pytest.raises(ValueError, match=r'`bijector` must.*got (Scale|Shift)'):
      compression.on_lattice(bijector, 1.0)


def test_distributions_that_are_not_coded_are_refused_by_name():
  with pytest.raises(
    ValueError, match=r'`distribution` must.*Normal.*got Gamma'
  ):
    codecs.codec_of(tfd.Gamma([1.0], [1.0]), 1.0, 1)
  for distribution in (
    tfd.Normal(1.0, 1.0),
    tfd.MultivariateNormalDiag([0.0, 0.0], [1.0, 2.0]),
    tfd.Independent(tfd.Normal([0.0, 0.1], 1.0), 1),
  ):
    with pytest.raises(
      ValueError, match='`distribution` must be a standard Gaussian'
    ):
      codecs.codec_of(distribution, 1.0, 1)
