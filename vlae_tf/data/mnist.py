"""MNIST, statically and dynamically binarised, of the TFDS catalogue."""

import pathlib

from vlae_tf.data import preparation
from vlae_tf.data.image_data import ImageData, SPLITS

_NUM_TRAIN = 50_000


def load_static_mnist(root: pathlib.Path) -> ImageData:
  """Loads Larochelle's fixed binarisation of MNIST."""
  # -> [28, 28, 1]
  builder = preparation.catalogue_builder('binarized_mnist', root)
  # The catalogue stores 0 and 1, not 0 and 255.
  parts = [preparation.read_split(builder, s)['image'] == 1 for s in SPLITS]
  return ImageData('static_mnist', *parts)


def load_dynamic_mnist(root: pathlib.Path) -> ImageData:
  """Loads the grey MNIST images, whose values are Bernoulli means."""
  # The last 10,000 training images, in the order of TFDS, are the validation
  # set.
  # -> [28, 28, 1]
  builder = preparation.catalogue_builder('mnist', root)
  images, labels = preparation.held_out_splits(builder, _NUM_TRAIN)
  return ImageData('dynamic_mnist', *images, labels)
