"""The data sets: registry, TFDS builders of two of them, and loaders."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy.io
import tensorflow_datasets as tfds
from PIL import Image
from sklearn import datasets

from vlae_tf.data import storage
from vlae_tf.data.files import load_files
from vlae_tf.data.image_data import ImageData, split_by_sizes, SPLITS
from vlae_tf.utils import files as files_lib
from vlae_tf.utils import registry

DATASETS = registry.Registry('dataset')
# Name in the TFDS catalogue, builder from an original file, or `None` for
# images of an installed package.
_ORIGINS: dict[str, Any] = {}
_IMAGE_SHAPES: dict[str, tuple[int, int, int]] = {}


def _register(name, description, origin, image_shape=(28, 28, 1)):
  """Registers a loader, and what is known without it: origin and shape."""
  _ORIGINS[name], _IMAGE_SHAPES[name] = origin, image_shape
  return DATASETS.register(name, description)


def is_embedded(name: str) -> bool:
  """Whether a data set comes with an installed package."""
  return name in _ORIGINS and _ORIGINS[name] is None


def image_shape(name: str) -> tuple[int, int, int]:
  """Image shape of a data set, if it is known without its images.

  >>> image_shape('omniglot')
  (28, 28, 1)
  """
  if name not in _IMAGE_SHAPES:
    raise ValueError(
      f'`image_shape` must be given for images of {name!r}: it is known in '
      f'advance for {", ".join(_IMAGE_SHAPES)} alone.'
    )
  return _IMAGE_SHAPES[name]


def place(name: str, data_dir: str | os.PathLike | None = None) -> str:
  """Place of a data set, '' if unknown; uses neither images nor network.

  A set prepared in a format that cannot be read raises `ValueError`.
  """
  DATASETS.check(name)
  root = storage.resolve_data_dir(data_dir)
  if is_embedded(name):
    return 'embedded'
  origin = _ORIGINS.get(name)
  return storage.place(origin, root) if origin else ''


def load(
  name: str | os.PathLike, data_dir: str | os.PathLike | None = None
) -> ImageData:
  """Loads a data set, from files under the root of all data if they exist.

  `name` is one of `DATASETS`, or the path of a directory of images or of a
  `.npz` file. The root is by default that of `default_data_dir`.

  Raises:
    ValueError: If `name` is neither, or its files are missing or bad.
  """
  name = os.fspath(name)
  path = files_lib.expanded(name)
  # The empty path would be the current directory.
  is_path = name and (
    path.is_dir() or (path.suffix == '.npz' and path.is_file())
  )
  if is_path and name not in DATASETS:
    return load_files(path)
  try:
    loader = DATASETS[name]
  except ValueError as error:
    raise ValueError(
      f'{error} A path must be that of a directory of images or of a `.npz` '
      'file.'
    ) from None
  return loader(storage.resolve_data_dir(data_dir))


def _image_data(name, images, labels=None, kind=None):
  train, validation, test = images
  by_split = labels and dict(zip(SPLITS, labels, strict=True))
  return ImageData(name, train, validation, test, by_split, kind)


# Data sets of scikit-learn and of the TFDS catalogue.


@_register('digits', "scikit-learn's handwritten digits as 28x28 grey", None)
def _load_digits(root):
  """Loads 1,797 digits, enlarged from 8x8 by bicubic interpolation."""
  del root
  small, labels = datasets.load_digits(return_X_y=True)
  small = np.rint(small * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8)
  large = [
    Image.fromarray(image).resize((28, 28), Image.Resampling.BICUBIC)
    for image in small
  ]
  images = np.stack([np.asarray(image)[..., np.newaxis] for image in large])
  parts = [split_by_sizes(x, (1_297, 200, 300)) for x in (images, labels)]
  return _image_data('digits', *parts)


@_register('static_mnist', "Larochelle's binarised MNIST", 'binarized_mnist')
def _load_static_mnist(root):
  builder = storage.catalogue_builder('binarized_mnist', root)
  # The catalogue stores 0 and 1, not 0 and 255.
  parts = [storage.read_split(builder, s)['image'] == 1 for s in SPLITS]
  return _image_data('static_mnist', parts)


@_register('dynamic_mnist', 'grey MNIST', 'mnist')
def _load_dynamic_mnist(root):
  return _image_data('dynamic_mnist', *_with_held_out('mnist', root, 50_000))


def _with_held_out(name, root, num_train):
  """Images and labels of a set of the catalogue, without validation images."""
  # Those of training after the first `num_train`, in the order of TFDS, are it.
  builder = storage.catalogue_builder(name, root)
  known, unseen = (storage.read_split(builder, s) for s in ('train', 'test'))
  return [
    (known[key][:num_train], known[key][num_train:], unseen[key])
    for key in ('image', 'label')
  ]


# Data sets made of an original file.


class _FromMatlab(  # type: ignore[call-arg]
  tfds.core.GeneratorBasedBuilder, skip_registration=True
):
  """TFDS builder of a data set that is published as a MATLAB file."""

  VERSION = tfds.core.Version('1.0.0')
  ORIGINAL: storage.Original
  HOMEPAGE: str
  CITATION: str
  DTYPE: type  # Of the images.
  NUM_CLASSES: int
  NUMBERS: tuple[str, ...] = ()  # Names of further integer features.

  def __init__(
    self, *, original: str | os.PathLike | None = None, **kwargs: Any
  ):
    self._original = original
    super().__init__(**kwargs)

  def _info(self):
    features = {
      'image': tfds.features.Tensor(
        shape=(28, 28, 1), dtype=self.DTYPE, encoding='zlib'
      ),
      'label': tfds.features.ClassLabel(num_classes=self.NUM_CLASSES),
      **dict.fromkeys(self.NUMBERS, np.int64),
    }
    return tfds.core.DatasetInfo(
      builder=self,
      description=type(self).__doc__,
      features=tfds.features.FeaturesDict(features),
      homepage=self.HOMEPAGE,
      citation=self.CITATION,
      disable_shuffling=True,
    )

  def _split_generators(self, dl_manager):
    path = self._original or dl_manager.download(self.ORIGINAL.url)
    return {
      split: self._generate_examples(examples)
      for split, examples in zip(SPLITS, self._read(path), strict=True)
    }

  def _generate_examples(self, examples):
    for i in range(len(examples['image'])):
      yield i, {key: values[i] for key, values in examples.items()}

  def _read(self, path) -> Sequence[Mapping[str, np.ndarray]]:
    """Examples of the training, validation and test split."""
    raise NotImplementedError

  def _arrays(self, path, shapes):
    """Reads numeric arrays of the original file and checks their shapes."""
    try:
      contents = scipy.io.loadmat(path, variable_names=list(shapes))
    # For a damaged file `loadmat` raises nearly anything, as `zlib.error`.
    except Exception as error:
      raise self._bad(path, f'it cannot be read ({error})') from error
    for name, shape in shapes.items():
      if np.shape(contents.get(name)) != shape:
        found = np.shape(contents[name]) if name in contents else 'nothing'
        problem = f'its `{name}` must have shape {shape}, got {found}'
        raise self._bad(path, problem)
    return contents

  def _bad(self, path, problem):
    url = self.ORIGINAL.url
    return ValueError(f'{path} is not usable: {problem}. Get it from {url}.')


def _images_from_columns(rows):
  """Images of MATLAB's column-major pixels."""
  columns_first = rows.reshape(-1, 28, 28, 1)
  return np.ascontiguousarray(columns_first.swapaxes(1, 2))


