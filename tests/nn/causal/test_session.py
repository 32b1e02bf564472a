"""The engine with its pixels decided outside of it."""

import numpy as np
import pytest
import tensorflow as tf
import toys

from vlae_tf.nn.causal import graph
from vlae_tf.nn.pixel import pixel_cnn

_SIZE = (2, 4, 5)


def threshold(uniforms, params):
  return tf.cast(uniforms < tf.sigmoid(params), params.dtype)


def drive(network, features, decide, jit_compile=False):
  """The image of a session whose pixels are `decide(params, wavefront)`."""
  session = network.start(features, jit_compile)
  for _ in range(session.num_wavefronts):
    params, wavefront = session.params()
    session.set_pixels(decide(params, wavefront))
  return session.image()


def check_fixed_point(network, seed=5, jit_compile=False):
  """What a session draws is what the parallel network would draw."""
  features = toys.features(*_SIZE, seed=seed, maps=network.feature_maps)
  uniforms = toys.uniforms(*_SIZE, 1, seed=6)

  def decide(params, wavefront):
    # Whatever is put outside the image has no influence.
    inside = tf.repeat(wavefront.inside, _SIZE[0])[:, None]
    drawn = threshold(toys.at_wavefront(uniforms, wavefront), params)
    return tf.where(inside, drawn, np.nan)

  image = drive(network, features, decide, jit_compile)
  expected = threshold(uniforms, network(image, features))
  np.testing.assert_array_equal(image, expected)
  return image


def test_independent_pixels_are_one_front():
  network = toys.make_network('factorised')
  session = network.start(toys.features(*_SIZE), jit_compile=False)
  assert session.num_wavefronts == 1
  _, wavefront = session.params()
  np.testing.assert_array_equal(wavefront.pixel, np.arange(20))
  assert wavefront.inside.numpy().all()


def test_second_session_compiles_nothing_and_follows_the_weights():
  traces = []

  class Counted(pixel_cnn.PixelCNN):
    def describe(self, image, features):
      params = super().describe(image, features)
      return graph.PixelFunction(count, params.channels, params)

  def count(x, axis):
    traces.append(axis)
    return x

  network = toys.build_network(Counted(1, 3, 2))
  first = check_fixed_point(network, jit_compile=True)
  # Features and weights differ between sessions: none may have been kept.
  second = check_fixed_point(network, seed=7, jit_compile=True)
  assert (first != second).numpy().any()
  for variable in network.variables:
    variable.assign(-1.5 * variable)
  third = check_fixed_point(network, jit_compile=True)
  assert (first != third).numpy().any()
  # Pixel by pixel the channels are the first axis.
  assert traces.count(0) == 1


def test_sessions_of_one_shape_do_not_disturb_each_other():
  network = toys.make_network('pixelcnn')
  ones, zeros = (
    network.start(toys.features(*_SIZE), jit_compile=False) for _ in range(2)
  )
  for _ in range(ones.num_wavefronts):
    for session, value in [(ones, 1.0), (zeros, 0.0)]:
      params, _ = session.params()
      session.set_pixels(tf.fill(params.shape, value))
  assert (ones.image().numpy() == 1).all()
  assert (zeros.image().numpy() == 0).all()


def cost(image, params, total, wavefront):
  """Adds up what given pixels cost, in 2**-16 bits, integers all."""
  p = tf.sigmoid(tf.where(image > 0, params, -params))
  frequency = tf.clip_by_value(tf.round(p * 2.0**16), 1, 2.0**16 - 1)
  bits = 16 - tf.math.log(frequency) / np.log(2)
  units = tf.reshape(tf.round(bits * 2.0**16), [-1, total.shape[0]])
  units = tf.where(wavefront.inside[:, None], units, 0.0)
  return image, total + tf.reduce_sum(tf.cast(units, tf.int32), 0)


_OTHERS = pytest.mark.exhaustive('other networks')


@pytest.mark.parametrize(
  'name',
  [
    'pixelcnn',
    *(pytest.param(n, marks=_OTHERS) for n in ('gated', 'factorised')),
  ],
)
def test_a_coder_in_the_loop_needs_as_many_bits_as_the_distribution_says(name):
  network = toys.make_network(name)
  features = toys.features(*_SIZE)
  image = tf.round(toys.uniforms(*_SIZE, 1))
  copy, total = network.unroll(
    features, image, cost, tf.zeros([2], tf.int32), jit_compile=False
  )
  np.testing.assert_array_equal(copy, image)
  logits = network(image, features)
  nats = tf.nn.sigmoid_cross_entropy_with_logits(image, logits)
  # No pixel costs more than the least frequency.
  bits = tf.reduce_sum(tf.minimum(nats / np.log(2), 16.0), [1, 2, 3])
  np.testing.assert_allclose(total / 2**16, bits, rtol=1e-3)


def residues(image, params, known, wavefront):
  """Notes of each pixel whether it is what the network holds for likelier."""
  other = tf.cast((image > 0) != (params > 0), tf.int32)
  other = tf.reshape(other, [-1, known.shape[1]])
  # Pixels that are outside share one place.
  places = wavefront.pixel[:, None]
  return image, tf.tensor_scatter_nd_update(known, places, other)


@pytest.mark.parametrize(
  'name',
  [
    'downsampled',
    *(pytest.param(n, marks=_OTHERS) for n in ('pixelcnn', 'gated_wide')),
  ],
)
def test_what_is_coded_in_the_loop_is_decoded_outside(name):
  network = toys.make_network(name, maps=0)
  features = toys.features(*_SIZE, maps=0)
  image = tf.round(toys.uniforms(*_SIZE, 1))
  code = tf.fill([4 * 5 + 1, 2], -1)
  _, code = network.unroll(features, image, residues, code, jit_compile=False)
  assert set(np.unique(code[:-1])) == {0, 1}

  def decode(params, wavefront):
    other = tf.gather(code, wavefront.pixel).numpy().reshape([-1, 1])
    return (params.numpy() > 0) != (other == 1)

  np.testing.assert_array_equal(drive(network, features, decode), image)


def test_turns_and_shapes_are_checked():
  network = toys.make_network('window_1x1')
  with pytest.raises(ValueError, match='`features` must have 2 channels'):
    network.start(tf.zeros([1, 2, 2, 3]))
  session = network.start(tf.zeros([1, 2, 2, 2]), jit_compile=False)
  with pytest.raises(ValueError, match='`set_pixels` must follow `params`'):
    session.set_pixels(tf.zeros([1, 1]))
  for _ in range(session.num_wavefronts):
    with pytest.raises(
      ValueError, match=r'`image` must follow all \d wavefronts'
    ):
      session.image()
    params, wavefront = session.params()
    assert session.params()[0] is params
    with pytest.raises(ValueError, match=r'`pixels` must have shape \(\d, 1\)'):
      session.set_pixels(tf.zeros([len(wavefront.pixel), 2]))
    session.set_pixels(tf.zeros(params.shape))
    with pytest.raises(ValueError, match='`set_pixels` must follow `params`'):
      session.set_pixels(tf.zeros(params.shape))
  with pytest.raises(ValueError, match='`params` must not follow the last'):
    session.params()
  assert session.image().shape == (1, 2, 2, 1)
