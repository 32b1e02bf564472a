"""Random images."""

import numpy as np

from vlae_tf import data


def binary_images(num, image_shape=(6, 5, 1), seed=0):
  """Random binary images, float32."""
  rng = np.random.default_rng(seed)
  return rng.integers(0, 2, (num, *image_shape)).astype('float32')


def image_data():
  """Random grey images, 8x8, as a data set."""
  means = np.random.default_rng(0).random((80, 8, 8, 1), np.float32)
  return data.ImageData('tiny', means[:48], means[48:64], means[64:])
