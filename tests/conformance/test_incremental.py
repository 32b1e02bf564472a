"""Pixel by pixel a network computes what it computes at once."""

import numpy as np
import pytest
import tensorflow as tf
import toys

from conformance import cases

_CHANNELS = 3
pytestmark = pytest.mark.usefixtures('all_eagerly')


def draw_in_session(network, features, uniforms, draw):
  """The image of a session, with pixels outside that no one may count on."""
  session = network.start(features, jit_compile=False)
  for _ in range(session.num_wavefronts):
    params, wavefront = session.params()
    inside = tf.repeat(wavefront.inside, len(features))[:, None]
    pixels = draw(params, toys.at_wavefront(uniforms, wavefront))
    session.set_pixels(tf.where(inside, pixels, np.nan))
  return session.image()


def check_fixed_point(case, size, how='unroll'):
  """Checks that what is drawn follows from its own parameters.

  There is one image for which `image = draw(uniforms, network(image))`.
  """
  network = cases.shared_network(case, _CHANNELS)
  features = cases.features(case, *size, seed=5)
  law = cases.image_law(case, network, features, _CHANNELS)
  pixel = cases.pixel_distribution(case)
  uniforms = toys.uniforms(*size, pixel.num_uniforms(_CHANNELS), seed=6)
  if how == 'session':
    image = draw_in_session(network, features, uniforms, pixel.quantile)
  else:
    image = law.sample_from_uniforms(uniforms)
  assert image.shape == (*size, _CHANNELS)
  assert len(np.unique(image)) > 1
  expected = pixel.quantile(law.params(image), uniforms)
  np.testing.assert_array_equal(image, expected)


@cases.each_network
def test_images_are_drawn_from_the_parameters_they_lead_to(case):
  check_fixed_point(case, (2, 3, 4))


@cases.each(cases.of_each('decoder'))
@pytest.mark.parametrize('size', [(1, 1, 4), (1, 4, 1)])
def test_images_of_one_row_or_column_are_as_well(case, size):
  check_fixed_point(case, size)


@cases.each(cases.of_each('decoder'))
def test_images_are_the_same_with_their_pixels_decided_outside(case):
  check_fixed_point(case, (2, 2, 3), 'session')
