"""A disk that fails, or a process that is killed, at the k-th write.

Write points are: opening a file to write, every write to it, fsync, renaming,
removing, making and removing a directory, and each file that TensorFlow writes.
A write that fails has written half of its bytes. After a kill nothing else is
written: clean-up of `finally` has no effect, as after SIGKILL.
"""

import builtins
import contextlib
import errno
import io
import os
import pathlib
import sys
from unittest import mock

import keras
import tensorflow as tf

MODES = ('once', 'full', 'kill')
_EVENTS = ('os.rename', 'os.remove', 'os.rmdir', 'os.mkdir')
_FREE = ('os.rename', 'os.remove', 'os.rmdir')  # A full disk allows them.


class Killed(BaseException):
  """The end of the process."""


class Fault:
  """The fault of a run: at write point `at`, of a mode of `MODES`."""

  def __init__(self, folder, at, mode):
    self._folder, self._at, self._mode = os.fspath(folder), at, mode
    self.count = 0  # Write points so far.

  def point(self, what):
    """Counts a write point; raises if it fails."""
    self.count += 1
    if self.count < self._at or (self._mode == 'once' and self.happened > 1):
      return
    if self._mode == 'kill':
      raise Killed(what)
    if self._mode == 'once' or what not in _FREE:
      raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), what)

  @property
  def happened(self):
    """Number of points from the failing one on."""
    return self.count - self._at + 1

  def is_within(self, path):
    if isinstance(path, int):
      return False
    path = os.path.abspath(os.fsdecode(path))
    return path.startswith((self._folder, '/proc/self/fd'))


class _File:
  """A file whose writes are write points."""

  def __init__(self, file, fault):
    self._file, self._fault = file, fault

  def write(self, data):
    try:
      self._fault.point('write')
    except BaseException:
      self._file.write(data[: len(data) // 2])
      self._file.flush()
      raise
    return self._file.write(data)

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self._file.close()

  def __getattr__(self, name):
    return getattr(self._file, name)


_current: list[Fault] = []


def _audit(event, args):
  if not _current:
    return
  fault = _current[-1]
  if event == 'open':
    path, _, flags = args
    writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    # Devices, and standard streams, are no disk.
    if writes and fault.is_within(path):
      fault.point(event)
  elif event in _EVENTS:
    if any(fault.is_within(a) for a in args[:1]) or args[-1] not in (-1, None):
      fault.point(event)
  elif event == 'ctypes.dlsym' and args[1] == 'renameat2':
    fault.point('os.rename')


sys.addaudithook(_audit)


def _opener(fault, open_file):
  def opened(file, mode='r', *args, **kwargs):
    found = open_file(file, mode, *args, **kwargs)
    writes = set(mode) & set('wax+')
    if writes and not isinstance(file, int) and fault.is_within(file):
      return _File(found, fault)
    return found

  return opened


def _native(fault, function, place):
  """A function of TensorFlow that writes files, here half of them at fault."""

  def call(*args, **kwargs):
    try:
      fault.point('native')
    except BaseException as error:
      function(*args, **kwargs)
      prefix = pathlib.Path(os.fsdecode(place(args, kwargs))).resolve()
      for path in sorted(prefix.parent.rglob('*')):
        if path.is_file():
          os.truncate(path, path.stat().st_size // 2)
      if isinstance(error, OSError):
        raise tf.errors.ResourceExhaustedError(None, None, 'full') from error
      raise
    return function(*args, **kwargs)

  return call


@contextlib.contextmanager
def injected(folder, at=10**9, mode='once'):
  """Has write point number `at`, from 1 on, fail below a folder."""
  fault = Fault(folder, at, mode)
  synced = os.fsync

  def fsync(handle):
    fault.point('fsync')
    synced(handle)

  def hushed(function):
    # What TensorFlow opens within itself is of its own write point.
    def call(*args, **kwargs):
      _current.append(Fault(folder, 10**9, 'once'))
      try:
        return function(*args, **kwargs)
      finally:
        _current.pop()

    return call

  with contextlib.ExitStack() as stack:
    enter = stack.enter_context
    enter(mock.patch.object(os, 'fsync', fsync))
    enter(mock.patch.object(builtins, 'open', _opener(fault, open)))
    enter(mock.patch.object(io, 'open', _opener(fault, io.open)))
    for owner, name, place in (
      (tf.raw_ops, 'SaveV2', lambda args, kwargs: kwargs['prefix']),
      (tf.saved_model, 'save', lambda args, kwargs: args[1] + '/x'),
      (keras.Model, 'save_weights', lambda args, kwargs: args[1]),
    ):
      native = _native(fault, hushed(getattr(owner, name)), place)
      enter(mock.patch.object(owner, name, native))
    _current.append(fault)
    stack.callback(_current.pop)
    yield fault


def survived(folder, at, mode, work):
  """Does a piece of work with a fault; what it raised, if anything."""
  with injected(folder, at, mode) as fault:
    try:
      work()
      found = None
    except (Exception, Killed) as error:
      found = error.with_traceback(None)
      found.__context__ = found.__cause__ = None
  assert fault.count >= at, (fault.count, at)
  if mode == 'kill':
    _close_locks(folder)
  return found


def _close_locks(folder):
  """Closes what was open when a process was killed, as the system does."""
  for entry in os.listdir('/proc/self/fd'):
    with contextlib.suppress(OSError):
      path = os.readlink(f'/proc/self/fd/{entry}')
      if path.startswith(os.fspath(folder)) and '.writing-' in path:
        os.close(int(entry))


def points(folder, work):
  """Number of write points of a piece of work without a fault."""
  with injected(folder) as fault:
    work()
  return fault.count
