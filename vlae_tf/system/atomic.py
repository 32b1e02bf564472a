"""Files that are there whole, or not at all."""

import itertools
import os
import pathlib
import tempfile


def check_writable(path: str | os.PathLike) -> None:
  """Checks, before long work, that a file can be written to a path.

  Args:
    path: Path of the file; its directory is made.

  Raises:
    ValueError: It cannot.
  """
  path = pathlib.Path(path)
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix='.writing-'):
      pass
  except OSError as error:
    raise ValueError(f'Cannot write {path}: {error}.') from error
  if path.is_dir():
    raise ValueError(f'Cannot write {path}: it is a directory.')


def write_bytes(path: str | os.PathLike, data: bytes) -> None:
  """Writes a file in one step, so that a reader never sees half of it.

  Args:
    path: Path to write; its directory is made.
    data: Bytes.

  Raises:
    ValueError: The path cannot be written.
  """
  path = pathlib.Path(path)
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix='.writing-')
    try:
      with os.fdopen(handle, 'wb') as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
      os.chmod(temporary, 0o644)
      os.replace(temporary, path)
    except BaseException:
      os.unlink(temporary)
      raise
  except OSError as error:
    raise ValueError(f'Cannot write {path}: {error}.') from error


def write_text(path: str | os.PathLike, text: str) -> None:
  """Writes a UTF-8 text file in one step, see `write_bytes`."""
  write_bytes(path, text.encode('utf-8'))


def set_aside(path: str | os.PathLike) -> pathlib.Path:
  """Renames what is in the way to the first free `PATH.aside-NUMBER`.

  Args:
    path: Path of a file or directory.

  Returns:
    Its new path.

  Raises:
    ValueError: It cannot be renamed.
  """
  path = pathlib.Path(path)
  numbers = itertools.count(1)
  names = (path.with_name(f'{path.name}.aside-{n}') for n in numbers)
  free = next(name for name in names if not os.path.lexists(name))
  try:
    os.replace(path, free)
  except OSError as error:
    raise ValueError(f'Cannot rename {path}: {error}.') from error
  return free
