"""Pixel by pixel a network computes what it computes at once."""

import numpy as np
import pytest
import toys

from conformance import cases

_CHANNELS = 2


def check_fixed_point(case, size):
  """Checks that what is drawn follows from its own parameters.

  There is one image for which `image = draw(uniforms, network(image))`.
  """
  network = cases.shared_network(case, _CHANNELS)
  features = cases.features(case, *size, seed=5)
  law = cases.image_law(case, network, features, _CHANNELS)
  pixel = cases.pixel_law(case)
  uniforms = toys.uniforms(*size, pixel.num_uniforms(_CHANNELS), seed=6)
  image = law.sample_from_uniforms(uniforms)
  assert image.shape == (*size, _CHANNELS)
  assert len(np.unique(image)) > 1
  expected = pixel.quantile(law.params(image), uniforms)
  np.testing.assert_array_equal(image, expected)


@cases.each_network
def test_images_are_drawn_from_the_parameters_they_lead_to(case):
  check_fixed_point(case, (2, 3, 4))


@cases.each(cases.of_each('decoder'))
@pytest.mark.parametrize('size', [(1, 1, 6), (1, 6, 1)])
def test_images_of_one_row_or_column_are_as_well(case, size):
  check_fixed_point(case, size)
