"""Where a data set is, seen from its files alone: nothing is loaded."""

import pathlib
from collections.abc import Callable

from vlae_tf.data import directories, originals

# From the root of all data to where a data set is, in words; '' for nowhere.
Finder = Callable[[pathlib.Path], str]

_MARK = '*/dataset_info.json'  # TFDS writes it last.


def embedded(root: pathlib.Path) -> str:
  """A data set that comes with a package."""
  del root
  return 'embedded'


def of_catalogue(name: str) -> Finder:
  """What finds a data set of the catalogue of TFDS."""

  def find(root):
    cache = directories.cache_dir() / 'tfds'
    for folder in (root, root / 'tfds', cache):
      if any((folder / name).glob(_MARK)):
        return f'prepared in {folder / name}'
    return ''

  return find


def of_original(name: str, original: originals.Original) -> Finder:
  """What finds a data set that is made of an original file."""

  def find(root):
    cache = directories.cache_dir()
    files = [
      folder / original.filename
      for folder in (root / 'originals', root, cache / 'originals')
    ]
    there = [file for file in files if file.is_file()]
    if not there:
      return ''
    key = f'tfds/original_{originals.checksum(there[0])}'
    for folder in (root, cache):
      if any((folder / key / name).glob(_MARK)):
        return f'prepared from {there[0]}'
    return f'original file {there[0]}, to be prepared'

  return find
