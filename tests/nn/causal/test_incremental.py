"""The incremental engine gives what the parallel network gives."""

import re

import numpy as np
import pytest
import tensorflow as tf
import toys

from vlae_tf.distributions import autoregressive_image
from vlae_tf.nn.causal import graph, schedule
from vlae_tf.nn.pixel import pixel_cnn


def threshold(uniforms, params, state=(), wavefront=None):
  del wavefront
  return tf.cast(uniforms < tf.sigmoid(params), params.dtype), state


def check_fixed_point(network, size, channels=1, jit_compile=True):
  """`image = update(noise, network(image))` has one solution: the samples."""
  features = toys.features(*size, seed=5, maps=network.feature_maps)
  uniforms = toys.uniforms(*size, channels, seed=6)
  image, _ = network.unroll(
    features, uniforms, threshold, jit_compile=jit_compile
  )
  expected, _ = threshold(uniforms, network(image, features))
  np.testing.assert_array_equal(image, expected)
  return image


@pytest.mark.exhaustive('the size of the paper; small ones are in both tiers')
def test_equals_the_parallel_network_at_the_papers_size():
  network = pixel_cnn.PixelCNN(1)
  image = check_fixed_point(toys.build_network(network), (2, 28, 28))
  assert 0 < image.numpy().mean() < 1


def test_follows_the_weights():
  network = toys.build_network(pixel_cnn.PixelCNN(1, 3, 2))
  first = check_fixed_point(network, (2, 5, 6))
  for variable in network.variables:
    variable.assign(-1.5 * variable)
  second = check_fixed_point(network, (2, 5, 6))
  assert (first != second).numpy().any()


def test_batch_size_may_be_unknown():
  network = toys.build_network(pixel_cnn.PixelCNN(1, 3, 2))

  @tf.function(
    input_signature=[
      tf.TensorSpec([None, 2, 3, toys.FEATURE_MAPS]),
      tf.TensorSpec([None, 2, 3, 1]),
    ]
  )
  def unroll(features, uniforms):
    return network.unroll(features, uniforms, threshold)[0]

  features = toys.features(3, 2, 3)
  uniforms = toys.uniforms(3, 2, 3, 1)
  expected, _ = network.unroll(features, uniforms, threshold)
  np.testing.assert_array_equal(unroll(features, uniforms), expected)


def record(places, params, state, wavefront):
  """Notes how often and when each pixel comes by, and what is wrong then."""
  visits, times, now, mistakes = state
  rows, batch = len(wavefront.pixel), len(places) // len(wavefront.pixel)
  inside, pixel = wavefront.inside, wavefront.pixel[:, None]
  # Rows outside have a place of their own, behind the image's.
  visits = tf.tensor_scatter_nd_add(visits, pixel, tf.cast(inside, tf.int32))
  times = tf.tensor_scatter_nd_update(times, pixel, tf.fill([rows], now))
  expected = [
    tf.repeat(wavefront.pixel, batch),
    tf.tile(tf.range(batch), [rows]),
  ]
  wrong = (places != tf.stack(expected, -1)) & tf.repeat(inside, batch)[:, None]
  mistakes += tf.math.count_nonzero(wrong, dtype=tf.int32)
  mistakes += tf.math.count_nonzero(
    inside != (wavefront.pixel < len(visits) - 1), dtype=tf.int32
  )
  state = visits, times, now + 1, mistakes
  return tf.zeros_like(params), state


@pytest.mark.parametrize(
  'name, how',
  [
    ('pixelcnn', 'incremental'),
    ('gated_wide', 'incremental'),
    ('factorised', 'incremental'),
    ('gated', 'naive'),
  ],
)
def test_each_pixel_comes_by_once_and_after_what_it_sees(name, how):
  network, (height, width) = toys.make_network(name), (4, 5)
  pixels = height * width
  index = np.arange(pixels, dtype='int32').reshape(1, height, width, 1)
  index = np.tile(index, [2, 1, 1, 1])
  batch = np.zeros_like(index) + np.arange(2)[:, None, None, None]
  places = tf.concat([index, batch], -1)
  zeros = tf.zeros([pixels + 1], tf.int32)
  state = zeros, zeros, tf.constant(0), tf.constant(0)
  args = toys.features(2, height, width), places, record, state
  if how == 'naive':
    _, state = autoregressive_image.unroll_naively(network, 1, *args)
  else:
    _, state = network.unroll(*args, jit_compile=False)
  visits, times, _, mistakes = (x.numpy() for x in state)
  assert mistakes == 0
  np.testing.assert_array_equal(visits, [1] * pixels + [0])
  seen = toys.seen_pairs(network, (height, width))
  seen = seen.reshape(pixels, pixels)
  assert (times[None, :-1] < times[:-1, None])[seen].all()


@pytest.mark.parametrize('depth', [2, 3, 6])
def test_masked_stack_needs_two_columns_a_row(depth):
  network = toys.build_network(pixel_cnn.PixelCNN(1, 2, depth))
  assert network.schedule.wavefronts(28, 28).columns == 28 + 2 * 27 == 82


@pytest.mark.parametrize('depth', [1, 3, 8])
def test_gated_stack_needs_a_column_a_layer(depth):
  network = toys.build_network(pixel_cnn.GatedPixelCNN(1, 2, depth))
  assert network.schedule.wavefronts(28, 28).columns == 28 + 27 * (depth + 1)


@pytest.mark.parametrize(
  'slope, height, width', [(1, 3, 4), (2, 1, 5), (7, 4, 3)]
)
def test_shear_has_a_place_for_every_pixel(slope, height, width):
  shear = schedule.Shear(slope, height, width)
  pixels = shear.pixel.reshape(-1)[shear.place]
  np.testing.assert_array_equal(pixels, np.arange(height * width))
  assert shear.inside.sum() == height * width


def test_network_that_sees_its_own_pixel_is_an_error():
  image = graph.Image(1)
  with pytest.raises(ValueError, match='`output` must depend on earlier'):
    schedule.Schedule(image, graph.elu(image))


def numbers_in_all_tensors(network, batch):
  """Numbers in all arrays of the program that XLA is given."""
  features = toys.features(batch, 5, 6, seed=5)
  uniforms = toys.uniforms(batch, 5, 6, 1, seed=6)

  @tf.function(jit_compile=True)
  def unroll(features, uniforms):
    return network.unroll(features, uniforms, threshold, jit_compile=False)[0]

  program = unroll.experimental_get_compiler_ir(features, uniforms)('hlo')
  shapes = re.findall(r'= f32\[([\d,]*)\]', program)
  return sum(int(np.prod([int(n) for n in s.split(',') if n])) for s in shapes)


@pytest.mark.exhaustive('compiles three sizes')
@pytest.mark.parametrize('name', ['pixelcnn', 'gated'])
def test_memory_grows_linearly_in_the_batch(name):
  network = toys.make_network(name)
  two, four, eight = (numbers_in_all_tensors(network, b) for b in (2, 4, 8))
  assert eight - four == 2 * (four - two) > 0
