"""CIFAR-10, of the TFDS catalogue."""

import pathlib

import numpy as np

from vlae_tf.data import preparation
from vlae_tf.data.image_data import ImageData, SPLITS

_NUM_TRAIN = 45_000


def load_cifar10(root: pathlib.Path) -> ImageData:
  """Loads CIFAR-10, whose pixels have 256 levels.

  The last 5,000 training images, in the order of TFDS, are the validation set.

  Args:
    root: `pathlib.Path` of the root of all data.

  Returns:
    An `ImageData` with uint8 images of shape `[32, 32, 3]`, split 45,000 /
    5,000 / 10,000.

  Raises:
    ValueError: If it is not there and cannot be downloaded.
  """
  builder = preparation.catalogue_builder('cifar10', root)
  known = preparation.read_split(builder, 'train')
  unseen = preparation.read_split(builder, 'test')
  train, validation = np.split(known['image'], [_NUM_TRAIN])
  labels = [*np.split(known['label'], [_NUM_TRAIN]), unseen['label']]
  named = dict(zip(SPLITS, labels, strict=True))
  return ImageData(
    'cifar10', train, validation, unseen['image'], named, 'levels'
  )
