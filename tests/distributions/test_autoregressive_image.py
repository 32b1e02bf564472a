"""The distribution of images against enumeration."""

import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf
import toys

from vlae_tf.distributions import autoregressive_image, pixel_distributions

eagerly = pytest.mark.usefixtures('eagerly')


def make_distribution(name, *shape, channels=1, incremental=True, maps=2):
  """Images of batch shape `shape[:-2]` and size `shape[-2:]`."""
  network = toys.make_network(name, channels, maps=maps)
  return autoregressive_image.AutoregressiveImage(
    network,
    toys.features(*shape, seed=7, maps=maps),
    channels,
    pixel_distributions.BernoulliPixel(),
    unroll=network.unroll if incremental else None,
  )


def all_images(height, width, channels=1):
  """Every binary image, `[2 ** (height width channels), ...]`."""
  size = height * width * channels
  bits = list(itertools.product([0.0, 1.0], repeat=size))
  return np.array(bits, 'float32').reshape([-1, height, width, channels])


def test_probabilities_sum_to_one_with_channels():
  dist = make_distribution('gated', 2, 2, channels=2)
  total = tf.reduce_sum(tf.exp(dist.log_prob(all_images(2, 2, 2))))
  np.testing.assert_allclose(total, 1.0, rtol=1e-5)


@eagerly
def test_without_features_it_is_a_distribution_too():
  batch = make_distribution('gated', 2, 3, 3, maps=0)
  x = batch.sample(2, seed=(0, 1))
  assert x.shape == [2, 2, 3, 3, 1]
  np.testing.assert_array_equal(x, batch.sample(2, seed=(0, 1), method='naive'))


@dataclasses.dataclass(frozen=True)
class ProductOfUniforms:
  """A binary pixel from two uniforms: one if their product is small."""

  def num_uniforms(self, channels):
    return 2 * channels

  def quantile(self, params, uniforms):
    product = tf.reduce_prod(uniforms, -1, keepdims=True)
    return tf.cast(product < tf.sigmoid(params), params.dtype)


@eagerly
@pytest.mark.parametrize('method', ['incremental', 'naive'])
def test_the_pixel_distribution_says_how_many_uniforms_it_takes(method):
  network = toys.make_network('pixelcnn')
  dist = autoregressive_image.AutoregressiveImage(
    network, toys.features(2, 3, 4), 1, ProductOfUniforms()
  )
  assert dist.sample(3, seed=(0, 1), method=method).shape == [3, 2, 3, 4, 1]
  uniforms = toys.uniforms(2, 3, 4, 2)
  x = dist.sample_from_uniforms(uniforms, method)
  expected = ProductOfUniforms().quantile(dist.params(x), uniforms)
  np.testing.assert_array_equal(x, expected)
  with pytest.raises(ValueError, match=r'`uniforms` must have shape .* 4, 2\]'):
    dist.sample_from_uniforms(uniforms[..., :1])


@pytest.mark.parametrize(
  'way',
  [
    'eagerly',
    pytest.param('compiled', marks=pytest.mark.exhaustive('compiled by XLA')),
  ],
)
def test_incremental_samples_equal_naive_ones(way, request):
  if way == 'eagerly':
    request.getfixturevalue('eagerly')
  dist = make_distribution('gated', 2, 3, 3, 4)
  uniforms = toys.uniforms(4, 2, 3, 3, 4, 1, seed=8)
  fast = dist.sample_from_uniforms(uniforms)
  assert fast.shape == uniforms.shape
  slow = dist.sample_from_uniforms(uniforms, method='naive')
  np.testing.assert_array_equal(fast, slow)
  without = make_distribution('gated', 2, 3, 3, 4, incremental=False)
  np.testing.assert_array_equal(without.sample_from_uniforms(uniforms), slow)


@eagerly
def test_each_method_runs_what_it_is_named_after():
  calls = []

  def counted(way, run):
    return lambda *args: calls.append(way) or run(*args)

  network, features = toys.make_network('gated'), toys.features(2, 3, 4)
  dist = autoregressive_image.AutoregressiveImage(
    counted('naive', network),
    features,
    1,
    pixel_distributions.BernoulliPixel(),
    unroll=counted('incremental', network.unroll),
  )
  for method in ('incremental', 'naive'):
    dist.sample(seed=(0, 1), method=method)
    assert set(calls) == {method}
    calls.clear()


@eagerly
def test_the_likeliest_image_is_greedy():
  dist = make_distribution('pixelcnn', 2, 3, 4)
  expected = np.zeros([2, 3, 4, 1], 'float32')
  for row, column in np.ndindex(3, 4):
    logits = dist.params(expected)[:, row, column]
    expected[:, row, column] = logits > 0
  assert 0 < expected.mean() < 1
  np.testing.assert_array_equal(dist.likeliest(), expected)


def test_pixels_are_in_raster_order_unless_another_is_given():
  dist = make_distribution('gated', 2, 3, 4)
  np.testing.assert_array_equal(dist.order, np.arange(12))
  order = np.arange(12)[::-1]
  other = dist.copy(order=order)
  np.testing.assert_array_equal(other.order, order)


