"""MNIST, statically and dynamically binarised, of the TFDS catalogue."""

import pathlib

import numpy as np

from vlae_tf.data import preparation
from vlae_tf.data.image_data import ImageData, SPLITS

_NUM_TRAIN = 50_000


def load_static_mnist(root: pathlib.Path) -> ImageData:
  """Loads Larochelle's fixed binarisation of MNIST.

  Args:
    root: `pathlib.Path` of the root of all data.

  Returns:
    An `ImageData` with bool images of shape `[28, 28, 1]`, split
    50,000 / 10,000 / 10,000.

  Raises:
    ValueError: If it is not there and cannot be downloaded.
  """
  builder = preparation.catalogue_builder('binarized_mnist', root)
  # The catalogue stores 0 and 1, not 0 and 255.
  parts = [preparation.read_split(builder, s)['image'] == 1 for s in SPLITS]
  return ImageData('static_mnist', *parts)


def load_dynamic_mnist(root: pathlib.Path) -> ImageData:
  """Loads the grey MNIST images, whose values are Bernoulli means.

  The last 10,000 training images, in the order of TFDS, are the validation
  set.

  Args:
    root: `pathlib.Path` of the root of all data.

  Returns:
    An `ImageData` with grey uint8 images of shape `[28, 28, 1]`, split
    50,000 / 10,000 / 10,000.

  Raises:
    ValueError: If it is not there and cannot be downloaded.
  """
  builder = preparation.catalogue_builder('mnist', root)
  known = preparation.read_split(builder, 'train')
  unseen = preparation.read_split(builder, 'test')
  train, validation = np.split(known['image'], [_NUM_TRAIN])
  labels = [*np.split(known['label'], [_NUM_TRAIN]), unseen['label']]
  named = dict(zip(SPLITS, labels, strict=True))
  return ImageData('dynamic_mnist', train, validation, unseen['image'], named)
