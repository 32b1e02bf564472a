"""Original files of data sets: found under the root, or fetched from home."""

import dataclasses
import hashlib
import os
import pathlib
import shutil
import tempfile
import urllib.request
from collections.abc import Mapping

import numpy as np
import scipy.io

from vlae_tf.data import directories

_FOLDER = 'originals'
_TIMEOUT_SECONDS = 60


@dataclasses.dataclass(frozen=True)
class Original:
  """An original file and its home."""

  filename: str  # Its name under the root, or under `originals` of the root.
  url: str  # Where it can be had.


def find_original(original: Original, root: pathlib.Path) -> pathlib.Path:
  """Finds a file under the root, or else downloads it."""
  folders = (root / _FOLDER, root, directories.cache_dir() / _FOLDER)
  for folder in folders:
    if (folder / original.filename).is_file():
      return folder / original.filename
  target = directories.writable_dir(root, _FOLDER) / original.filename
  try:
    _download(original.url, target)
  except OSError as error:
    raise ValueError(
      f'`data_dir` has no {root / _FOLDER / original.filename}, and '
      f'downloading it to {target} failed ({error}). Get it from '
      f'{original.url} and put it there.'
    ) from error
  return target


def checksum(path: str | os.PathLike) -> str:
  """Returns a short hash of a file's contents, 12 hexadecimal digits."""
  return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()[:12]


def read_mat(
  path: str | os.PathLike, url: str, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, np.ndarray]:
  """Reads numeric arrays of a MATLAB file and checks their shapes."""
  try:
    contents = scipy.io.loadmat(path, variable_names=list(shapes))
  # A damaged file makes `loadmat` raise nearly anything, `zlib.error` included.
  except Exception as error:
    raise bad_original(path, url, f'it cannot be read ({error})') from error
  for name, shape in shapes.items():
    if np.shape(contents.get(name)) != shape:
      found = np.shape(contents[name]) if name in contents else 'nothing'
      problem = f'its `{name}` must have shape {shape}, got {found}'
      raise bad_original(path, url, problem)
  return contents


def bad_original(path: str | os.PathLike, url: str, problem: str) -> ValueError:
  """Returns the `ValueError` that names a bad file and where to get it."""
  return ValueError(f'{path} is not usable: {problem}. Get it from {url}.')


def images_from_columns(
  rows: np.ndarray, height: int = 28, width: int = 28
) -> np.ndarray:
  """Turns MATLAB's column-major pixels into images."""
  # rows [num_images, height * width] -> [num_images, height, width, 1]
  columns_first = rows.reshape(-1, width, height, 1)
  return np.ascontiguousarray(columns_first.swapaxes(1, 2))


def _download(url, target):
  target.parent.mkdir(parents=True, exist_ok=True)
  handle, partial = tempfile.mkstemp(dir=target.parent, suffix='.partial')
  try:
    with os.fdopen(handle, 'wb') as output:
      with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as response:
        shutil.copyfileobj(response, output)
    # A reader never sees a file that is there in part.
    os.replace(partial, target)
  except BaseException:
    os.unlink(partial)
    raise
