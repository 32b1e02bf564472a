"""The embedded data set: scikit-learn's handwritten digits as 28x28 grey."""

import pathlib

import numpy as np
from PIL import Image
from sklearn import datasets

from vlae_tf.data.image_data import ImageData, SPLITS
from vlae_tf.data.splitting import split_by_sizes

_SIZES = (1297, 200, 300)
_HIGHEST = 16


def load_digits(data_dir: pathlib.Path | None = None) -> ImageData:
  """Loads 1,797 digits, enlarged smoothly from 8x8, without any download."""
  # -> [28, 28, 1]
  del data_dir
  small, labels = datasets.load_digits(return_X_y=True)
  small = np.rint(small * (255 / _HIGHEST)).astype(np.uint8)
  images = np.stack([_enlarge(image) for image in small.reshape(-1, 8, 8)])
  train, validation, test = split_by_sizes(images[..., np.newaxis], _SIZES)
  labels = dict(zip(SPLITS, split_by_sizes(labels, _SIZES), strict=True))
  return ImageData('digits', train, validation, test, labels)


def _enlarge(image):
  size = (28, 28)
  return np.asarray(
    Image.fromarray(image).resize(size, Image.Resampling.BICUBIC)
  )
