"""Reading files of compressed images; `container` writes them."""

import contextlib
import os
from collections.abc import Iterator
from typing import BinaryIO

from vlae_tf.formats import layout
from vlae_tf.formats.headers import Header

_BLOCK = 2**16  # Bytes copied or compared at once.


class Archive:
  """A file that is open for reading; closes itself as a context manager."""

  def __init__(self, path: str | os.PathLike):
    self.path = path
    self.file, size = layout.open_file(path)
    try:
      with self._errors():
        self.parsed = layout.read(self.file, 0, size)
        _check_size(self.parsed, size)
    except BaseException:
      self.close()
      raise
    self.header = self.parsed.header

  def __enter__(self) -> 'Archive':
    return self

  def __exit__(self, *exception) -> None:
    self.close()

  def close(self) -> None:
    """Closes the file."""
    self.file.close()

  @contextlib.contextmanager
  def _errors(self):
    """Makes sentences of what is wrong, which start with the file."""
    try:
      yield
    except ValueError as error:
      raise ValueError(f'{self.path} {error}.') from error
    except OSError as error:
      raise ValueError(f'Cannot read {self.path}: {error}.') from error

  def payload(self, chunk: int) -> bytes:
    """The bytes of a chunk, as they were written."""
    self.header.images_of(chunk)  # There must be such a chunk.
    start, length, crc = self.parsed.index.chunk(chunk)
    with self._errors():
      self.file.seek(self.parsed.length + start)
      found = self.file.read(length)
      if layout.crc_of(self.header, chunk, found) != crc:
        raise ValueError(
          f'has a damaged chunk: {places(self.header, chunk, chunk)} is lost'
        )
    return found

  def check(self) -> None:
    """Reads all of the file."""
    for chunk in range(self.header.num_chunks):
      self.payload(chunk)
    with self._errors():
      check_trailer(self.file, self.parsed)


def check_trailer(file: BinaryIO, parsed: layout.Parsed) -> None:
  """Compares the trailer, if there is one, with the header that it copies."""
  if len(parsed.index) == 1:
    return
  length = parsed.length
  start = length + parsed.index.total
  copies = blocks(file, 0, length), blocks(file, start, length)
  same = all(a == b for a, b in zip(*copies))
  file.seek(start + length)
  end = layout.trailer_end(length)
  if not same or file.read(layout.LENGTH_BYTES) != end:
    raise ValueError(
      'has a damaged trailer, which is needed only where the header is damaged'
    )


def places(header: Header, first: int, last: int) -> str:
  """Names chunks and their images, numbered from 0, for people."""
  start, end = header.images_of(first)[0], header.images_of(last)[-1]
  chunks = f'chunk {first}' if first == last else f'chunks {first} to {last}'
  images = f'image {start}' if start == end else f'images {start} to {end}'
  return f'{chunks} ({images})'


def _check_size(parsed, size):
  """Checks that a file has the bytes that its header says."""
  expected = parsed.file_size
  if size < expected:
    some = '; chunks before its end can be salvaged'
    raise ValueError(
      f'is cut short: it must have {expected} bytes, got {size}'
      f'{some if len(parsed.index) > 1 else ""}'
    )
  if size > expected:
    raise ValueError(f'has trailing bytes: it must have {expected}, got {size}')


def blocks(file: BinaryIO, start: int, length: int) -> Iterator[bytes]:
  """The bytes of a part of a file, a few at a time."""
  while length:
    file.seek(start)
    block = file.read(min(length, _BLOCK))
    if not block:
      raise OSError('it became shorter while it was read')
    yield block
    start += len(block)
    length -= len(block)
