"""The mixture of logistics against SciPy, and in the tails against decimals."""

import decimal
import functools

import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf
import toys

from vlae_tf.distributions import autoregressive_image
from vlae_tf.distributions.logistic_mixture import LogisticMixturePixel

VALUES = (np.arange(256) / 255).astype('float32')
BELOW_ONE = np.nextafter(np.float32(1), np.float32(0))
EDGES = np.array([0, 1, 127, 254, 255])

each_channels = pytest.mark.parametrize('channels', [1, 3])


def random(*shape, scale=1.0, seed=0):
  """Normal numbers in double precision."""
  return scale * np.random.default_rng(seed).standard_normal(shape)


def random_levels(*shape, seed=1):
  """Levels, one in four of them the first or the last."""
  rng = np.random.default_rng(seed)
  edges = rng.choice([0, 255], shape)
  return np.where(rng.random(shape) < 0.25, edges, rng.integers(0, 256, shape))


def components(params, channels, num):
  """Logits, means, log-scales and coefficients as the docstring has them.

  All but the logits are lists, an array `[..., num]` a channel or a pair.
  """
  columns = [params[..., k : k + num] for k in range(0, params.shape[-1], num)]
  c = channels
  return (
    columns[0],
    columns[1 : 1 + c],
    columns[1 + c : 1 + 2 * c],
    columns[1 + 2 * c :],
  )


def logistics(params, levels, channels, num):
  """The mean and scale of each channel in [-1, 1], by the formula of [1]."""
  _, means, log_scales, slopes = components(params, channels, num)
  x = 2 * np.moveaxis(np.asarray(levels), -1, 0)[..., None] / 255 - 1
  means = list(means)
  if channels == 3:
    slopes = np.tanh(slopes)
    means[1] = means[1] + slopes[0] * x[0]
    means[2] = means[2] + slopes[1] * x[0] + slopes[2] * x[1]
  return [(m, np.exp(np.clip(s - 1, -7, 7))) for m, s in zip(means, log_scales)]


def masses(mean, scale):
  """SciPy's masses of all levels, `[..., num, 256]`."""
  ends = (2 * np.arange(255) + 1) / 255 - 1
  ends = np.r_[-np.inf, ends, np.inf]
  dist = scipy.stats.logistic(mean[..., None], scale[..., None])
  lower, upper = np.diff(dist.cdf(ends)), -np.diff(dist.sf(ends))
  # Of what is small, so that there are digits left of the difference.
  return np.where(ends[1:] < mean[..., None], lower, upper)


def tables(params, levels, channels, num):
  """Probabilities of all levels of each channel given those before it.

  Args:
    params: Array of shape `[n, num_params]`.
    levels: Integers of shape `[n, channels]`.

  Returns:
    A list of arrays of shape `[n, 256]`.
  """
  weights = scipy.special.softmax(components(params, channels, num)[0], -1)
  found = []
  for c, (mean, scale) in enumerate(logistics(params, levels, channels, num)):
    each = masses(mean, scale)
    found.append(np.einsum('nk,nkl->nl', weights, each))
    here = np.take_along_axis(each, levels[:, c, None, None], -1)[..., 0]
    weights = weights * here / (weights * here).sum(-1, keepdims=True)
  return found


def log_prob(params, levels, channels, num):
  """The sum of the logarithms of `tables`, at some levels."""
  found = tables(params, levels, channels, num)
  picked = [t[np.arange(len(t)), k] for t, k in zip(found, levels.T)]
  return np.log(picked).sum(0)


@each_channels
def test_each_channel_sums_to_one_whatever_is_before(channels):
  pixel = LogisticMixturePixel()
  params = tf.constant(random(40, pixel.num_params(channels), scale=4.0))
  levels = random_levels(40, channels)
  table = np.exp(pixel.conditionals(params, levels / 255))
  assert table.shape == (40, channels, 256)
  np.testing.assert_allclose(table.sum(-1), 1.0, rtol=1e-12)


def test_pixels_of_a_first_channel_sum_to_its_probability():
  """Over all of the second and third; the first channel is SciPy's."""
  params = random(1, 30)
  grid = np.stack(np.meshgrid([90], range(256), range(256)), -1).reshape(-1, 3)
  dist = LogisticMixturePixel(components=3).distribution(tf.constant(params[0]))
  total = np.exp(dist.log_prob(grid / 255)).sum()
  expected = tables(params, grid[:1], 3, 3)[0][0, 90]
  np.testing.assert_allclose(total, expected, rtol=1e-10)


