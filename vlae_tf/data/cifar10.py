"""CIFAR-10, of the TFDS catalogue."""

import pathlib

from vlae_tf.data import preparation
from vlae_tf.data.image_data import ImageData

_NUM_TRAIN = 45_000


def load_cifar10(root: pathlib.Path) -> ImageData:
  """Loads CIFAR-10, whose pixels have 256 levels."""
  # The last 5,000 training images, in the order of TFDS, are the validation
  # set.
  # -> [32, 32, 3]
  builder = preparation.catalogue_builder('cifar10', root)
  images, labels = preparation.held_out_splits(builder, _NUM_TRAIN)
  return ImageData('cifar10', *images, labels, 'levels')
