"""Files that are there whole, or not at all."""

import os
import pathlib
import tempfile


def write_bytes(path, data):
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


def write_text(path, text):
  """Writes a UTF-8 text file in one step, see `write_bytes`."""
  write_bytes(path, text.encode('utf-8'))
