"""Pixel distributions against NumPy, alone and within images."""

import itertools
import types

import numpy as np
import pytest
import scipy.special
import tensorflow as tf
import toys

from vlae_tf import data
from vlae_tf.distributions import autoregressive_image, pixel_distributions

CATEGORICAL = pixel_distributions.CategoricalPixel()
VALUES = (np.arange(256) / 255).astype('float32')
BELOW_ONE = np.nextafter(np.float32(1), np.float32(0))

each_name = pytest.mark.parametrize(
  'name', pixel_distributions.PIXEL_DISTRIBUTIONS
)


def random(*shape, scale=3.0, seed=0):
  """Normal numbers in double precision."""
  return scale * np.random.default_rng(seed).standard_normal(shape)


@each_name
def test_each_keeps_the_protocol(name):
  pixel, other = (
    pixel_distributions.PIXEL_DISTRIBUTIONS[name]() for _ in range(2)
  )
  assert isinstance(pixel, pixel_distributions.PixelDistribution)
  assert pixel == other and hash(pixel) == hash(other)
  assert pixel.kinds and set(pixel.kinds) <= set(data.PIXEL_KINDS)
  assert pixel_distributions.PIXEL_DISTRIBUTIONS.description(name)


@each_name
@pytest.mark.parametrize('channels', [1, 3])
def test_shapes_are_those_of_the_protocol(name, channels):
  pixel = pixel_distributions.PIXEL_DISTRIBUTIONS[name]()
  params = tf.constant(random(2, 4, pixel.num_params(channels)), tf.float32)
  uniforms = toys.uniforms(2, 4, pixel.num_uniforms(channels))
  pixels = pixel.quantile(params, uniforms)
  assert pixels.shape == [2, 4, channels]
  assert pixels.dtype == tf.float32
  distribution = pixel.distribution(params)
  assert distribution.event_shape == [channels]
  assert distribution.log_prob(pixels).shape == [2, 4]
  assert np.isfinite(distribution.log_prob(pixels)).all()


@each_name
def test_kinds_that_a_distribution_accepts_are_checked(name):
  pixel = pixel_distributions.PIXEL_DISTRIBUTIONS[name]()
  for kind in data.PIXEL_KINDS:
    if kind in pixel.kinds:
      pixel_distributions.check_kind(pixel, kind)
    else:
      message = (
        f'`pixel_distribution` must accept images of kind {kind!r}, as .* got '
      )
      with pytest.raises(ValueError, match=message) as info:
        pixel_distributions.check_kind(pixel, kind)
      assert all(repr(accepted) in str(info.value) for accepted in pixel.kinds)


# Three levels, two and 256 of a pixel, and values that none of them is.
_PIXELS = {
  'bernoulli': (pixel_distributions.BernoulliPixel(), 2),
  'three': (pixel_distributions.CategoricalPixel(3), 3),
  'categorical': (CATEGORICAL, 256),
}


@pytest.mark.parametrize('name', _PIXELS)
def test_the_support_is_where_there_is_probability(name):
  pixel, levels = _PIXELS[name]
  inside = np.float32(np.arange(levels) / (levels - 1))
  step = 1 / (levels - 1)
  outside = [*(inside[1:] - step / 2), -step, 1 + step, 2, np.nan, np.inf]
  x = np.float32([*inside, *outside])
  expected = np.arange(len(x)) < levels
  found = pixel_distributions.in_support(pixel, x)
  np.testing.assert_array_equal(found, expected)
  params = tf.zeros([pixel.num_params(1)])
  log_prob = pixel.distribution(params).log_prob(x[:, None])
  np.testing.assert_array_equal(log_prob > -np.inf, expected)
  np.testing.assert_allclose(log_prob[:levels], -np.log(levels), rtol=1e-5)


@pytest.mark.parametrize('name', _PIXELS)
def test_an_image_outside_the_support_is_refused_with_its_value(name):
  pixel, levels = _PIXELS[name]
  likelihood = types.SimpleNamespace(pixel_distribution=pixel)
  inside = np.float32(np.arange(levels) / (levels - 1)).reshape(1, -1, 1, 1)
  check = pixel_distributions.check_support
  check('x', likelihood, inside)
  allowed = '0 or 1' if name == 'bernoulli' else '`k / 255`'
  with pytest.raises(ValueError, match=f'`x` .*{allowed}.* got 1.0019, which'):
    check('x', likelihood, np.where(inside == 1, np.float32(1.0019), inside))
  grey = np.full([1, 2, 2, 1], 0.3333, 'float32')
  check('x', types.SimpleNamespace(), grey)  # A custom likelihood may take it.
  with pytest.raises(ValueError, match=r'got 0\.3333'):
    check('x', likelihood, tf.constant(grey))
  traced = tf.function(lambda x: check('x', likelihood, x))
  assert traced(grey) is None  # There are no values yet.


def test_a_distribution_that_would_do_is_named():
  message = 'as categorical and logistic_mixture would, got Bernoulli'
  with pytest.raises(ValueError, match=message):
    pixel_distributions.check_kind(
      pixel_distributions.BernoulliPixel(), 'levels'
    )


