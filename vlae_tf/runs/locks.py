"""One process at a time writes to a run's directory.

The system lets go of a lock when its process ends, however that happens.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import socket
import sys
import time
from collections.abc import Iterator

NAME = 'train.lock'

# What this process holds: file descriptors, and how often each was asked for.
_held: dict[str, list[int]] = {}


def check(workdir: str | os.PathLike) -> None:
  """Checks that no other process trains in a directory; writes nothing."""
  path = _path(workdir)
  if path in _held:
    return
  with contextlib.suppress(FileNotFoundError, NotADirectoryError):
    file = os.open(path, os.O_RDONLY)
    try:
      _lock(file, path)
    finally:
      os.close(file)


@contextlib.contextmanager
def held(workdir: str | os.PathLike) -> Iterator[None]:
  """Keeps other processes from training in a directory."""
  path = _path(workdir)
  if path in _held:
    _held[path][1] += 1
  else:
    _held[path] = [_acquire(path), 1]
  try:
    yield
  finally:
    _held[path][1] -= 1
    if not _held[path][1]:
      file, _ = _held.pop(path)
      # Removed while it is locked: nobody else can hold it.
      with contextlib.suppress(OSError):
        os.unlink(path)
      os.close(file)


def _path(workdir):
  return os.path.realpath(pathlib.Path(workdir) / NAME)


def _acquire(path):
  """The descriptor of a locked file that says whose it is."""
  while True:
    try:
      os.makedirs(os.path.dirname(path), exist_ok=True)
      file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
      raise ValueError(f'Cannot write {path}: {error}.') from error
    try:
      _lock(file, path)
      if not _is_still_at(file, path):
        os.close(file)
        continue
      os.ftruncate(file, 0)
      os.write(file, json.dumps(_this_process()).encode())
      return file
    except BaseException:
      os.close(file)
      raise


def _is_still_at(file, path):
  """Whether the holder before did not remove the file in between."""
  try:
    return os.path.samestat(os.fstat(file), os.stat(path))
  except FileNotFoundError:
    return False


def _lock(file, path):
  try:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError:
    raise ValueError(
      f'`workdir` {os.path.dirname(path)} must not be trained in by two '
      f'processes at a time, but {_holder(path)} is at it.'
    ) from None
  except OSError:
    # Some network file systems have no locks; there is nothing to go by.
    pass


def _this_process():
  return dict(
    pid=os.getpid(),
    host=socket.gethostname(),
    since=time.strftime('%Y-%m-%d %H:%M:%S'),
    command=' '.join(sys.argv)[:200],
  )


def _holder(path):
  try:
    with open(path, encoding='utf-8') as file:
      it = json.load(file)
    return (
      f'process {it["pid"]} on {it["host"]} ({it["command"]}, since '
      f'{it["since"]})'
    )
  except (OSError, ValueError, KeyError, TypeError):
    return 'another process'
