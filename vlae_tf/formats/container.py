"""Reading, writing and salvaging `.vlae` files by chunk, see `docs/format.md`.

The bytes of a chunk's payload are not interpreted here.
"""

import contextlib
import dataclasses
import itertools
import os
import pathlib
import tempfile
from collections.abc import Iterable
from typing import NamedTuple

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
      with _errors(path):
        self.parsed = layout.read(self.file, 0, size)
        expected = self.parsed.file_size
        if size < expected:
          some = '; chunks before its end can be salvaged'
          raise ValueError(
            f'is cut short: it must have {expected} bytes, got {size}'
            f'{some if len(self.parsed.index) > 1 else ""}'
          )
        if size > expected:
          raise ValueError(
            f'has trailing bytes: it must have {expected}, got {size}'
          )
    except BaseException:
      self.file.close()
      raise
    self.header = self.parsed.header

  def __enter__(self) -> 'Archive':
    return self

  def __exit__(self, *exception) -> None:
    self.file.close()

  def payload(self, chunk: int) -> bytes:
    """The bytes of a chunk, as they were written."""
    self.header.images_of(chunk)  # Checks the number.
    start, length, crc = self.parsed.index.chunk(chunk)
    with _errors(self.path):
      self.file.seek(self.parsed.length + start)
      found = self.file.read(length)
      if layout.crc_of(self.header, chunk, found) != crc:
        raise ValueError(
          f'has a damaged chunk: {_places(self.header, chunk, chunk)} is lost'
        )
    return found

  def check(self) -> None:
    """Reads the whole file and checks all sums."""
    for chunk in range(self.header.num_chunks):
      self.payload(chunk)
    with _errors(self.path):
      _check_trailer(self.file, self.parsed)


@contextlib.contextmanager
def _errors(path):
  """Completes error messages by the path."""
  try:
    yield
  except ValueError as error:
    raise ValueError(f'{path} {error}.') from error
  except OSError as error:
    raise ValueError(f'Cannot read {path}: {error}.') from error


def _check_trailer(file, parsed):
  """Compares the trailer, if any, with the header that it copies."""
  if len(parsed.index) == 1:
    return
  length = parsed.length
  start = length + parsed.index.total
  copies = _blocks(file, 0, length), _blocks(file, start, length)
  same = all(a == b for a, b in zip(*copies))
  file.seek(start + length)
  end = length.to_bytes(layout.LENGTH_BYTES, 'little')
  if not same or file.read(layout.LENGTH_BYTES) != end:
    raise ValueError(
      'has a damaged trailer, which is needed only where the header is damaged'
    )


def _places(header, first, last):
  """Names a range of chunks and their images, for messages."""
  start, end = header.images_of(first)[0], header.images_of(last)[-1]
  chunks = f'chunk {first}' if first == last else f'chunks {first} to {last}'
  images = f'image {start}' if start == end else f'images {start} to {end}'
  return f'{chunks} ({images})'


def _blocks(file, start, length):
  """The bytes of a part of a file, `_BLOCK` at a time."""
  while length:
    file.seek(start)
    block = file.read(min(length, _BLOCK))
    if not block:
      raise OSError('it became shorter while it was read')
    yield block
    start += len(block)
    length -= len(block)


def write(
  out: str | os.PathLike,
  header: Header,
  payloads: Iterable[bytes],
  overwrite: bool = False,
) -> None:
  """Writes a file atomically, with one payload in memory at a time."""

  def check():
    files.check_new_file(out, overwrite, SUFFIX)

  _write(out, header, layout.Index(), payloads, [], check)


def append(archive: Archive, added: int, payloads: Iterable[bytes]) -> Header:
  """Appends images to a file atomically.

  Full chunks are copied. `payloads` begin with the last chunk if it is not
  full, encoded anew with its old images before the added ones.
  """
  if type(added) is not int or added < 1:
    raise ValueError(f'`added` must be a positive integer, got {added!r}.')
  path = os.path.realpath(archive.path)  # A link stays one.
  before = archive.header
  after = dataclasses.replace(before, count=before.count + added)
  index = layout.Index()
  for chunk in range(before.full_chunks):
    index.add(*archive.parsed.index.chunk(chunk)[1:])

  def check():
    try:
      there = os.stat(path)
    except OSError as error:
      raise ValueError(f'Cannot append to {path}: {error}.') from error
    if not os.path.samestat(there, os.fstat(archive.file.fileno())):
      raise ValueError(
        f'`archive` must be the file at {path}, which was replaced since it '
        'was opened. It is kept.'
      )

  old = _blocks(archive.file, archive.parsed.length, index.total)
  _write(path, after, index, payloads, old, check)
  return after