@each_channels
@pytest.mark.parametrize('num', [1, 4])
def test_log_prob_is_the_formula_of_the_paper(channels, num):
  pixel = LogisticMixturePixel(num)
  params = random(200, pixel.num_params(channels))
  levels = random_levels(200, channels)
  expected = log_prob(params, levels, channels, num)
  found = pixel.distribution(tf.constant(params)).log_prob(levels / 255)
  np.testing.assert_allclose(found, expected, rtol=1e-8)
  single = pixel.distribution(tf.constant(params, tf.float32))
  found = single.log_prob(VALUES[levels])
  np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@each_channels
def test_conditionals_are_the_factors_of_the_formula(channels):
  pixel = LogisticMixturePixel(2)
  params = random(20, pixel.num_params(channels))
  levels = random_levels(20, channels)
  found = np.exp(pixel.conditionals(tf.constant(params), levels / 255))
  expected = np.stack(tables(params, levels, channels, 2), 1)
  np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-14)


def decimal_log_mass(mean, log_scale, level):
  """The logarithm of a logistic's mass by sixty digits."""
  with decimal.localcontext(prec=60):
    scale = decimal.Decimal(log_scale).exp()
    place = decimal.Decimal(int(level)) * 2 / 255 - 1 - decimal.Decimal(mean)
    half = decimal.Decimal(1) / 255
    # On the side where the masses are small, so that the digits are enough.
    side = 1 if place < 0 else -1
    inner, outer = (
      1 / (1 + (-(side * place + sign * half) / scale).exp())
      for sign in (1, -1)
    )
    is_edge = level == (0 if side > 0 else 255)
    far_edge = level == (255 if side > 0 else 0)
    return float(((1 if far_edge else inner) - (0 if is_edge else outer)).ln())


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_log_prob_is_right_in_the_tails(dtype):
  """Of one component; parameters that both types have to the bit."""
  means = [-100.0, -2.5, -0.5, 0.0, 0.25, 1.0, 100.0]
  log_scales = [-9.0, -7.0, -6.0, -3.5, 0.0, 5.0, 8.0, 30.0]
  grid = np.stack(np.meshgrid([0], means, log_scales, EDGES), -1)
  grid = grid.reshape(-1, 4)
  expected = [
    decimal_log_mass(mean, np.clip(s - 1, -7, 7), level)
    for _, mean, s, level in grid
  ]
  dist = LogisticMixturePixel(1).distribution(tf.constant(grid[:, :3], dtype))
  found = dist.log_prob((grid[:, 3:] / 255).astype(dtype))
  # A place in [-1, 1] times the inverse of a scale of e**-7 is off by 2**-14.
  rtol, atol = (2e-6, 5e-4) if dtype == 'float32' else (1e-12, 1e-12)
  np.testing.assert_allclose(found, expected, rtol=rtol, atol=atol)


def gradient(params, levels, num, dtype):
  """The gradient of the sum of log-probabilities."""
  variable = tf.Variable(params, dtype=dtype)
  with tf.GradientTape() as tape:
    dist = LogisticMixturePixel(num).distribution(variable + 0)
    loss = tf.reduce_sum(dist.log_prob((levels / 255).astype(dtype)))
  return tape.gradient(loss, variable).numpy()


@each_channels
def test_gradients_are_differences_of_the_formula(channels):
  num, step = 2, 1e-5
  size = LogisticMixturePixel(num).num_params(channels)
  params, levels = random(30, size), random_levels(30, channels)
  up, down = (
    [log_prob(params + s * row, levels, channels, num) for row in np.eye(size)]
    for s in (step, -step)
  )
  expected = (np.array(up) - np.array(down)).T / (2 * step)
  found = gradient(params, levels, num, 'float64')
  np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
  found = gradient(params, levels, num, 'float32')
  np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def extremes():
  """Parameters of one component and three channels, and levels."""
  rng = np.random.default_rng(0)
  columns = [rng.choice([-100.0, 0.0, 100.0], 4000) for _ in range(4)]
  columns += [rng.choice([-100.0, -7, -6, 0, 6, 100], 4000) for _ in range(3)]
  columns += [rng.choice([-100.0, -1, 0, 100], 4000) for _ in range(3)]
  return np.stack(columns, -1), rng.choice(EDGES, (4000, 3))


def test_extremes_have_finite_values_and_gradients():
  params, levels = extremes()
  dist = LogisticMixturePixel(1).distribution(tf.constant(params, tf.float32))
  found = dist.log_prob(VALUES[levels])
  assert np.isfinite(found).all()
  # Half a range beyond by the narrowest scale: nothing has been bounded.
  assert np.min(found) < -(100 * np.e**7)
  found = gradient(params, levels, 1, 'float32')
  expected = gradient(params, levels, 1, 'float64')
  assert np.isfinite(found).all()
  np.testing.assert_allclose(found, expected, rtol=1e-3, atol=0.05)


def test_extreme_logits_have_finite_gradients():
  params = random(50, 40, scale=30.0)
  params[:, :4] = np.random.default_rng(2).choice([-1e4, 0.0, 1e4], (50, 4))
  found = gradient(params, random_levels(50, 3), 4, 'float32')
  assert np.isfinite(found).all()


