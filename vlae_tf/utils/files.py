"""Atomic writing of files and directories."""

import contextlib
import itertools
import math
import os
import pathlib
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt


def check_writable(path: str | os.PathLike) -> None:
  """Checks, before long work, that a file can be written to a path."""
  path = pathlib.Path(path)
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix='.writing-'):
      pass
  except OSError as error:
    raise ValueError(f'Cannot write {path}: {error}.') from error
  if path.is_dir():
    raise ValueError(f'Cannot write {path}: it is a directory.')


def open_regular(path: str | os.PathLike) -> BinaryIO:
  """Opens a regular file: a pipe would wait, some devices never end."""
  try:
    if not stat.S_ISREG(os.stat(path).st_mode):
      raise ValueError(f'Cannot read {path}: it is not a regular file.')
    return open(path, 'rb')
  except OSError as error:
    raise ValueError(f'Cannot read {path}: {error}.') from error


def write_bytes(path: str | os.PathLike, data: bytes) -> None:
  """Writes a file atomically."""
  with new_file(pathlib.Path(path)) as file:
    file.write(data)


def write_text(path: str | os.PathLike, text: str) -> None:
  """Writes a UTF-8 text file atomically."""
  write_bytes(path, text.encode('utf-8'))


def finite(values: Mapping[str, Any]) -> dict[str, Any]:
  """Values for JSON, which has no NaN: `None` in place of such numbers."""
  return {
    name: None if isinstance(v, float) and not math.isfinite(v) else v
    for name, v in values.items()
  }


def write_arrays(
  path: str | os.PathLike, arrays: Mapping[str, npt.ArrayLike]
) -> None:
  """Writes a `.npz` file atomically."""
  with new_file(pathlib.Path(path)) as file:
    found: dict[str, Any] = {name: np.asarray(x) for name, x in arrays.items()}
    np.savez(file, **found)


@contextlib.contextmanager
def new_file(path: pathlib.Path) -> Iterator[BinaryIO]:
  """A binary file to fill, which replaces `path` at the end."""
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix='.writing-')
    try:
      with os.fdopen(handle, 'wb') as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
      os.chmod(temporary, 0o644)
      os.replace(temporary, path)
    except BaseException:
      os.unlink(temporary)
      raise
  except OSError as error:
    raise ValueError(f'Cannot write {path}: {error}.') from error


def check_new_file(
  path: str | os.PathLike, overwrite: bool, suffix: str
) -> None:
  """Checks, before long work, that `out` can become a file."""
  if not str(path).lower().endswith(suffix):
    raise ValueError(f'`out` must end in {suffix}, got {str(path)!r}.')
  if os.path.isfile(path) and not overwrite:
    raise ValueError(
      f'`out` must be a new file, got {path}, which is there already. It is '
      'kept; `overwrite` replaces it.'
    )
  try:
    check_writable(path)
  except (OSError, ValueError) as error:
    raise ValueError(f'`out` must be a file to write: {error}') from error


class Kind(NamedTuple):
  """Contents by which directories that may be replaced are recognised."""

  marker: str  # Relative path of a file in every such directory.
  names: tuple[str, ...]  # All names that may be in it.


def check_new_directory(
  path: str | os.PathLike, kind: Kind, overwrite: bool, argument: str = 'out'
) -> None:
  """Checks, before long work, that `new_directory` can make a directory."""
  path = pathlib.Path(path)
  if os.path.lexists(path):
    if not overwrite:
      raise ValueError(
        f'`{argument}` must be a new directory, got {path}, which is there '
        'already. It is kept; `overwrite` replaces it.'
      )
    why = _unlike(path, kind)
    if why:
      raise ValueError(
        f'`{argument}` must be new, or a directory of the same kind to be '
        f'replaced with `overwrite`, got {path}, which {why}. It is kept.'
      )
  try:
    path.absolute().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.absolute().parent) as folder:
      os.mkdir(os.path.join(folder, path.absolute().name))
  except OSError as error:
    raise ValueError(
      f'`{argument}` must be a path to write: {error}.'
    ) from error


def _unlike(path, kind):
  """The difference of a path from a directory of a kind, '' without one."""
  if path.is_symlink() or not path.is_dir():
    return 'is no directory'
  if not (path / kind.marker).is_file():
    return f'has no {kind.marker}'
  others = sorted({p.name for p in path.iterdir()} - {*kind.names})
  return f'holds {others[0]}, too' if others else ''


@contextlib.contextmanager
def new_directory(
  path: str | os.PathLike, kind: Kind, overwrite: bool, argument: str = 'out'
) -> Iterator[pathlib.Path]:
  """Makes a directory atomically: filled beside its place, then renamed."""
  check_new_directory(path, kind, overwrite, argument)
  path = pathlib.Path(path).absolute()
  temporary = pathlib.Path(
    tempfile.mkdtemp(dir=path.parent, prefix='.writing-')
  )
  try:
    filled, old = temporary / 'new', temporary / 'old'
    filled.mkdir()
    yield filled
    assert not _unlike(filled, kind), _unlike(filled, kind)
    for file in filled.rglob('*'):
      if file.is_file():
        with open(file, 'rb') as opened:
          os.fsync(opened.fileno())
    # Somebody may have made one meanwhile.
    check_new_directory(path, kind, overwrite, argument)
    if path.exists():
      os.replace(path, old)
    os.replace(filled, path)
  except OSError as error:
    raise ValueError(f'Cannot write {path}: {error}.') from error
  finally:
    if old.exists() and not path.exists():
      os.replace(old, path)
    shutil.rmtree(temporary, ignore_errors=True)


def set_aside(path: str | os.PathLike) -> pathlib.Path:
  """Renames a path to the first free `PATH.aside-NUMBER`."""
  path = pathlib.Path(path)
  numbers = itertools.count(1)
  names = (path.with_name(f'{path.name}.aside-{n}') for n in numbers)
  free = next(name for name in names if not os.path.lexists(name))
  try:
    os.replace(path, free)
  except OSError as error:
    raise ValueError(f'Cannot rename {path}: {error}.') from error
  return free
