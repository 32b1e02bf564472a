"""Where data sets lie, and where new ones may be written."""

import os
import pathlib

from vlae_tf.utils import console

ENVIRONMENT_VARIABLE = 'VLAE_TF_DATA_DIR'


def default_data_dir() -> pathlib.Path:
  """Returns the root of all data when no `data_dir` is given.

  Returns:
    The `pathlib.Path` in the environment variable `VLAE_TF_DATA_DIR`, or
    `~/vlae_tf_data`.
  """
  root = os.environ.get(ENVIRONMENT_VARIABLE) or '~/vlae_tf_data'
  return pathlib.Path(root).expanduser()


def resolve_data_dir(
  data_dir: str | os.PathLike | None = None,
) -> pathlib.Path:
  """Returns the root of all data: the argument, or else the default."""
  root = pathlib.Path(data_dir).expanduser() if data_dir else default_data_dir()
  if root.exists() and not root.is_dir():
    raise ValueError(f'`data_dir` must be a directory, got the file {root}.')
  return root


def root_of_run(
  given: str | os.PathLike | None, remembered: str | os.PathLike | None
) -> pathlib.Path:
  """Returns the root of all data for a command on a trained run."""
  if given is not None:
    root = pathlib.Path(given).expanduser()
    if not root.is_dir():
      what = 'the file' if root.exists() else 'nothing at'
      raise ValueError(f'`data_dir` must be a directory, got {what} {root}.')
    return root
  if remembered:
    if os.path.isdir(remembered):
      return pathlib.Path(remembered)
    console.warn(
      f'the data of this run was in {remembered}, which is gone: looking in '
      f'{default_data_dir()}'
    )
  return resolve_data_dir()


def cache_dir() -> pathlib.Path:
  """Returns where things are prepared when the root is read-only."""
  cache = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
  return pathlib.Path(cache).expanduser() / 'vlae_tf'


def writable_dir(root: pathlib.Path, name: str) -> pathlib.Path:
  """Returns the folder `name` of the root, or of the cache if read-only."""
  folder = root / name
  return folder if _is_writable(folder) else cache_dir() / name


def _is_writable(folder):
  while not folder.exists():
    folder = folder.parent
  # The superuser may write everywhere; a folder that is marked read-only
  # stays as it is all the same.
  return bool(folder.stat().st_mode & 0o222) and os.access(folder, os.W_OK)