@functools.cache
def quantile_function(num, jit_compile=False):
  """The method of a distribution, compiled once or not at all."""
  fn = LogisticMixturePixel(num).quantile
  return tf.function(fn, jit_compile=True) if jit_compile else fn


def quantile(params, uniforms, num, **kwargs):
  """Levels that the distribution draws, integers."""
  fn = quantile_function(num, **kwargs)
  drawn = fn(tf.constant(params), tf.constant(uniforms)).numpy()
  assert drawn.dtype == params.dtype
  levels = np.rint(drawn * 255).astype(int)
  np.testing.assert_array_equal(drawn, VALUES[levels])
  return levels


@each_channels
def test_quantile_is_the_search_of_a_sum(channels):
  """In double precision no draw is near enough to an end to be rounded."""
  num = 4
  params = random(500, LogisticMixturePixel(num).num_params(channels))
  uniforms = np.random.default_rng(2).random((500, channels))
  levels = quantile(params, uniforms, num)
  # The sums of a channel are those given the levels drawn before it.
  for c, table in enumerate(tables(params, levels, channels, num)):
    ends = np.cumsum(table, -1)
    assert np.abs(ends - uniforms[:, c : c + 1]).min() > 1e-9
    expected = (ends <= uniforms[:, c : c + 1]).sum(-1)
    np.testing.assert_array_equal(levels[:, c], expected)
  assert {0, 255} < set(levels.ravel())


def test_quantiles_on_a_grid_are_as_frequent_as_the_distribution_says():
  n, params = 4096, random(1, 30, seed=3).astype('float32')
  uniforms = ((np.arange(n) + 0.5) / n).astype('float32')[:, None]
  levels = quantile(np.tile(params, [n, 1]), uniforms, 10)[:, 0]
  assert (np.diff(levels) >= 0).all()
  frequencies = np.bincount(levels, minlength=256) / n
  expected = tables(params.astype('float64'), levels[:1, None], 1, 10)[0][0]
  assert np.abs(frequencies - expected).max() <= 1 / n + 1e-6


def test_quantile_is_the_same_compiled():
  params = random(300, 100).astype('float32')
  uniforms = toys.uniforms(300, 3).numpy()
  np.testing.assert_array_equal(
    quantile(params, uniforms, 10),
    quantile(params, uniforms, 10, jit_compile=True),
  )


@pytest.mark.parametrize('jit_compile', [False, True])
@pytest.mark.parametrize('uniform', [0.0, BELOW_ONE, 1.0])
def test_draws_end_where_the_probability_ends(uniform, jit_compile):
  """Of narrow distributions, which leave most levels without any in float32."""
  params = random(400, 30, scale=0.3, seed=4).astype('float32')
  params[:, 20:] -= 4
  uniforms = np.full((400, 1), uniform, 'float32')
  levels = quantile(params, uniforms, 10, jit_compile=jit_compile)
  log_probs = LogisticMixturePixel().conditionals(params, VALUES[levels])[:, 0]
  probabilities = np.exp(log_probs)
  assert (probabilities[:, 255] < 1e-10).any()
  drawn = np.take_along_axis(probabilities, levels, 1)
  assert (drawn > (1e-12 if uniform else 0)).all()
  if uniform:
    # No more than roundings is left above.
    above = np.cumsum(probabilities[:, ::-1], 1)[:, ::-1]
    above = np.pad(above, [(0, 0), (0, 1)])
    assert np.take_along_axis(above, levels + 1, 1).max() < 1e-6


def test_samples_are_as_frequent_as_the_distribution_says():
  """In halves of a channel, for each half of those drawn before it."""
  n, half, params = 4000, 110, random(30, seed=5)
  dist = LogisticMixturePixel(3).distribution(tf.constant(params))
  levels = np.rint(dist.sample(n, seed=6).numpy() * 255).astype(int)
  is_low = levels < half
  for c, table in enumerate(tables(np.tile(params, [n, 1]), levels, 3, 3)):
    expected = table[:, :half].sum(-1)
    before = is_low[:, :c] @ 2 ** np.arange(c)
    for cell in range(2**c):
      p, found = expected[before == cell], is_low[before == cell, c]
      assert len(p) > 100
      # Differences of a martingale: their variances add.
      assert abs((found - p).sum()) < 4 * np.sqrt((p * (1 - p)).sum())


