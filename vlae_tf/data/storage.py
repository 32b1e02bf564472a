"""Directories of data sets: original files, prepared sets, the cache.

| directory | contents |
|---|---|
| `ROOT`, `ROOT/originals` | original files; downloads go to the latter |
| `ROOT`, `ROOT/tfds` | data sets of the TFDS catalogue |
| `ROOT/tfds/original_SHA256` | data sets prepared from an original file |

If the root is read-only, files are written to the same places in the cache.
"""

import contextlib
import hashlib
import importlib.util
import os
import pathlib
import shutil
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from absl import logging

from vlae_tf.utils import console, files, json_files

_TFDS, _ORIGINALS = 'tfds', 'originals'
_INFO = 'dataset_info.json'
_TIMEOUT_SECONDS = 60
_REPLY_SECONDS = 10


def default_data_dir() -> pathlib.Path:
  """Root of all data: `$VLAE_TF_DATA_DIR`, or else `~/vlae_tf_data`."""
  root = os.environ.get('VLAE_TF_DATA_DIR') or '~/vlae_tf_data'
  return files.expanded(root)


def resolve_data_dir(
  data_dir: str | os.PathLike | None = None,
) -> pathlib.Path:
  """Returns the root of all data: the argument, or else the default."""
  root = files.expanded(data_dir) if data_dir else default_data_dir()
  if root.exists() and not root.is_dir():
    raise ValueError(f'`data_dir` must be a directory, got the file {root}.')
  return root


def _cache():
  cache = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
  return files.expanded(cache) / 'vlae_tf'


def _writable(root, name):
  """The folder `name` of the root, or of the cache if that is read-only."""
  folder = existing = root / name
  while not existing.exists():
    existing = existing.parent
  # The superuser may write to any folder, but respects a read-only mode.
  read_only = not existing.stat().st_mode & 0o222
  return (
    _cache() / name if read_only or not os.access(existing, os.W_OK) else folder
  )


class Original(NamedTuple):
  """An original file and its source on the web."""

  filename: str
  url: str

  def find(self, root: pathlib.Path) -> pathlib.Path | None:
    for folder in (root / _ORIGINALS, root, _cache() / _ORIGINALS):
      if (folder / self.filename).is_file():
        return folder / self.filename
    return None

  def find_or_download(self, root: pathlib.Path) -> pathlib.Path:
    found = self.find(root)
    if found is not None:
      return found
    target = _writable(root, _ORIGINALS) / self.filename
    try:
      with (
        urllib.request.urlopen(self.url, timeout=_TIMEOUT_SECONDS) as response,
        files.new_file(target) as output,
      ):
        shutil.copyfileobj(response, output)
    except (OSError, ValueError) as error:
      raise ValueError(
        f'`data_dir` has no {root / _ORIGINALS / self.filename}, and '
        f'downloading it to {target} failed ({error}). Get it from '
        f'{self.url} and put it there.'
      ) from error
    return target


def _catalogue_folders(root):
  return [root, root / _TFDS, _cache() / _TFDS]


def _key(original):
  """Folder of the data sets that are made of an original file's contents."""
  checksum = hashlib.sha256(original.read_bytes()).hexdigest()
  return f'{_TFDS}/original_{checksum[:12]}'


def _is_prepared(folder, name):
  """Whether a set is there, which has to be readable."""
  # TFDS writes this file last.
  found = list((folder / name).glob(f'*/{_INFO}'))
  for info in found:
    _check_format(info)
  return bool(found)


def place(origin: Any, root: pathlib.Path) -> str:
  """Place of a set of the TFDS catalogue, or of an original; '' if none.

  Raises:
    ValueError: It is prepared in a format that cannot be read.
  """
  if isinstance(origin, str):
    for folder in _catalogue_folders(root):
      if _is_prepared(folder, origin):
        return f'prepared in {folder / origin}'
    return ''
  file = origin.ORIGINAL.find(root)
  if file is None:
    return ''
  key = _key(file)
  if any(_is_prepared(f / key, origin.name) for f in (root, _cache())):
    return f'prepared from {file}'
  return f'original file {file}, to be prepared'


def catalogue_builder(
  name: str, root: pathlib.Path
) -> tfds.core.DatasetBuilder:
  """Builder of a data set of the TFDS catalogue, prepared if necessary."""
  return _find_or_prepare(
    lambda folder: tfds.builder(name, data_dir=folder, try_gcs=False),
    name,
    _catalogue_folders(root),
    _writable(root, _TFDS),
  )


