"""Nats of pixels are those of the image, and lie where the law puts them."""

import numpy as np
import pytest
import tensorflow as tf
import toys

from vlae_tf.evaluation import drawing, pixel_nats
from vlae_tf.utils import random

_SHAPE = (6, 5, 1)


def _images(num):
  pixels = np.random.default_rng(0).integers(0, 2, (num, *_SHAPE))
  return pixels.astype('float32')


def _log_prob(model, images, seed, start):
  """log p(x|z) of the codes that are drawn for these images."""
  image = tf.convert_to_tensor(images)
  z = drawing.codes(model, image, random.stream_seed(seed, 'sample', start))
  return z, model.likelihood(z).log_prob(image).numpy()


def test_pixels_sum_to_the_distortion():
  model, images = toys.small_model(_SHAPE), _images(120)
  found = pixel_nats.nats(model, images, seed=3)
  assert found.shape == (120, 6, 5)
  for start, stop in ((0, 100), (100, 120)):
    _, log_prob = _log_prob(model, images[start:stop], 3, start)
    total = found[start:stop].sum((1, 2))
    np.testing.assert_allclose(total, -log_prob, rtol=1e-5)


def test_the_last_pixel_has_its_conditional():
  """Which is the joint law over its sum over that pixel."""
  model, images = toys.small_model(_SHAPE), _images(4)
  found = pixel_nats.nats(model, images)
  z, log_prob = _log_prob(model, images, 0, 0)
  flipped = images.copy()
  flipped[:, -1, -1] = 1 - flipped[:, -1, -1]
  other = model.likelihood(z).log_prob(flipped).numpy()
  expected = np.logaddexp(log_prob, other) - log_prob
  np.testing.assert_allclose(found[:, -1, -1], expected, rtol=1e-3)


def test_a_law_without_conditionals_has_none():
  toy = toys.LinearGaussian()
  model = toy.model()
  model.build((None, *toy.image_shape))
  assert pixel_nats.nats(model, np.ones([2, 3, 2, 1], 'float32')) is None


def test_images_of_another_shape_are_refused():
  with pytest.raises(ValueError, match='`images` must'):
    pixel_nats.nats(toys.small_model(_SHAPE), np.zeros([1, 2, 2, 1], 'float32'))