def _read_original(builder_class, root):
  builder = storage.original_builder(builder_class, root)
  splits = [storage.read_split(builder, split) for split in SPLITS]
  return [[s[key] for s in splits] for key in ('image', 'label')]


class OmniglotBurda(_FromMatlab):
  """Handwritten characters; grey values are Bernoulli means."""

  # The test split is the file's `testdata`. The file's 24,345 training images
  # come grouped by alphabet, so a permutation with a fixed seed assigns them to
  # training (23,000) and validation (1,345). Features: `image`, float32 in
  # [0, 1]; `label`, the alphabet in 0..49; `character`, the character's number
  # in its alphabet.
  SIZES = (23_000, 1_345)
  NUM_TEST = 8_070
  DTYPE, NUM_CLASSES, NUMBERS = np.float32, 50, ('character',)
  ORIGINAL = storage.Original(
    'chardata.mat',
    'https://github.com/yburda/iwae/raw/master/datasets/OMNIGLOT/chardata.mat',
  )
  HOMEPAGE = 'https://github.com/yburda/iwae'
  CITATION = """\
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

  def _read(self, path):
    shapes = {}
    for prefix, size in (('', sum(self.SIZES)), ('test', self.NUM_TEST)):
      shapes[f'{prefix}data'] = (784, size)
      shapes[f'{prefix}target'] = (self.NUM_CLASSES, size)
      shapes[f'{prefix}targetchar'] = (1, size)
    contents = self._arrays(path, shapes)
    known, test = (self._examples(contents, p, path) for p in ('', 'test'))
    parts = {key: split_by_sizes(known[key], self.SIZES) for key in known}
    train, validation = ({k: parts[k][i] for k in parts} for i in range(2))
    return train, validation, test

  def _examples(self, contents, prefix, path):
    images = contents[f'{prefix}data'].T.astype(np.float32)
    if not (images.min() >= 0 and images.max() <= 1):
      raise self._bad(path, f'`{prefix}data` must be in [0, 1] and not NaN')
    return {
      'image': _images_from_columns(images),
      'label': contents[f'{prefix}target'].argmax(axis=0),
      'character': contents[f'{prefix}targetchar'][0].astype(np.int64),
    }


@_register('omniglot', 'OMNIGLOT 28x28, split of Burda et al.', OmniglotBurda)
def _load_omniglot(root):
  images, labels = _read_original(OmniglotBurda, root)
  grey = [np.rint(part * 255).astype(np.uint8) for part in images]
  means = (np.arange(256) / 255).astype(np.float32)
  if all(np.array_equal(means[g], x) for g, x in zip(grey, images)):
    images = grey
  return _image_data('omniglot', images, labels)


class Caltech101Silhouettes(_FromMatlab):
  """Outlines of objects, filled: 1 is the object and 0 the background."""

  # The original file has the opposite polarity. Features: `image`, uint8;
  # `label`, the object's class in 0..100, which the file counts from 1.
  # For each split the prefix and size of the file's arrays.
  PARTS = (('train', 4_100), ('val', 2_264), ('test', 2_307))
  DTYPE, NUM_CLASSES = np.uint8, 101
  ORIGINAL = storage.Original(
    'caltech101_silhouettes_28_split1.mat',
    'https://people.cs.umass.edu/~marlin/data/'
    'caltech101_silhouettes_28_split1.mat',
  )
  HOMEPAGE = 'https://people.cs.umass.edu/~marlin/data.shtml'
  CITATION = """\