def test_a_batch_may_be_unknown_while_it_is_traced():
  network = toys.make_network('gated')

  @tf.function(input_signature=[tf.TensorSpec([None, 3, 4, 2])])
  def log_prob(features):
    dist = autoregressive_image.AutoregressiveImage(
      network, features, 1, pixel_distributions.BernoulliPixel()
    )
    return dist.log_prob(x)

  x = toys.binary_images(5, (1, 3, 4, 1))  # Of five images for each feature.
  dist = make_distribution('gated', 2, 3, 4)
  features = toys.features(2, 3, 4, seed=7, maps=2)
  np.testing.assert_allclose(log_prob(features), dist.log_prob(x), rtol=1e-5)


@eagerly
def test_shapes_are_those_of_the_features():
  dist = make_distribution('pixelcnn', 2, 3, 5, 6)
  assert dist.batch_shape == [2, 3]
  assert dist.event_shape == [5, 6, 1]
  x = dist.sample([2, 2], seed=(0, 1))
  assert x.shape == [2, 2, 2, 3, 5, 6, 1]
  assert dist.log_prob(x).shape == [2, 2, 2, 3]
  assert dist.params(x).shape == [2, 2, 2, 3, 5, 6, 1]
  assert dist.conditionals(x).batch_shape == [2, 2, 2, 3, 5, 6]
  assert dist.log_prob(x[0, 0, 0, 0]).shape == [2, 3]


@eagerly
def test_seeds_reproduce():
  dist = make_distribution('pixelcnn', 3, 5, 6)
  first, again = (dist.sample(4, seed=(1, 2)) for _ in range(2))
  np.testing.assert_array_equal(first, again)
  naive = dist.sample(4, seed=(1, 2), method='naive')
  np.testing.assert_array_equal(first, naive)
  assert (dist.sample(4, seed=(1, 3)) != first).numpy().any()


def frequencies(images):
  """Relative frequency of every binary image among images."""
  bits = tf.reshape(images, [images.shape[0], -1]).numpy().astype(int)
  codes = bits @ (1 << np.arange(bits.shape[1])[::-1])
  return np.bincount(codes, minlength=2 ** bits.shape[1]) / len(codes)


def check_frequencies(images, probabilities):
  """Checks frequencies within five standard errors each."""
  error = np.sqrt(probabilities * (1 - probabilities) / len(images))
  difference = np.abs(frequencies(images) - probabilities)
  assert (difference <= 5 * error + 1e-9).all()


@eagerly
def test_frequencies_of_samples_are_the_probabilities():
  dist = make_distribution('gated', 2, 3)
  probabilities = np.exp(dist.log_prob(all_images(2, 3)))
  assert probabilities.max() < 0.9
  check_frequencies(dist.sample(20000, seed=(3, 4)), probabilities)


@eagerly
def test_completion_has_the_conditional_distribution():
  dist = make_distribution('gated', 2, 3)
  images = all_images(2, 3)
  given_mask = np.array([[True, True, True], [True, False, False]])
  given = np.array([[1, 0, 1], [0, 1, 1]], 'float32')[..., None]
  fits = ((images == given).all(-1) | ~given_mask).all((1, 2))
  probabilities = np.where(fits, np.exp(dist.log_prob(images)), 0.0)
  drawn = dist.complete(given, given_mask, 20000, seed=5)
  check_frequencies(drawn, probabilities / probabilities.sum())


@eagerly
@pytest.mark.parametrize('method', ['incremental', 'naive'])
def test_completion_keeps_what_is_given(method):
  dist = make_distribution('pixelcnn', 3, 5, 6)
  given = tf.round(toys.uniforms(3, 5, 6, 1))
  mask = toys.uniforms(5, 6, seed=9) < 0.5
  uniforms = toys.uniforms(2, 3, 5, 6, 1, seed=10)
  x = dist.sample_from_uniforms(uniforms, method, given, mask)
  mask = mask.numpy()
  np.testing.assert_array_equal(
    x.numpy()[:, :, mask], np.tile(given.numpy()[:, mask], [2, 1, 1, 1])
  )
  # The rest obeys the conditionals, in the context of the pixels given.
  drawn = tf.cast(uniforms < tf.sigmoid(dist.params(x)), tf.float32)
  np.testing.assert_array_equal(
    x.numpy()[:, :, ~mask], drawn.numpy()[:, :, ~mask]
  )


@eagerly
def test_bad_arguments_are_errors():
  dist = make_distribution('pixelcnn', 2, 5, 6)
  image, mask = tf.zeros([2, 5, 6, 1]), np.ones([5, 6], bool)
  with pytest.raises(ValueError, match=r'`value` must have shape .*5, 6, 1'):
    dist.log_prob(tf.zeros([2, 6, 6, 1]))
  with pytest.raises(ValueError, match='`uniforms` must have shape'):
    dist.sample_from_uniforms(tf.zeros([2, 5, 5, 1]))
  with pytest.raises(ValueError, match="`method` must be 'incremental' or"):
    dist.sample(seed=(0, 1), method='fast')
  with pytest.raises(ValueError, match='`given` must have shape'):
    dist.complete(tf.zeros([5, 7, 1]), mask, seed=1)
  for bad in (mask[:4], mask.astype('float32')):
    with pytest.raises(ValueError, match='`given_mask` must be boolean'):
      dist.complete(image, bad, seed=1)
