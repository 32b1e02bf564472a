"""Caltech-101 silhouettes at 28x28: a TFDS builder and its loader."""

import os
import pathlib
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from vlae_tf.data import originals, preparation
from vlae_tf.data.image_data import ImageData, SPLITS

ORIGINAL = originals.Original(
  'caltech101_silhouettes_28_split1.mat',
  'https://people.cs.umass.edu/~marlin/data/'
  'caltech101_silhouettes_28_split1.mat',
)
# Our name of a split: the file's prefix and number of images.
_PARTS = {
  'train': ('train', 4_100),
  'validation': ('val', 2_264),
  'test': ('test', 2_307),
}
_NUM_CLASSES = 101
_CITATION = """\
@inproceedings{marlin2010inductive,
  title={Inductive Principles for Restricted {B}oltzmann Machine Learning},
  author={Marlin, Benjamin and Swersky, Kevin and Chen, Bo and
          de Freitas, Nando},
  booktitle={International Conference on Artificial Intelligence and
             Statistics},
  year={2010}
}"""


class Caltech101Silhouettes(tfds.core.GeneratorBasedBuilder):
  """Outlines of objects, filled: 1 is the object and 0 the background."""

  # The original file has the opposite polarity. Features: `image`, uint8 of
  # shape `[28, 28, 1]`; `label`, the object's class in 0..100, which the file
  # counts from 1.

  VERSION = tfds.core.Version('1.0.0')

  def __init__(
    self, *, original: str | os.PathLike | None = None, **kwargs: Any
  ):
    self._original = original
    super().__init__(**kwargs)

  def _info(self):
    return tfds.core.DatasetInfo(
      builder=self,
      description=(type(self).__doc__ or '').partition('Args:')[0],
      features=tfds.features.FeaturesDict(
        {
          'image': tfds.features.Tensor(
            shape=(28, 28, 1), dtype=np.uint8, encoding='zlib'
          ),
          'label': tfds.features.ClassLabel(num_classes=_NUM_CLASSES),
        }
      ),
      homepage='https://people.cs.umass.edu/~marlin/data.shtml',
      citation=_CITATION,
      disable_shuffling=True,
    )

  def _split_generators(self, dl_manager):
    path = self._original or dl_manager.download(ORIGINAL.url)
    contents = _read_original(path)
    return {
      split: self._generate_examples(*_examples(contents, prefix, path))
      for split, (prefix, _) in _PARTS.items()
    }

  def _generate_examples(self, images, labels):
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
      yield i, {'image': image, 'label': label}


def load_caltech101(root: pathlib.Path) -> ImageData:
  """Loads the Caltech-101 silhouettes."""
  # -> [28, 28, 1]
  splits = preparation.read_original(Caltech101Silhouettes, ORIGINAL, root)
  train, validation, test = (split['image'] == 1 for split in splits)
  labels = [split['label'] for split in splits]
  named = dict(zip(SPLITS, labels, strict=True))
  return ImageData('caltech101', train, validation, test, named)


def _read_original(path):
  shapes = {}
  for prefix, size in _PARTS.values():
    shapes[f'{prefix}_data'] = (size, 784)
    shapes[f'{prefix}_labels'] = (size, 1)
  return originals.read_mat(path, ORIGINAL.url, shapes)


def _examples(contents, prefix, path):
  background = contents[f'{prefix}_data']
  if not np.isin(background, (0, 1)).all():
    raise originals.bad_original(
      path, ORIGINAL.url, f'`{prefix}_data` must hold only 0 and 1'
    )
  labels = contents[f'{prefix}_labels'][:, 0].astype(np.int64) - 1
  if not np.isin(labels, range(_NUM_CLASSES)).all():
    raise originals.bad_original(
      path, ORIGINAL.url, f'`{prefix}_labels` must be in 1..{_NUM_CLASSES}'
    )
  images = originals.images_from_columns(1 - background.astype(np.uint8))
  return images, labels
