"""The registry of data sets. A new one: a file with a loader, a line here."""

import os
import pathlib

from vlae_tf.data import (
  availability,
  caltech101_silhouettes,
  directories,
  omniglot_burda,
)
from vlae_tf.data.cifar10 import load_cifar10
from vlae_tf.data.digits import load_digits
from vlae_tf.data.files import load_files
from vlae_tf.data.image_data import ImageData
from vlae_tf.data.mnist import load_dynamic_mnist, load_static_mnist
from vlae_tf.utils import registry

DATASETS = registry.Registry('dataset')
_FINDERS: dict[str, availability.Finder] = {}
_IMAGE_SHAPES: dict[str, tuple[int, int, int]] = {}
_ONE_CHANNEL = (28, 28, 1)
for _name, _description, _image_shape, _loader, _finder in (
  (
    'digits',
    "scikit-learn's handwritten digits as 28x28 grey",
    _ONE_CHANNEL,
    load_digits,
    availability.embedded,
  ),
  (
    'static_mnist',
    "Larochelle's binarised MNIST",
    _ONE_CHANNEL,
    load_static_mnist,
    availability.of_catalogue('binarized_mnist'),
  ),
  (
    'dynamic_mnist',
    'grey MNIST',
    _ONE_CHANNEL,
    load_dynamic_mnist,
    availability.of_catalogue('mnist'),
  ),
  (
    'omniglot',
    'OMNIGLOT 28x28, split of Burda et al.',
    _ONE_CHANNEL,
    omniglot_burda.load_omniglot,
    availability.of_original(
      omniglot_burda.OmniglotBurda.name, omniglot_burda.ORIGINAL
    ),
  ),
  (
    'caltech101',
    'Caltech-101 silhouettes 28x28, object = 1',
    _ONE_CHANNEL,
    caltech101_silhouettes.load_caltech101,
    availability.of_original(
      caltech101_silhouettes.Caltech101Silhouettes.name,
      caltech101_silhouettes.ORIGINAL,
    ),
  ),
  (
    'cifar10',
    'CIFAR-10 32x32, colour of 256 levels',
    (32, 32, 3),
    load_cifar10,
    availability.of_catalogue('cifar10'),
  ),
):
  DATASETS.register(_name, _description)(_loader)
  _FINDERS[_name] = _finder
  _IMAGE_SHAPES[_name] = _image_shape


def is_embedded(name: str) -> bool:
  """Whether a data set needs no root of data."""
  return _FINDERS.get(name) is availability.embedded


def image_shape(name: str) -> tuple[int, int, int]:
  """Shape of the images of a data set; loads nothing.

  >>> image_shape('omniglot')
  (28, 28, 1)

  Args:
    name: One of `DATASETS` of this package.

  Returns:
    `(height, width, channels)`.

  Raises:
    ValueError: It is another, of which only the images tell.
  """
  if name not in _IMAGE_SHAPES:
    raise ValueError(
      f'`image_shape` must be given for images of {name!r}: without a look at '
      f'them, that of {", ".join(_IMAGE_SHAPES)} alone is known.'
    )
  return _IMAGE_SHAPES[name]


def place(name: str, data_dir: str | os.PathLike | None = None) -> str:
  """Where a data set is; neither loads it nor asks the network."""
  DATASETS.check(name)
  root = directories.resolve_data_dir(data_dir)
  return _FINDERS[name](root) if name in _FINDERS else ''


def load(
  name: str | os.PathLike, data_dir: str | os.PathLike | None = None
) -> ImageData:
  """Loads a data set, from files under the root of all data if they exist.

  Args:
    name: One of `DATASETS`, or the path of a directory of images or of a
      `.npz` file.
    data_dir: Root of all data; by default that of `default_data_dir`. Ignored
      if `name` is a path.

  Returns:
    An `ImageData`.

  Raises:
    ValueError: If `name` is neither, or its files are missing or bad.
  """
  name = os.fspath(name)
  path = pathlib.Path(name).expanduser()
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
  return loader(directories.resolve_data_dir(data_dir))