def test_distributions_that_compute_otherwise_differ():
  assert CATEGORICAL != pixel_distributions.CategoricalPixel(levels=4)
  assert CATEGORICAL != pixel_distributions.BernoulliPixel()


def test_bernoulli_draws_one_as_often_as_the_mean():
  logits = random(5)
  uniforms = np.tile((np.arange(1000)[:, None] + 0.5) / 1000, [1, 5])
  drawn = pixel_distributions.BernoulliPixel().quantile(
    tf.constant(logits), tf.constant(uniforms)
  )
  mean = np.mean(drawn, axis=0)
  np.testing.assert_allclose(mean, scipy.special.expit(logits), atol=1e-3)


def test_categorical_sums_to_one_in_double_precision():
  params = tf.constant(random(7, 256))
  dist = CATEGORICAL.distribution(params)
  probabilities = np.exp(dist.log_prob(VALUES.astype('float64')[:, None, None]))
  assert probabilities.shape == (256, 7)
  np.testing.assert_allclose(probabilities.sum(0), 1.0, rtol=1e-13)


def test_categorical_log_prob_is_the_softmax_of_each_channel():
  params = random(5, 3 * 256)
  levels = np.random.default_rng(1).integers(0, 256, (5, 3))
  log_probs = scipy.special.log_softmax(params.reshape(5, 3, 256), -1)
  expected = np.take_along_axis(log_probs, levels[..., None], -1)[..., 0].sum(1)
  dist = CATEGORICAL.distribution(tf.constant(params, tf.float32))
  np.testing.assert_allclose(dist.log_prob(VALUES[levels]), expected, rtol=1e-5)
  # Computed otherwise, the values may be off by a rounding.
  near = levels.astype('float32') * np.float32(1 / 255)
  assert (near != VALUES[levels]).any()
  np.testing.assert_array_equal(
    dist.log_prob(near), dist.log_prob(VALUES[levels])
  )


@pytest.mark.parametrize('x', [0.5, -1 / 255, 256 / 255, 1.001, 1e-3, np.nan])
def test_categorical_gives_nothing_between_and_beyond_the_levels(x):
  dist = CATEGORICAL.distribution(tf.zeros([512]))
  assert dist.log_prob(tf.constant([x, 1.0], tf.float32)) == -np.inf


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_categorical_reaches_each_level_at_the_value_of_the_pipeline(dtype):
  uniforms = (np.arange(256, dtype=dtype) + 0.5) / 256
  uniforms = np.stack([uniforms, uniforms[::-1]], -1)
  drawn = CATEGORICAL.quantile(tf.zeros([256, 512], dtype), uniforms).numpy()
  expected = data.bernoulli_means(np.arange(256, dtype=np.uint8)).numpy()
  assert drawn.dtype == dtype
  np.testing.assert_array_equal(drawn[:, 0], expected)
  np.testing.assert_array_equal(drawn[:, 1], expected[::-1])


def test_categorical_level_begins_where_the_one_before_ends():
  uniforms = (np.arange(256, dtype='float32') / 256)[:, None]
  drawn = CATEGORICAL.quantile(tf.zeros([256, 256]), uniforms)
  np.testing.assert_array_equal(drawn[:, 0], VALUES)


def test_categorical_quantile_is_the_search_of_a_sum():
  logits, uniforms = random(400, 3, 256), random(400, 3, seed=2) % 1
  sums = np.cumsum(scipy.special.softmax(logits, -1), -1)
  expected = [
    np.searchsorted(s, u, side='right')
    for s, u in zip(sums.reshape(-1, 256), uniforms.reshape(-1))
  ]
  drawn = CATEGORICAL.quantile(
    tf.constant(logits.reshape(400, 768)), tf.constant(uniforms)
  )
  levels = np.rint(drawn.numpy().reshape(-1) * 255)
  np.testing.assert_array_equal(levels, expected)


def test_categorical_frequencies_on_a_grid_are_the_probabilities():
  logits, n = random(256, scale=1.0), 4096
  uniforms = ((np.arange(n) + 0.5) / n).astype('float32')[:, None]
  params = tf.constant(np.tile(logits, [n, 1]), tf.float32)
  drawn = np.rint(CATEGORICAL.quantile(params, uniforms).numpy()[:, 0] * 255)
  frequencies = np.bincount(drawn.astype(int), minlength=256) / n
  error = np.abs(frequencies - scipy.special.softmax(logits))
  assert error.max() <= 1 / n + 1e-6


