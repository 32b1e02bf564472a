"""Bytes of the header of a file of compressed images, see `docs/format.md`.

What is wrong with a file is said as the rest of a sentence that starts with the
name of the file, 'is cut short: ...', which the callers know.
"""

import array
import binascii
import dataclasses
import os
import stat
import zlib
from collections.abc import Callable
from typing import BinaryIO

from vlae_tf.formats import headers, varints
from vlae_tf.formats.headers import Header

# A V with its top bit set and the end of a line: a transfer as text, in seven
# bits or from one encoding to another leaves other bytes, namely these.
MAGIC = b'\xd6\r\n'
_AFTER_TEXT = (
  b'\xd6\r\r',
  b'\xd6\n\x01',
  b'V\r\n',
  b'\xc3\x96\r',
  b'\xef\xbf\xbd',
)
VERSION = 1
LENGTH_BYTES = 4  # Of the number that ends a trailer.
MAX_PAYLOAD = 2**32 - 1
_SUM_BYTES = 4
_CHECK_BYTES = 2
_EVERY = 64  # Every so many chunks, the index keeps an offset.


class Index:
  """Lengths and sums of the payloads, in little more than 8 bytes a chunk."""

  def __init__(self):
    self.total = 0
    self._starts = array.array('Q')
    self._lengths, self._sums = array.array('I'), array.array('I')

  def __len__(self) -> int:
    return len(self._lengths)

  def add(self, length: int, crc: int) -> None:
    """Puts a chunk after the others; `length` is at most `MAX_PAYLOAD`."""
    if len(self) % _EVERY == 0:
      self._starts.append(self.total)
    self._lengths.append(length)
    self._sums.append(crc)
    self.total += length

  def chunk(self, number: int) -> tuple[int, int, int]:
    """Offset among the payloads, length and CRC-32 of a chunk."""
    block = number // _EVERY
    before = self._lengths[block * _EVERY : number]
    start = self._starts[block] + sum(before)
    return start, self._lengths[number], self._sums[number]


@dataclasses.dataclass(frozen=True)
class Parsed:
  """A header as it was read, or is to be written."""

  header: Header  # `Header`.
  index: Index  # `Index` of all its chunks.
  length: int  # Bytes of both and their check.

  @property
  def file_size(self) -> int:
    """Bytes of a whole file: that of one chunk has no trailer."""
    trailer = self.length + LENGTH_BYTES if len(self.index) > 1 else 0
    return self.length + self.index.total + trailer


def crc_of(header: Header, chunk: int, payload: bytes) -> int:
  """CRC-32 of the settings and of a chunk: number, images and bytes."""
  images = len(header.images_of(chunk))
  start = _settings(header) + varints.encode(chunk) + varints.encode(images)
  return zlib.crc32(payload, zlib.crc32(start))


def pack(header: Header, index: Index) -> bytes:
  """The bytes of a header, its index and its check."""
  packed = bytearray(_settings(header) + varints.encode(header.count))
  for k in range(len(index)):
    _, length, crc = index.chunk(k)
    packed += varints.encode(length) + crc.to_bytes(_SUM_BYTES, 'little')
  packed += binascii.crc_hqx(packed, 0xFFFF).to_bytes(_CHECK_BYTES, 'little')
  return bytes(packed)


def trailer_end(length: int) -> bytes:
  """The last bytes of a trailer: how long the header before them is."""
  return length.to_bytes(LENGTH_BYTES, 'little')


def _settings(header):
  """The first bytes, which stay when images are appended."""
  first = headers.MODES.index(header.mode)
  first |= headers.LANES.index(header.lanes) << 2
  first |= header.arithmetic << 5
  steps = headers.STEPS.index(header.step)
  steps |= headers.STEPS.index(header.direct_step) << 4
  packed = MAGIC + bytes([VERSION, first, steps]) + header.fingerprint
  numbers = (*header.image_shape, header.chunk_size)
  return packed + b''.join(varints.encode(n) for n in numbers)


