"""The registry of data sets. A new one: a file with a loader, a line here."""

import pathlib

from vlae_tf.data import directories
from vlae_tf.data.caltech101_silhouettes import load_caltech101
from vlae_tf.data.digits import load_digits
from vlae_tf.data.files import load_files
from vlae_tf.data.mnist import load_dynamic_mnist, load_static_mnist
from vlae_tf.data.omniglot_burda import load_omniglot

_LOADERS = {
  'digits': load_digits,
  'static_mnist': load_static_mnist,
  'dynamic_mnist': load_dynamic_mnist,
  'omniglot': load_omniglot,
  'caltech101': load_caltech101,
}
DATASETS = tuple(_LOADERS)


def load(name, data_dir=None):
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
  if name in _LOADERS:
    return _LOADERS[name](directories.resolve_data_dir(data_dir))
  path = pathlib.Path(name).expanduser()
  # The empty path would be the current directory.
  if name and (path.is_dir() or (path.suffix == '.npz' and path.is_file())):
    return load_files(path)
  raise ValueError(
    f'`name` must be one of {", ".join(DATASETS)}, or the path of an existing '
    f'directory of images or `.npz` file, got {name!r}.'
  )
