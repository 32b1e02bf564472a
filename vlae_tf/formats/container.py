"""Reading and writing `.vlae` files chunk by chunk, see `docs/format.md`.

The bytes of a chunk's payload are not interpreted here.
"""

import contextlib
import dataclasses
import itertools
import os
import pathlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

import numpy as np

from vlae_tf.formats import layout
from vlae_tf.formats.layout import Header
from vlae_tf.utils import files

SUFFIX = '.vlae'
_BLOCK = 2**16  # Bytes copied or compared at once.


class Archive:
  """A file that is open for reading, as a context manager."""

  def __init__(self, path: str | os.PathLike):
    self.path = path
    self.file, size = layout.open_file(path)
    try:
      with self._errors():
        self.parsed = layout.read(self.file, 0, size)
        _check_size(self.parsed, size)
    except BaseException:
      self.file.close()
      raise
    self.header = self.parsed.header

  def __enter__(self) -> 'Archive':
    return self

  def __exit__(self, *exception) -> None:
    self.file.close()

  @contextlib.contextmanager
  def _errors(self):
    """Completes error messages by the path."""
    try:
      yield
    except ValueError as error:
      raise ValueError(f'{self.path} {error}.') from error
    except OSError as error:
      raise ValueError(f'Cannot read {self.path}: {error}.') from error

  def payload(self, chunk: int) -> bytes:
    """The bytes of a chunk, as they were written."""
    self.header.images_of(chunk)  # Checks the number.
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
    """Reads the whole file and checks all sums."""
    for chunk in range(self.header.num_chunks):
      self.payload(chunk)
    with self._errors():
      check_trailer(self.file, self.parsed)


def check_trailer(file: BinaryIO, parsed: layout.Parsed) -> None:
  """Compares the trailer, if any, with the header that it copies."""
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
  """Names a range of chunks and their images, for messages."""
  start, end = header.images_of(first)[0], header.images_of(last)[-1]
  chunks = f'chunk {first}' if first == last else f'chunks {first} to {last}'
  images = f'image {start}' if start == end else f'images {start} to {end}'
  return f'{chunks} ({images})'


def _check_size(parsed, size):
  """Checks a file's size against its header."""
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
  """The bytes of a part of a file, `_BLOCK` at a time."""
  while length:
    file.seek(start)
    block = file.read(min(length, _BLOCK))
    if not block:
      raise OSError('it became shorter while it was read')
    yield block
    start += len(block)
    length -= len(block)


def chunks_with(header: Header, images: Sequence[int]) -> list[int]:
  """Numbers of the chunks of some images, or of all if none is given."""
  if not images:
    return list(range(header.num_chunks))
  return sorted({header.chunk_of(image)[0] for image in images})


class Picked:
  """Selection of images from chunks, by number, or of all their images."""

  def __init__(
    self, header: Header, chunks: Sequence[int], images: Sequence[int]
  ):
    self._header, self._images = header, images
    self.num_decoded = sum(len(header.images_of(chunk)) for chunk in chunks)
    self.num_wanted = len(images) or self.num_decoded

  def pick(
    self, parts: Iterable[tuple[int, np.ndarray]]
  ) -> Iterator[np.ndarray]:
    """The images of each chunk in order, or the selected ones one by one."""
    found = {}
    for chunk, images in parts:
      if not self._images:
        yield images
        continue
      for number, image in zip(self._header.images_of(chunk), images):
        if number in self._images:
          found[number] = image
    for number in self._images:
      yield found[number][None]


def write(
  out: str | os.PathLike,
  header: Header,
  payloads: Iterable[bytes],
  overwrite: bool = False,
) -> None:
  """Writes a file atomically, with one payload in memory at a time."""
  # The header, which comes first, needs all lengths: payloads go to a temporary
  # file before.
  files.check_new_file(out, overwrite, SUFFIX)
  index = layout.Index()
  with _spool(out) as spool:
    _fill(spool, out, header, index, payloads)
    files.check_new_file(out, overwrite, SUFFIX)  # It may have come meanwhile.
    _assemble(out, header, index, [blocks(spool, 0, index.total)])


def append(archive: Archive, added: int, payloads: Iterable[bytes]) -> Header:
  """Appends images to a file atomically.

  Full chunks are copied. `payloads` begin with the last chunk if it is not
  full, encoded anew with its old images before the added ones.
  """
  if type(added) is not int or added < 1:
    raise ValueError(f'`added` must be a positive integer, got {added!r}.')
  path = os.path.realpath(archive.path)  # A link stays one.
  before, start = archive.header, archive.parsed.length
  after = dataclasses.replace(before, count=before.count + added)
  index = layout.Index()
  for chunk in range(before.full_chunks):
    index.add(*archive.parsed.index.chunk(chunk)[1:])
  kept = index.total
  _check_unchanged(archive, path)
  with _spool(path) as spool:
    _fill(spool, path, after, index, payloads)
    _check_unchanged(archive, path)
    old = blocks(archive.file, start, kept)
    new = blocks(spool, 0, index.total - kept)
    _assemble(path, after, index, [old, new])
  return after


def _check_unchanged(archive, path):
  """Checks that a file was not replaced since it was opened."""
  try:
    there = os.stat(path)
  except OSError as error:
    raise ValueError(f'Cannot append to {path}: {error}.') from error
  if not os.path.samestat(there, os.fstat(archive.file.fileno())):
    raise ValueError(
      f'`archive` must be the file at {path}, which was replaced since it was '
      'opened. It is kept.'
    )


def _spool(path):
  """A temporary file on the disk of another."""
  try:
    # With a buffer, closing it on a full disk would fail once more.
    return tempfile.TemporaryFile(
      dir=pathlib.Path(path).absolute().parent, buffering=0
    )
  except OSError as error:
    raise ValueError(f'Cannot write {path}: {error}.') from error


def _fill(spool, path, header, index, payloads):
  """Writes payloads to the spool and their lengths and sums to the index."""
  for payload in payloads:
    chunk = len(index)
    if chunk == header.num_chunks:
      raise ValueError(
        f'`payloads` must be those of {chunk} chunks in all, got one more.'
      )
    if not isinstance(payload, bytes) or len(payload) > layout.MAX_PAYLOAD:
      raise ValueError(
        f'`payloads` must be bytes, at most {layout.MAX_PAYLOAD} in each, got '
        f'{type(payload).__name__} for chunk {chunk}.'
      )
    index.add(len(payload), layout.crc_of(header, chunk, payload))
    _put(spool, path, payload)
    del payload  # Before the next one is made.
  if len(index) < header.num_chunks:
    raise ValueError(
      f'`payloads` must be those of {header.num_chunks} chunks in all, got '
      f'those of {len(index)}.'
    )


def _put(spool, path, payload):
  """Writes a payload; only errors of the disk become `ValueError`s."""
  left = memoryview(payload)
  try:
    while left:
      left = left[spool.write(left) :]
  except OSError as error:
    raise ValueError(f'Cannot write {path}: {error}.') from error


def _assemble(path, header, index, parts):
  """Writes header, blocks of payloads and trailer to the path."""
  packed = layout.pack(header, index)
  with files.new_file(pathlib.Path(path)) as file:
    file.write(packed)
    for block in itertools.chain(*parts):
      file.write(block)
    if len(index) > 1:
      file.write(packed + layout.trailer_end(len(packed)))