def _write(path, header, index, payloads, old, check):
  """Writes the blocks of the payloads in the index, then the payloads.

  `check` is called before they are made, and again before the file is written.
  """
  check()
  kept, path = index.total, pathlib.Path(path)
  # The header, which comes first, needs all lengths: payloads go to a temporary
  # file before. With a buffer, closing it on a full disk would fail once more.
  with files.writing(path):
    spool = tempfile.TemporaryFile(dir=path.absolute().parent, buffering=0)
  with spool:
    for payload in payloads:
      _add(index, header, payload)
      left = memoryview(payload)
      with files.writing(path):
        while left:
          left = left[spool.write(left) :]
      del payload, left  # Before the next one is made.
    if len(index) < header.num_chunks:
      raise ValueError(
        f'`payloads` must be those of {header.num_chunks} chunks in all, got '
        f'those of {len(index)}.'
      )
    check()
    packed = layout.pack(header, index)
    new = _blocks(spool, 0, index.total - kept)
    with files.new_file(path) as file:
      file.write(packed)
      for block in itertools.chain(old, new):
        file.write(block)
      if len(index) > 1:
        end = len(packed).to_bytes(layout.LENGTH_BYTES, 'little')
        file.write(packed + end)


def _add(index, header, payload):
  """Checks a payload and adds it to the index."""
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


class Salvaged(NamedTuple):
  """Contents of a file that could be read."""

  header: Header
  payloads: dict[int, bytes]  # Of intact chunks, by number.
  messages: list[str]  # Damage and lost images; none for an intact file.


def salvage(path: str | os.PathLike) -> Salvaged:
  """Reads all intact chunks, wherever the file is damaged."""
  # If the header is damaged, the trailer has a copy. Each chunk is looked for
  # at its distance from the start and at that from the end, and recognised by
  # its CRC-32: missing or added bytes cost only the chunk that they are in.
  file, size = layout.open_file(path)
  with file, _errors(path):
    parsed, messages = _find_header(file, size)
    shift = size - parsed.file_size
    if shift:
      messages.append(
        f'{abs(shift)} bytes are {"missing" if shift < 0 else "too many"}'
      )
    elif not messages:
      try:
        _check_trailer(file, parsed)
      except ValueError as error:
        messages.append(f'the file {error}')
    payloads, lost = _find_chunks(file, size, parsed)
  return Salvaged(parsed.header, payloads, messages + lost)


def _find_header(file, size):
  """The header, from the start or else the trailer, and messages."""
  try:
    return layout.read(file, 0, size), []
  except ValueError as error:
    why = str(error)
  try:
    end = size - layout.LENGTH_BYTES
    if end < 0:
      raise ValueError('is cut short')
    file.seek(end)
    length = int.from_bytes(file.read(layout.LENGTH_BYTES), 'little')
    if length > end:
      raise ValueError(f'has no {length} bytes of a header')
    parsed = layout.read(file, end - length, end)
    return parsed, [f'the file {why}; its trailer is used']
  except ValueError as error:
    raise ValueError(
      f'{why}; and at its end is no header, either: the file read from there '
      f'{error}'
    ) from error


def _find_chunks(file, size, parsed):
  """Payloads by number, and messages about lost chunks."""
  payloads, whys = {}, []  # Why each chunk is lost, '' if it is not.
  for chunk in range(len(parsed.index)):
    start, length, crc = parsed.index.chunk(chunk)
    start += parsed.length
    beyond = start + length > size
    whys.append('beyond the end of the file' if beyond else 'damaged')
    for place in dict.fromkeys((start, start + size - parsed.file_size)):
      if 0 <= place <= size - length:
        file.seek(place)
        found = file.read(length)
        if layout.crc_of(parsed.header, chunk, found) == crc:
          payloads[chunk], whys[-1] = found, ''
          break
  messages, first = [], 0
  for why, run in itertools.groupby(whys):
    num = len(list(run))
    if why:
      is_lost = 'is lost' if num == 1 else 'are lost'
      places = _places(parsed.header, first, first + num - 1)
      messages.append(f'{places} {is_lost}: {why}')
    first += num
  return payloads, messages