def test_one_channel_is_the_first_of_three():
  num, pixel = 5, LogisticMixturePixel(5)
  params, levels = random(20, 10 * num), random_levels(20, 3)
  first = np.concatenate(
    [params[:, k * num : (k + 1) * num] for k in (0, 1, 4)], -1
  )
  np.testing.assert_array_equal(
    pixel.conditionals(first, levels[:, :1] / 255)[:, 0],
    pixel.conditionals(params, levels / 255)[:, 0],
  )
  one, three = (pixel.distribution(tf.constant(p)) for p in (first, params))
  given = three.means_given(levels / 255)
  np.testing.assert_array_equal(one.mean()[:, 0], given[:, 0])
  np.testing.assert_array_equal(one.mode()[:, 0], three.likeliest()[:, 0])
  uniforms = np.random.default_rng(0).random((20, 3))
  np.testing.assert_array_equal(
    quantile(first, uniforms[:, :1], num)[:, 0],
    quantile(params, uniforms, num)[:, 0],
  )


def test_mean_of_each_channel_given_those_before_is_exact():
  params, levels = random(50, 40), random_levels(50, 3)
  pixel = LogisticMixturePixel(4).distribution(tf.constant(params))
  means = [t @ np.arange(256.0) for t in tables(params, levels, 3, 4)]
  found = pixel.means_given(levels / 255)
  np.testing.assert_allclose(found * 255, np.stack(means, -1))


def test_dependent_channels_offer_no_mean_and_no_mode():
  """Sums over all levels of the channels before; greedy ones are off by 0.1."""
  pixel = LogisticMixturePixel(4).distribution(tf.constant(random(2, 40)))
  for statistic in ('mean', 'mode'):
    with pytest.raises(NotImplementedError, match=f'`{statistic}` of 3 depend'):
      getattr(pixel, statistic)()


@pytest.mark.parametrize(
  'dtype',
  [
    'float32',
    pytest.param('float64', marks=pytest.mark.exhaustive('both precisions')),
  ],
)
def test_the_likeliest_is_that_of_each_channel_given_those_before(dtype):
  params = random(60, 50)
  params[:, 20:35] -= 3
  params_ = tf.constant(params, dtype)
  mode = LogisticMixturePixel(5).distribution(params_).likeliest()
  levels = np.rint(mode * 255).astype(int)
  np.testing.assert_array_equal(mode, VALUES[levels])
  for c, table in enumerate(tables(params, levels, 3, 5)):
    likeliest = table[np.arange(60), levels[:, c]]
    np.testing.assert_allclose(likeliest, table.max(-1), rtol=1e-5)
  assert len(np.unique(levels)) > 50


@pytest.mark.parametrize('x', [0.5, -1 / 255, 256 / 255, 1e-3, np.nan, np.inf])
def test_nothing_is_between_and_beyond_the_levels(x):
  dist = LogisticMixturePixel(2).distribution(tf.zeros([20]))
  for c in range(3):
    pixel = np.where(np.arange(3) == c, np.float32(x), VALUES[[3, 0, 255]])
    assert dist.log_prob(pixel) == -np.inf
  # Computed otherwise, values may be off by a rounding.
  near = np.arange(256, dtype='float32') * np.float32(1 / 255)
  assert (near != VALUES).any()
  near, exact = (np.stack([v, v, v], -1) for v in (near, VALUES))
  np.testing.assert_array_equal(dist.log_prob(near), dist.log_prob(exact))


def test_gradients_are_finite_at_a_value_that_is_no_level():
  found = gradient(random(3, 20), np.array([[3, 3.5, np.nan]]), 2, 'float32')
  assert np.isfinite(found).all()


def test_bad_arguments_are_errors():
  message = '`components` must be at least 1, got 0'
  with pytest.raises(ValueError, match=message):
    LogisticMixturePixel(0)
  for channels in (0, 2, 4):
    message = f'`channels` must be 1 or 3 for .*, got {channels}'
    with pytest.raises(ValueError, match=message):
      LogisticMixturePixel().num_params(channels)
  message = '`params` must have 6 or 20 channels for 2 components, got 10'
  with pytest.raises(ValueError, match=message):
    LogisticMixturePixel(2).distribution(tf.zeros([5, 10]))


@pytest.mark.usefixtures('eagerly')
def test_colour_image_is_drawn_incrementally_as_naively():
  pixel_distribution = LogisticMixturePixel()
  network = toys.MAKERS['window_1x1'](pixel_distribution.num_params(3))
  dist = autoregressive_image.AutoregressiveImage(
    toys.build_network(network, 3),
    toys.features(3, 4, 3, seed=7),
    3,
    pixel_distribution,
    unroll=network.unroll,
  )
  uniforms = toys.uniforms(3, 4, 3, 3, seed=8)
  fast = dist.sample_from_uniforms(uniforms)
  slow = dist.sample_from_uniforms(uniforms, method='naive')
  np.testing.assert_array_equal(fast, slow)
  drawn = pixel_distribution.quantile(dist.params(fast), uniforms)
  np.testing.assert_array_equal(fast, drawn)
  assert len(np.unique(fast)) > 10
