"""Data sets as TFDS keeps them: found, prepared and read."""

import contextlib
import pathlib

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from absl import logging

from vlae_tf.data import directories, originals
from vlae_tf.data.image_data import SPLITS

_FOLDER = 'tfds'


def catalogue_builder(
  name: str, root: pathlib.Path
) -> tfds.core.DatasetBuilder:
  """Returns the prepared builder of a data set in the catalogue of TFDS."""
  # A prepared set is used from the root, from its folder `tfds` or from the
  # cache, in that order, and then nothing is downloaded.
  return _find_or_prepare(
    lambda folder: tfds.builder(name, data_dir=folder, try_gcs=False),
    name,
    [root, root / _FOLDER, directories.cache_dir() / _FOLDER],
    directories.writable_dir(root, _FOLDER),
  )


def read_original(
  builder_class: type[tfds.core.GeneratorBasedBuilder],
  original: originals.Original,
  root: pathlib.Path,
) -> list[dict[str, np.ndarray]]:
  """Reads all splits of a data set that is made from an original file."""
  # The set is prepared once for each content of the file, in a folder named
  # after the content's checksum; in the cache, if the root is read-only.
  path = originals.find_original(original, root)
  key = f'original_{originals.checksum(path)}'
  folders = (root / _FOLDER, directories.cache_dir() / _FOLDER)
  builder = _find_or_prepare(
    lambda folder: builder_class(original=path, data_dir=folder),
    builder_class.name,
    [folder / key for folder in folders],
    directories.writable_dir(root, _FOLDER) / key,
  )
  return [read_split(builder, split) for split in SPLITS]


def read_split(
  builder: tfds.core.DatasetBuilder, split: str
) -> dict[str, np.ndarray]:
  """Reads one split of a prepared set, in the order it was written."""
  # -> [num_examples, ...]
  config = tfds.ReadConfig(try_autocache=False, interleave_cycle_length=1)
  try:
    with _without_warnings(), tf.device('CPU:0'):
      examples = builder.as_dataset(
        split=split, batch_size=-1, shuffle_files=False, read_config=config
      )
    return tfds.as_numpy(examples)
  except (tf.errors.OpError, OSError) as error:
    raise ValueError(
      f'{builder.data_dir} is damaged: split {split!r} cannot be read '
      f'({_first_line(error)}). Delete that folder and get the data set anew.'
    ) from error


def held_out_splits(
  builder: tfds.core.DatasetBuilder, num_train: int
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], dict[str, np.ndarray]]:
  """Reads a labelled set of the catalogue that has no validation images."""
  # The training images after the first `num_train`, in the order of TFDS, are
  # the validation set.
  known, unseen = (read_split(builder, split) for split in ('train', 'test'))
  images, labels = (
    (known[key][:num_train], known[key][num_train:], unseen[key])
    for key in ('image', 'label')
  )
  return images, dict(zip(SPLITS, labels, strict=True))


def _find_or_prepare(make_builder, name, folders, new_folder):
  for folder in folders:
    if (folder / name).is_dir():
      builder = make_builder(folder)
      if builder.is_prepared():
        return builder
  with _without_warnings():
    _prepare(make_builder(new_folder), new_folder)
    return make_builder(new_folder)


def _prepare(builder, folder):
  config = tfds.download.DownloadConfig(try_download_gcs=False)
  try:
    builder.download_and_prepare(
      download_dir=folder / 'downloads', download_config=config
    )
  except ValueError:
    raise
  # TFDS and what it downloads with have no common class of exceptions.
  except Exception as error:
    # Another process may have been first; then its set is as good.
    if not builder.is_prepared():
      raise ValueError(
        f'`data_dir` has no prepared {builder.name!r}, and preparing it in '
        f'{builder.data_dir} failed ({_first_line(error)}). Get it by '
        f'`tfds.load({builder.name!r})`, from {builder.info.homepage}.'
      ) from error


def _first_line(error):
  return str(error).partition('\n')[0] or type(error).__name__


@contextlib.contextmanager
def _without_warnings():
  """Keeps TFDS's remarks about its own deprecated calls off the screen."""
  verbosity = logging.get_verbosity()
  logging.set_verbosity(min(verbosity, logging.ERROR))
  try:
    yield
  finally:
    logging.set_verbosity(verbosity)