@inproceedings{marlin2010inductive,
  title={Inductive Principles for Restricted {B}oltzmann Machine Learning},
  author={Marlin, Benjamin and Swersky, Kevin and Chen, Bo and
          de Freitas, Nando},
  booktitle={International Conference on Artificial Intelligence and
             Statistics},
  year={2010}
}"""

  def _read(self, path):
    shapes = {}
    for prefix, size in self.PARTS:
      shapes[f'{prefix}_data'] = (size, 784)
      shapes[f'{prefix}_labels'] = (size, 1)
    contents = self._arrays(path, shapes)
    return [self._examples(contents, prefix, path) for prefix, _ in self.PARTS]

  def _examples(self, contents, prefix, path):
    background = contents[f'{prefix}_data']
    if not np.isin(background, (0, 1)).all():
      raise self._bad(path, f'`{prefix}_data` must hold only 0 and 1')
    labels = contents[f'{prefix}_labels'][:, 0].astype(np.int64) - 1
    if not np.isin(labels, range(self.NUM_CLASSES)).all():
      raise self._bad(
        path, f'`{prefix}_labels` must be in 1..{self.NUM_CLASSES}'
      )
    images = _images_from_columns(1 - background.astype(np.uint8))
    return {'image': images, 'label': labels}


@_register(
  'caltech101',
  'Caltech-101 silhouettes 28x28, object = 1',
  Caltech101Silhouettes,
)
def _load_caltech101(root):
  images, labels = _read_original(Caltech101Silhouettes, root)
  return _image_data('caltech101', [part == 1 for part in images], labels)


@_register(
  'cifar10',
  'CIFAR-10 32x32, colour of 256 levels',
  'cifar10',
  image_shape=(32, 32, 3),
)
def _load_cifar10(root):
  images, labels = _with_held_out('cifar10', root, 45_000)
  return _image_data('cifar10', images, labels, 'levels')