def original_builder(
  builder_class: Any, root: pathlib.Path
) -> tfds.core.DatasetBuilder:
  """Builder of a data set made of an original file, prepared if necessary."""
  path = builder_class.ORIGINAL.find_or_download(root)
  key = _key(path)
  return _find_or_prepare(
    lambda folder: builder_class(original=path, data_dir=folder),
    builder_class.name,
    [folder / key for folder in (root, _cache())],
    _writable(root, key),
  )


def _find_or_prepare(
  make_builder: Callable[[pathlib.Path], tfds.core.DatasetBuilder],
  name: str,
  folders: Sequence[pathlib.Path],
  new_folder: pathlib.Path,
):
  for folder in folders:
    if _is_prepared(folder, name):
      builder = make_builder(folder)
      if builder.is_prepared():
        return builder
  with _without_warnings():
    _prepare(make_builder(new_folder), new_folder)
    return make_builder(new_folder)


def _prepare(builder, folder):
  config = tfds.download.DownloadConfig(try_download_gcs=False)
  try:
    # TFDS marks completed downloads so, and uses them without a network.
    if not any((folder / 'downloads').glob('*.INFO')):
      for url in list(builder.url_infos or ())[:1]:
        _check_network(url)
    builder.download_and_prepare(
      download_dir=folder / 'downloads', download_config=config
    )
  except ValueError:
    raise
  # TFDS and its HTTP library have no common class of exceptions.
  except Exception as error:
    # Another process may have prepared it meanwhile.
    if not builder.is_prepared():
      raise ValueError(
        f'`data_dir` has no prepared {builder.name!r}, and preparing it in '
        f'{builder.data_dir} failed ({console.brief(error)}). Get it by '
        f'`tfds.load({builder.name!r})`, from {builder.info.homepage}.'
      ) from error


def _check_network(url):
  """Raises an `OSError` at once, where TFDS would try again for minutes."""
  request = urllib.request.Request(url, method='HEAD')
  try:
    urllib.request.urlopen(request, timeout=_REPLY_SECONDS).close()
  except urllib.error.HTTPError:
    pass  # It was reached.
  except OSError as error:
    # TFDS brings certificates of its own.
    if not isinstance(getattr(error, 'reason', error), ssl.SSLError):
      raise OSError(f'no answer from {url}: {error}') from error


def read_split(
  builder: tfds.core.DatasetBuilder, split: str
) -> dict[str, np.ndarray]:
  """Reads one split of a prepared set, in the order of its files."""
  config = tfds.ReadConfig(try_autocache=False, interleave_cycle_length=1)
  try:
    with _without_warnings(), tf.device('CPU:0'):
      if builder.info.file_format is tfds.core.FileFormat.ARRAY_RECORD:
        return _stacked(builder.as_data_source(split=split))
      examples = builder.as_dataset(
        split=split, batch_size=-1, shuffle_files=False, read_config=config
      )
    return tfds.as_numpy(examples)
  # Files of array_record raise `RuntimeError`.
  except (tf.errors.OpError, OSError, RuntimeError) as error:
    raise ValueError(
      f'{builder.data_dir} is damaged: split {split!r} cannot be read '
      f'({console.brief(error)}). Delete that folder and get the data set anew.'
    ) from error


def _stacked(source):
  examples = source.__getitems__(range(len(source)))
  return {key: np.stack([e[key] for e in examples]) for key in examples[0]}


def _check_format(info):
  """Checks that a prepared set can be read, by TFDS's description of it."""
  found = json_files.read(info).get('fileFormat', 'tfrecord')
  if found == 'array_record' and not importlib.util.find_spec(found):
    raise ValueError(
      f'{info.parent} is prepared as array_record, which needs the package '
      'array_record: pip install array_record'
    )
  if found not in ('tfrecord', 'array_record'):
    raise ValueError(
      f'{info.parent} must be prepared as tfrecord or array_record, got '
      f'{found!r}. Delete that folder and get the data set anew.'
    )


@contextlib.contextmanager
def _without_warnings():
  """Suppresses the warnings of TFDS about its own deprecated calls."""
  verbosity = logging.get_verbosity()
  logging.set_verbosity(min(verbosity, logging.ERROR))
  try:
    yield
  finally:
    logging.set_verbosity(verbosity)
