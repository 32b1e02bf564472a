"""The images of a run, wherever they are by now."""

import dataclasses
import os
import pathlib

import numpy as np

from vlae_tf import data as data_lib
from vlae_tf.data import image_data, sources, storage
from vlae_tf.runs import workdirs
from vlae_tf.utils import console


def load(
  run: workdirs.Run, data_dir: str | os.PathLike | None = None
) -> data_lib.ImageData:
  """Loads them.

  Args:
    run: `Run`.
    data_dir: Root of the data sets; by default that of the training if it is
      there still, else the default.

  Returns:
    An `ImageData`.

  Raises:
    ValueError: The root that was given does not exist, or the images are not
      there or are others than the run was trained on.
  """
  name = run.config.dataset
  root = data_dir
  if _needs_root(name) or data_dir is not None:
    root = root_of_run(data_dir, run.data_dir)
  return workdirs.load_data(run, root)


def load_other(
  name: str,
  run: workdirs.Run,
  data_dir: str | os.PathLike | None = None,
  argument: str = 'dataset',
) -> data_lib.ImageData:
  """Loads images that a run was not trained on."""
  root = data_dir
  if _needs_root(name):
    root = root_of_run(data_dir, run.data_dir)
  try:
    return data_lib.load(name, root)
  except ValueError as error:
    message = str(error).replace('`dataset`', f'`{argument}`')
    raise ValueError(message) from error


def root_of_run(
  given: str | os.PathLike | None, remembered: str | os.PathLike | None
) -> pathlib.Path:
  """Root of all data: the given one, that of the training, or the default."""
  if given is not None:
    root = pathlib.Path(given).expanduser()
    if not root.is_dir():
      what = 'the file' if root.exists() else 'nothing at'
      raise ValueError(f'`data_dir` must be a directory, got {what} {root}.')
    return root
  if remembered and os.path.isdir(remembered):
    return pathlib.Path(remembered)
  if remembered:
    console.warn(
      f'the data of this run was in {remembered}, which is gone: looking in '
      f'{storage.default_data_dir()}'
    )
  return storage.resolve_data_dir()


def _needs_root(name):
  return name in sources.DATASETS and not sources.is_embedded(name)


def first(images: np.ndarray, most: int | None, of: str) -> np.ndarray:
  """The first images; says so if there are fewer than asked for."""
  # images [num_images, ...] -> [num, ...]
  if (most or 0) > len(images):
    console.warn(
      f'--max_images={most} is more than the {len(images)} of {of}: all are '
      'taken'
    )
  return images[:most]


def some(
  num: int, most: int | None, of: str, is_spread: bool = False
) -> np.ndarray:
  """Numbers of the first images, or of as many from all over.

  >>> some(10, 3, 'a set').tolist(), some(10, 3, 'a set', True).tolist()
  ([0, 1, 2], [0, 3, 6])

  Args:
    num: How many there are.
    most: How many are wanted, `None` for all.
    of: What they are of.
    is_spread: Whether they are to be from all over.

  Returns:
    Ascending integers, an array of shape `[min(num, most)]`.
  """
  numbers = np.arange(num)
  taken = len(first(numbers, most, of))
  return (
    np.arange(taken) * num // max(taken, 1) if is_spread else numbers[:taken]
  )


def trimmed(data: data_lib.ImageData, most: int | None) -> data_lib.ImageData:
  """The first images of each split, with their labels."""
  first(data.train, most, 'the training images')
  labels = data.labels and {s: y[:most] for s, y in data.labels.items()}
  return dataclasses.replace(
    data,
    train=data.train[:most],
    validation=data.validation[:most],
    test=data.test[:most],
    labels=labels,
  )


def check_same(
  run: workdirs.Run,
  data: data_lib.ImageData,
  data_dir: str | os.PathLike | None = None,
  argument: str = 'run',
) -> None:
  """Checks that another run is of the same images."""
  other = load(run, data_dir)
  if not all(
    np.array_equal(data.split(split), other.split(split))
    for split in image_data.SPLITS
  ):
    raise ValueError(
      f'`{argument}` must be a run on the same images, those of {data.name}, '
      f'got one on others, {other.name}.'
    )


def name_of(workdir: str | os.PathLike | None) -> str | None:
  """What a run is called: the last part of its path; `None` of none."""
  if workdir is None:
    return None
  return os.path.basename(os.path.abspath(workdir))


def label(workdir: str | os.PathLike, run: workdirs.Run) -> str:
  """Which weights of which run these are: 'omniglot, step 14,607 (last)'."""
  return f'{name_of(workdir)}, step {run.step:,} ({run.checkpoint})'
