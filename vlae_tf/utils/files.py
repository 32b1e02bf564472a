"""Atomic writing of files and directories.

They are filled in a directory `.writing-NAME` beside their place, which is
locked meanwhile. What a killed process left is removed by the next that writes
there.
"""

import contextlib
import ctypes
import fcntl
import itertools
import os
import pathlib
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

_PREFIX = '.writing-'
_HERE = -100  # AT_FDCWD of Linux: paths are relative to the working directory.
_EXCHANGE = 2  # RENAME_EXCHANGE of Linux.


def expanded(path: str | os.PathLike) -> pathlib.Path:
  """A path with `~` expanded, to the working directory without a home."""
  found = os.path.expanduser(path)
  # A container may run as a user whom its system does not know.
  return pathlib.Path('.' + found[1:] if found[:2] in ('~', '~/') else found)


def sweep(directory: pathlib.Path) -> None:
  """Removes what killed processes left half written in a directory."""
  for path in directory.glob(f'{_PREFIX}*'):
    with contextlib.suppress(OSError):
      handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
      try:
        # Whoever is writing there has it locked.
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path) if path.is_dir() else path.unlink()
      finally:
        os.close(handle)


@contextlib.contextmanager
def temporary(directory: pathlib.Path) -> Iterator[pathlib.Path]:
  """A directory within another, to fill what is renamed to its place then."""
  directory.mkdir(parents=True, exist_ok=True)
  sweep(directory)
  path, handle = _new_locked(directory)
  try:
    yield path
  finally:
    shutil.rmtree(path, ignore_errors=True)
    os.close(handle)


def _new_locked(directory):
  while True:
    path = pathlib.Path(tempfile.mkdtemp(dir=directory, prefix=_PREFIX))
    handle = os.open(path, os.O_RDONLY)
    with contextlib.suppress(OSError):  # Some file systems have no locks.
      fcntl.flock(handle, fcntl.LOCK_EX)
    if path.exists():  # Another process may have swept it before it was locked.
      return path, handle
    os.close(handle)


@contextlib.contextmanager
def literal(path: pathlib.Path) -> Iterator[str]:
  """A path by which TensorFlow finds the same file; its name must be plain.

  TensorFlow takes paths for patterns, and takes none that is not UTF-8.
  """
  if _is_plain(path):
    yield str(path)
    return
  handle = os.open(path.parent, os.O_RDONLY)
  try:
    yield f'/proc/self/fd/{handle}/{path.name}'
  finally:
    os.close(handle)


def _is_plain(path):
  return not re.search(r'[][*?\\\ud800-\udfff]', os.fspath(path))


def check_plain(path: str | os.PathLike, argument: str) -> None:
  """Checks that TensorFlow, elsewhere, will find what is written to a path."""
  if not _is_plain(path):
    raise ValueError(
      f'`{argument}` must be a path in UTF-8 without any of * ? [ ] \\, which '
      f'TensorFlow would take for a pattern, got {os.fspath(path)!r}.'
    )


@contextlib.contextmanager
def writing(path: str | os.PathLike) -> Iterator[None]:
  """Has errors of the system name the path: those of full disks do not."""
  try:
    yield
  except OSError as error:
    raise ValueError(f'Cannot write {path}: {error}.') from error


def check_writable(path: str | os.PathLike) -> None:
  """Checks, before long work, that a file can be written to a path."""
  path = pathlib.Path(path)
  with writing(path), temporary(path.parent) as folder:
    (folder / path.name).touch()
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
  # A path in the text may be in another encoding.
  write_bytes(path, text.encode('utf-8', 'backslashreplace'))


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
  with writing(path), temporary(path.parent) as folder:
    with open(folder / path.name, 'wb') as file:
      yield file
      file.flush()
      os.fsync(file.fileno())
    os.replace(folder / path.name, path)


def check_new_file(
  path: str | os.PathLike, overwrite: bool, suffix: str, argument: str = 'out'
) -> None:
  """Checks, before long work, that a path can become a file."""
  if not str(path).lower().endswith(suffix):
    raise ValueError(f'`{argument}` must end in {suffix}, got {str(path)!r}.')
  if os.path.isfile(path) and not overwrite:
    raise ValueError(
      f'`{argument}` must be a new file, got {path}, which is there already. '
      'It is kept; `overwrite` replaces it.'
    )
  try:
    check_writable(path)
  except (OSError, ValueError) as error:
    raise ValueError(
      f'`{argument}` must be a file to write: {error}'
    ) from error


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
    with temporary(path.absolute().parent) as folder:
      (folder / path.absolute().name).mkdir()
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
  with writing(path), temporary(path.parent) as folder:
    filled = folder / 'new'
    filled.mkdir()
    yield filled
    assert not _unlike(filled, kind), _unlike(filled, kind)
    for file in filled.rglob('*'):
      if file.is_file():
        with open(file, 'rb') as opened:
          os.fsync(opened.fileno())
    # Somebody may have made one meanwhile.
    check_new_directory(path, kind, overwrite, argument)
    _put(filled, path)


def _put(new, path):
  """Renames a directory; one that is at its new path takes its place."""
  if path.exists():
    rename = getattr(ctypes.CDLL(None), 'renameat2', None)
    names = os.fsencode(new), os.fsencode(path)
    if rename and not rename(_HERE, names[0], _HERE, names[1], _EXCHANGE):
      return
    # Where the system cannot exchange them, nothing is there for a moment.
    old = new.with_name('old')
    os.replace(path, old)
    try:
      os.replace(new, path)
    except BaseException:
      os.replace(old, path)
      raise
  else:
    os.replace(new, path)


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
