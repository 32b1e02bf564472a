"""OMNIGLOT at 28x28 as Burda et al. use it: a TFDS builder and its loader."""

import os
import pathlib
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from vlae_tf.data import originals, preparation
from vlae_tf.data.image_data import ImageData, SPLITS
from vlae_tf.data.splitting import split_by_sizes

ORIGINAL = originals.Original(
  'chardata.mat',
  'https://github.com/yburda/iwae/raw/master/datasets/OMNIGLOT/chardata.mat',
)
_SIZES = (23_000, 1_345)
_NUM_TEST = 8_070
_NUM_ALPHABETS = 50
_CITATION = """\
@inproceedings{burda2016importance,
  title={Importance Weighted Autoencoders},
  author={Burda, Yuri and Grosse, Roger and Salakhutdinov, Ruslan},
  booktitle={International Conference on Learning Representations},
  year={2016}
}
@article{lake2015human,
  title={Human-level concept learning through probabilistic program induction},
  author={Lake, Brenden M and Salakhutdinov, Ruslan and Tenenbaum, Joshua B},
  journal={Science},
  year={2015}
}"""


class OmniglotBurda(tfds.core.GeneratorBasedBuilder):
  """Handwritten characters; grey values are Bernoulli means."""

  # The test split is the file's `testdata`. The file's 24,345 training images
  # come grouped by alphabet, so a permutation with a fixed seed deals them out
  # to training (23,000) and validation (1,345). Features: `image`, float32 of
  # shape `[28, 28, 1]` in [0, 1]; `label`, the alphabet in 0..49; `character`,
  # the character's number in its alphabet.

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
            shape=(28, 28, 1), dtype=np.float32, encoding='zlib'
          ),
          'label': tfds.features.ClassLabel(num_classes=_NUM_ALPHABETS),
          'character': np.int64,
        }
      ),
      homepage='https://github.com/yburda/iwae',
      citation=_CITATION,
      disable_shuffling=True,
    )

  def _split_generators(self, dl_manager):
    path = self._original or dl_manager.download(ORIGINAL.url)
    data, test = _read_original(path)
    parts = {key: split_by_sizes(data[key], _SIZES) for key in data}
    train, validation = (
      {key: parts[key][i] for key in parts} for i in range(len(_SIZES))
    )
    return {
      split: self._generate_examples(examples)
      for split, examples in zip(SPLITS, (train, validation, test), strict=True)
    }

  def _generate_examples(self, examples):
    for i in range(len(examples['image'])):
      yield i, {key: values[i] for key, values in examples.items()}


def load_omniglot(root: pathlib.Path) -> ImageData:
  """Loads OMNIGLOT in the split of Burda et al."""
  # -> [28, 28, 1]
  splits = preparation.read_original(OmniglotBurda, ORIGINAL, root)
  train, validation, test = _as_grey_if_exact(
    [split['image'] for split in splits]
  )
  labels = [split['label'] for split in splits]
  named = dict(zip(SPLITS, labels, strict=True))
  return ImageData('omniglot', train, validation, test, named)


def _as_grey_if_exact(parts):
  grey = [np.rint(part * 255).astype(np.uint8) for part in parts]
  means = (np.arange(256) / 255).astype(np.float32)
  exact = all(
    np.array_equal(means[g], p) for g, p in zip(grey, parts, strict=True)
  )
  return grey if exact else parts


def _read_original(path):
  num_train = sum(_SIZES)
  shapes = {}
  for prefix, size in (('', num_train), ('test', _NUM_TEST)):
    shapes[f'{prefix}data'] = (784, size)
    shapes[f'{prefix}target'] = (_NUM_ALPHABETS, size)
    shapes[f'{prefix}targetchar'] = (1, size)
  contents = originals.read_mat(path, ORIGINAL.url, shapes)
  return [_examples(contents, prefix, path) for prefix in ('', 'test')]


def _examples(contents, prefix, path):
  images = contents[f'{prefix}data'].T.astype(np.float32)
  if not (images.min() >= 0 and images.max() <= 1):
    raise originals.bad_original(
      path, ORIGINAL.url, f'`{prefix}data` must be in [0, 1] and not NaN'
    )
  return {
    'image': originals.images_from_columns(images),
    'label': contents[f'{prefix}target'].argmax(axis=0),
    'character': contents[f'{prefix}targetchar'][0].astype(np.int64),
  }