@pytest.mark.parametrize('jit_compile', [False, True])
@pytest.mark.parametrize('first, last', [(0, 255), (3, 3), (100, 130)])
def test_categorical_draws_end_where_the_probability_ends(
  first, last, jit_compile
):
  """Of 300 distributions, whose sums are rounded in as many ways."""
  logits = np.full([300, 256], -np.inf, 'float32')
  logits[:, first : last + 1] = random(300, last + 1 - first)
  quantile = tf.function(CATEGORICAL.quantile, jit_compile=jit_compile)
  for uniform, level in ((0.0, first), (BELOW_ONE, last), (1.0, last)):
    uniforms = tf.fill([300, 1], np.float32(uniform))
    drawn = quantile(tf.constant(logits), uniforms).numpy()[:, 0]
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    # A last level with less than a rounding of the sum may be passed over.
    reachable = weights[:, level] > 1e-5 * weights.sum(-1)
    assert reachable.any()
    np.testing.assert_array_equal(drawn[reachable], VALUES[level])
    drawn_levels = np.rint(drawn * 255).astype(int)
    assert (np.take_along_axis(weights, drawn_levels[:, None], -1) > 0).all()


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_a_uniform_that_was_rounded_to_one_draws_a_possible_level(dtype):
  params = np.full(256, -1e4, dtype)
  params[[3, 100]] = 0.0
  drawn = CATEGORICAL.quantile(tf.constant(params), tf.ones([1], dtype))
  assert float(drawn[0]) == VALUES[100]


def test_categorical_gradient_is_indicator_less_softmax():
  params = random(4, 256)
  params[0, 7], params[1, 9] = 200.0, -200.0
  levels = np.array([9, 9, 0, 255])
  variable = tf.Variable(params, dtype=tf.float32)
  with tf.GradientTape() as tape:
    dist = CATEGORICAL.distribution(variable + 0.0)
    loss = tf.reduce_sum(dist.log_prob(VALUES[levels][:, None]))
  expected = np.eye(256)[levels] - scipy.special.softmax(params, -1)
  gradient = tape.gradient(loss, variable)
  np.testing.assert_allclose(gradient, expected, atol=1e-6)


def test_categorical_gradient_is_finite_at_a_value_that_is_no_level():
  variable = tf.Variable(tf.zeros([1, 256]))
  with tf.GradientTape() as tape:
    dist = CATEGORICAL.distribution(variable + 0.0)
    loss = tf.reduce_sum(dist.log_prob([[0.5]]))
  assert np.isfinite(tape.gradient(loss, variable)).all()


def test_bad_arguments_are_errors():
  with pytest.raises(ValueError, match='`levels` must be at least 2, got 1'):
    pixel_distributions.CategoricalPixel(levels=1)
  message = (
    r'`params` must have a multiple of 256 channels, got shape \(2, 300\)'
  )
  with pytest.raises(ValueError, match=message):
    CATEGORICAL.distribution(tf.zeros([2, 300]))
  with pytest.raises(
    ValueError, match=r'`pixel_distribution` must be one of bernoulli'
  ):
    pixel_distributions.PIXEL_DISTRIBUTIONS['categoric']


def image_distribution(pixel_distribution, *shape, channels):
  """Images of a small network, batch shape `shape[:-2]`."""
  make = toys.MAKERS['window_1x1']
  network = make(pixel_distribution.num_params(channels))
  return autoregressive_image.AutoregressiveImage(
    toys.build_network(network, channels),
    toys.features(*shape, seed=7),
    channels,
    pixel_distribution,
    unroll=network.unroll,
  )


def test_images_of_three_levels_sum_to_one():
  dist = image_distribution(
    pixel_distributions.CategoricalPixel(3), 2, 2, channels=1
  )
  images = list(itertools.product([0.0, 0.5, 1.0], repeat=4))
  images = np.array(images, 'float32').reshape(-1, 2, 2, 1)
  total = tf.reduce_sum(tf.exp(dist.log_prob(images)))
  np.testing.assert_allclose(total, 1.0, rtol=1e-5)


def test_image_of_levels_is_the_product_of_its_conditionals():
  dist = image_distribution(CATEGORICAL, 2, 3, 4, channels=2)
  levels = np.random.default_rng(3).integers(0, 256, (2, 3, 4, 2))
  params = dist.params(VALUES[levels]).numpy().astype('float64')
  expected = np.zeros(2)
  for b, i, j, c in itertools.product(*map(range, levels.shape)):
    logits = params[b, i, j, 256 * c : 256 * (c + 1)]
    expected[b] += scipy.special.log_softmax(logits)[levels[b, i, j, c]]
  np.testing.assert_allclose(dist.log_prob(VALUES[levels]), expected, rtol=1e-5)


def test_image_of_levels_is_drawn_incrementally_as_naively():
  dist = image_distribution(CATEGORICAL, 3, 4, 3, channels=2)
  uniforms = toys.uniforms(3, 4, 3, 2, seed=8)
  fast = dist.sample_from_uniforms(uniforms)
  slow = dist.sample_from_uniforms(uniforms, method='naive')
  np.testing.assert_array_equal(fast, slow)
  # A fixed point: what is drawn from the parameters that it leads to.
  drawn = CATEGORICAL.quantile(dist.params(fast), uniforms)
  np.testing.assert_array_equal(fast, drawn)
  assert len(np.unique(fast)) > 10
  assert np.isin(fast, VALUES).all()