def open_file(path: str | os.PathLike) -> tuple[BinaryIO, int]:
  """Opens a file, which a device or a pipe is not."""
  try:
    # A pipe would wait here for somebody who writes.
    if not stat.S_ISREG(os.stat(path).st_mode):
      raise ValueError(f'Cannot read {path}: it is not a regular file.')
    file = open(path, 'rb')
    return file, os.fstat(file.fileno()).st_size
  except OSError as error:
    raise ValueError(f'Cannot read {path}: {error}.') from error


class _CutShortError(ValueError):
  """There are no more bytes."""


class _Source:
  """Bytes of a file from some place on, counted and summed."""

  def __init__(self, file, start, size):
    file.seek(start)
    self._file = file
    self.left = size - start
    self.taken = 0
    self.crc = 0xFFFF

  def take(self, length):
    if length > self.left:
      raise _CutShortError('is cut short: it ends within its header')
    data = self._file.read(length)
    if len(data) < length:
      raise OSError('it became shorter while it was read')
    self.left -= length
    self.taken += length
    self.crc = binascii.crc_hqx(data, self.crc)
    return data


def read(file: BinaryIO, start: int, size: int) -> Parsed:
  """Reads a header; a number in it makes nothing large before it is checked."""
  source = _Source(file, start, size)
  _check_magic(source.take(max(0, min(len(MAGIC), source.left))))
  (version,) = source.take(1)
  if version != VERSION:
    raise ValueError(
      f'is of version {version} of the format, of which this release reads '
      f'version {VERSION}'
    )
  settings = source.take(2 + headers.FINGERPRINT_BYTES)
  numbers = [_number(source.take, varints.MAX) for _ in range(5)]
  index = _read_index(source, chunk_size=numbers[3], count=numbers[4])
  crc = source.crc
  if int.from_bytes(source.take(_CHECK_BYTES), 'little') != crc:
    raise ValueError('has a damaged header: its check does not fit')
  return Parsed(_header(settings, numbers), index, source.taken)


def _check_magic(found):
  """Checks the first bytes; a file with others is of any kind."""
  if found != MAGIC:
    text = ' as a transfer as text leaves it' if found in _AFTER_TEXT else ''
    raise ValueError(
      f'is no file of compressed images: it must start with {MAGIC.hex(" ")}, '
      f'got {found.hex(" ") or "nothing"}{text}'
    )


def _number(take: Callable[[int], bytes], most: int) -> int:
  try:
    value = varints.decode(take)
  except _CutShortError:
    raise
  except ValueError as error:
    raise ValueError(f'has a damaged header: {error}') from error
  if value > most:
    raise ValueError(f'has a damaged header: {value} must be at most {most}')
  return value


def _read_index(source, chunk_size, count):
  """Reads the lengths and sums, if there can be so many of them."""
  if not count or not chunk_size:
    raise ValueError('claims absurd values: no images')
  chunks = -(-count // chunk_size)
  if chunks > headers.MAX_CHUNKS:
    raise ValueError(
      f'claims absurd values: {chunks} chunks, of at most {headers.MAX_CHUNKS}'
    )
  if chunks * (1 + _SUM_BYTES) > source.left:
    raise ValueError(
      f'is cut short or has a damaged header: it claims {chunks} chunks, with '
      f'{source.left} bytes left to list them'
    )
  index = Index()
  for _ in range(chunks):
    length = _number(source.take, MAX_PAYLOAD)
    index.add(length, int.from_bytes(source.take(_SUM_BYTES), 'little'))
  return index


def _header(settings, numbers):
  """The `Header` of bytes that passed their check."""
  first, steps = settings[:2]
  if first & 3 >= len(headers.MODES):
    raise ValueError(
      f'is of mode {first & 3}, of which this release reads 0 and 1'
    )
  height, width, channels, chunk_size, count = numbers
  try:
    return Header(
      mode=headers.MODES[first & 3],
      fingerprint=settings[2:],
      image_shape=(height, width, channels),
      count=count,
      chunk_size=chunk_size,
      lanes=headers.LANES[first >> 2 & 7],
      step=headers.STEPS[steps & 15],
      direct_step=headers.STEPS[steps >> 4],
      arithmetic=first >> 5,
    )
  except ValueError as error:
    why = str(error).rstrip('.')
    raise ValueError(f'claims absurd values: {why}') from error
