"""A pixel's parameters depend on pixels before it alone, whatever the weights.

At initialisation, after a step of an optimiser, for averages of weights and
for weights that no training gives.
"""

import numpy as np
import tensorflow as tf
import toys

from conformance import cases

_SIZE = (3, 4)
_CHANNELS = 3


def influence(network, maps):
  """Whether pixel `i`'s parameters change with the pixels from the `k`th on.

  Args:
    network: Callable of images and features.
    maps: Number of maps of the features.

  Returns:
    A boolean array `[k, i]` of pixels in raster order.
  """
  num = np.prod(_SIZE)
  rng = np.random.default_rng(0)
  image, other = rng.normal(size=(2, num, _CHANNELS))
  later = np.arange(num)[None, :, None] >= np.arange(num + 1)[:, None, None]
  # Far off, so that the smallest weight on a later pixel would be seen. The
  # last image is the first one as it was.
  images = np.where(later, 100 * other, image).astype('float32')
  features = rng.normal(size=(1, *_SIZE, maps)).astype('float32')
  params = network(
    images.reshape(-1, *_SIZE, _CHANNELS), np.repeat(features, num + 1, 0)
  )
  params = params.numpy().reshape(num + 1, num, -1)
  same = np.isclose(params[:-1], params[-1:], rtol=1e-5, atol=1e-5)
  return ~same.all(-1)


def check_causal(network):
  """Checks a network, and that it is seen to depend on what it reads."""
  found = influence(network, network.feature_maps)
  assert not np.triu(found.T).any()
  assert found.any() == bool(list(network.schedule.edges()))


def take_step(network):
  """A step of gradient descent, as training would take it."""
  image = tf.random.stateless_uniform([2, *_SIZE, _CHANNELS], [0, 1])
  features = tf.random.stateless_normal(
    [2, *_SIZE, network.feature_maps], [0, 2]
  )
  with tf.GradientTape() as tape:
    loss = tf.reduce_mean((network(image, features) - 1.0) ** 2)
  gradients = tape.gradient(loss, network.trainable_variables)
  for gradient, weight in zip(gradients, network.trainable_variables):
    weight.assign_sub(0.1 * gradient)


@cases.each_network
def test_later_pixels_change_nothing(case):
  network = cases.fresh_network(case, _CHANNELS, toys.build_untrained)
  check_causal(network)
  before = [weight.numpy() for weight in network.variables]
  take_step(network)
  check_causal(network)
  for old, weight in zip(before, network.variables):
    average = 0.5 * (old + weight)
    weight.assign(-1.5 * average)
  check_causal(network)


@cases.each_network
def test_all_that_is_read_is_computed_before(case):
  schedule = cases.shared_network(case).schedule
  for node, source, offset in schedule.edges():
    lag = schedule.lag(node, source, offset)
    assert lag >= (1 if source is schedule.image else 0)


def test_a_network_that_sees_its_own_pixel_is_found():
  found = influence(lambda image, features: tf.convert_to_tensor(image), 0)
  assert np.triu(found.T).any()
