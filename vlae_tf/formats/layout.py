"""Binary layout of `.vlae` files: header and index, see `docs/format.md`.

Errors about a file complete a sentence that callers begin with its name: 'is
cut short: ...'.
"""

import array
import binascii
import dataclasses
import math
import os
import zlib
from typing import BinaryIO

from vlae_tf.utils import files
from vlae_tf.utils.fields import check

# The top bit of the V is set and the end of a line follows, so that a transfer
# as text, in seven bits or with another encoding, is detected by its result.
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
_MAX_VARINT_BYTES = 6
MAX_VARINT = 2 ** (7 * _MAX_VARINT_BYTES) - 1

MODES = ('lossless', 'lossy')
LANES = tuple(2**n for n in range(8))
# By their number in four bits; finer powers of two were of no use.
STEPS = (*(2.0 ** (3 - n) for n in range(12)), 6.0, 3.0, 1.5, 0.75)
FINGERPRINT_BYTES = 8
MAX_SIDE = 2**16
MAX_COUNT = 2**40
MAX_CHUNKS = 2**24
MAX_CHUNK_VALUES = 2**27
MAX_ARITHMETIC = 7


@dataclasses.dataclass(frozen=True)
class Header:
  """Settings of a file: what is needed to decode its payloads."""

  mode: str  # 'lossless', or 'lossy' for images that come back changed.
  fingerprint: bytes  # First bytes of the model's SHA-256.
  image_shape: tuple[int, int, int]  # Height, width and channels.
  count: int  # Number of images.
  chunk_size: int  # Images in a chunk; the last one has the rest.
  lanes: int  # Number of interleaved coders.
  step: float  # Step of the lattice of latents.
  direct_step: float  # The same for images that are coded without bits back.
  arithmetic: int = 1  # Version of the integer arithmetic of probabilities.

  def __post_init__(self):
    choices = dict(mode=MODES, lanes=LANES, step=STEPS, direct_step=STEPS)
    for name, known in choices.items():
      value = getattr(self, name)
      fits = value in known and not isinstance(value, bool)
      check(name, value, fits, f'one of {known}')
    _check_integer('count', self.count, 1, MAX_COUNT)
    _check_integer('chunk_size', self.chunk_size, 1, MAX_CHUNK_VALUES)
    _check_integer('arithmetic', self.arithmetic, 1, MAX_ARITHMETIC)
    given, shape = self.fingerprint, self.image_shape
    fits = isinstance(given, bytes) and len(given) == FINGERPRINT_BYTES
    check('fingerprint', given, fits, f'{FINGERPRINT_BYTES} bytes')
    fits = isinstance(shape, tuple) and len(shape) == 3
    fits = fits and all(type(n) is int and 1 <= n <= MAX_SIDE for n in shape)
    needs = 'a tuple of height, width and channels, each an integer from 1 to '
    check('image_shape', shape, fits, f'{needs}{MAX_SIDE}')
    values = self.chunk_size * math.prod(shape)
    if values > MAX_CHUNK_VALUES:
      raise ValueError(
        f'`chunk_size` must keep a chunk to {MAX_CHUNK_VALUES} values, got '
        f'{self.chunk_size} images with {values} of them.'
      )
    if self.num_chunks > MAX_CHUNKS:
      raise ValueError(
        f'`chunk_size` must be so large that at most {MAX_CHUNKS} chunks hold '
        f'all images, got {self.chunk_size}, which takes {self.num_chunks}.'
      )

  @property
  def num_chunks(self) -> int:
    """Number of chunks, of which the last may not be full."""
    return -(-self.count // self.chunk_size)

  @property
  def full_chunks(self) -> int:
    """Number of chunks that have `chunk_size` images."""
    return self.count // self.chunk_size

  def images_of(self, chunk: int) -> range:
    """Numbers of the images of a chunk."""
    _check_integer('chunk', chunk, 0, self.num_chunks - 1)
    first = chunk * self.chunk_size
    return range(first, min(first + self.chunk_size, self.count))

  def chunk_of(self, image: int) -> int:
    """Number of the chunk of an image."""
    _check_integer('image', image, 0, self.count - 1)
    return image // self.chunk_size


def _check_integer(name, value, least, most):
  fits = type(value) is int and least <= value <= most
  check(name, value, fits, f'an integer from {least} to {most}')


def encode_varint(value: int) -> bytes:
  """Encodes an integer in LEB128: 7 bits a byte, low bits first.

  >>> encode_varint(300).hex()
  'ac02'
  """
  _check_integer('value', value, 0, MAX_VARINT)
  encoded = bytearray()
  while value > 0x7F:
    encoded.append(value & 0x7F | 0x80)
    value >>= 7
  return bytes([*encoded, value])


class Index:
  """Offset among the payloads, length and CRC-32 of each payload."""

  def __init__(self):
    self.total = 0
    # Compact: there may be millions.
    self._starts = array.array('Q')
    self._lengths, self._sums = array.array('I'), array.array('I')

  def __len__(self) -> int:
    return len(self._lengths)

  def add(self, length: int, crc: int) -> None:
    """Appends a chunk; `length` is at most `MAX_PAYLOAD`."""
    self._starts.append(self.total)
    self._lengths.append(length)
    self._sums.append(crc)
    self.total += length

  def chunk(self, number: int) -> tuple[int, int, int]:
    """Offset, length and CRC-32 of a chunk."""
    return self._starts[number], self._lengths[number], self._sums[number]


@dataclasses.dataclass(frozen=True)
class Parsed:
  """A header as it was read."""

  header: Header
  index: Index
  length: int  # Bytes of both and their check.

  @property
  def file_size(self) -> int:
    """Bytes of the whole file; a file of one chunk has no trailer."""
    trailer = self.length + LENGTH_BYTES if len(self.index) > 1 else 0
    return self.length + self.index.total + trailer


def crc_of(header: Header, chunk: int, payload: bytes) -> int:
  """CRC-32 of the settings and of a chunk: number, images and bytes."""
  images = len(header.images_of(chunk))
  start = _settings(header) + encode_varint(chunk) + encode_varint(images)
  return zlib.crc32(payload, zlib.crc32(start))


def pack(header: Header, index: Index) -> bytes:
  """The bytes of a header, its index and its check."""
  packed = bytearray(_settings(header) + encode_varint(header.count))
  for k in range(len(index)):
    _, length, crc = index.chunk(k)
    packed += encode_varint(length) + crc.to_bytes(_SUM_BYTES, 'little')
  packed += binascii.crc_hqx(packed, 0xFFFF).to_bytes(_CHECK_BYTES, 'little')
  return bytes(packed)


def _settings(header):
  """The first bytes, which stay when images are appended."""
  first = MODES.index(header.mode) | LANES.index(header.lanes) << 2
  first |= header.arithmetic << 5
  steps = STEPS.index(header.step) | STEPS.index(header.direct_step) << 4
  packed = MAGIC + bytes([VERSION, first, steps]) + header.fingerprint
  numbers = (*header.image_shape, header.chunk_size)
  return packed + b''.join(encode_varint(n) for n in numbers)


def open_file(path: str | os.PathLike) -> tuple[BinaryIO, int]:
  """Opens a regular file; returns it and its size."""
  file = files.open_regular(path)
  return file, os.fstat(file.fileno()).st_size


class _Source:
  """Bytes of a file from some place on, with their sum."""

  def __init__(self, file, start, size):
    file.seek(start)
    self._file = file
    self.left = size - start
    self.crc = 0xFFFF

  def take(self, length):
    if length > self.left:
      raise ValueError('is cut short: it ends within its header')
    data = self._file.read(length)
    if len(data) < length:
      raise OSError('it became shorter while it was read')
    self.left -= length
    self.crc = binascii.crc_hqx(data, self.crc)
    return data

  def number(self, most=MAX_VARINT):
    """Decodes a varint; only its shortest encoding is accepted."""
    value, bits, byte = 0, 0, 0x80
    while byte >= 0x80:
      if bits == 7 * _MAX_VARINT_BYTES:
        raise ValueError(
          'has a damaged header: a number takes more than '
          f'{_MAX_VARINT_BYTES} bytes'
        )
      (byte,) = self.take(1)
      value |= (byte & 0x7F) << bits
      bits += 7
    if bits > 7 and not byte:
      raise ValueError(
        'has a damaged header: a number takes more bytes than it needs'
      )
    if value > most:
      raise ValueError(f'has a damaged header: {value} must be at most {most}')
    return value


def read(file: BinaryIO, start: int, size: int) -> Parsed:
  """Reads a header; allocates nothing large before its numbers are checked."""
  source = _Source(file, start, size)
  magic = source.take(max(0, min(len(MAGIC), source.left)))
  if magic != MAGIC:
    text = ' as a transfer as text leaves it' if magic in _AFTER_TEXT else ''
    raise ValueError(
      f'is no file of compressed images: it must start with {MAGIC.hex(" ")}, '
      f'got {magic.hex(" ") or "nothing"}{text}'
    )
  (version,) = source.take(1)
  if version != VERSION:
    raise ValueError(
      f'is of version {version} of the format, of which this release reads '
      f'version {VERSION}'
    )
  settings = source.take(2 + FINGERPRINT_BYTES)
  numbers = [source.number() for _ in range(5)]
  height, width, channels, chunk_size, count = numbers
  if not count or not chunk_size:
    raise ValueError('claims absurd values: no images')
  chunks = -(-count // chunk_size)
  if chunks > MAX_CHUNKS:
    raise ValueError(
      f'claims absurd values: {chunks} chunks, of at most {MAX_CHUNKS}'
    )
  if chunks * (1 + _SUM_BYTES) > source.left:
    raise ValueError(
      f'is cut short or has a damaged header: it claims {chunks} chunks, with '
      f'{source.left} bytes left to list them'
    )
  index = Index()
  for _ in range(chunks):
    length = source.number(MAX_PAYLOAD)
    index.add(length, int.from_bytes(source.take(_SUM_BYTES), 'little'))
  crc = source.crc
  if int.from_bytes(source.take(_CHECK_BYTES), 'little') != crc:
    raise ValueError('has a damaged header: its check does not fit')
  first, steps = settings[:2]
  if first & 3 >= len(MODES):
    raise ValueError(
      f'is of mode {first & 3}, of which this release reads 0 and 1'
    )
  try:
    header = Header(
      mode=MODES[first & 3],
      fingerprint=settings[2:],
      image_shape=(height, width, channels),
      count=count,
      chunk_size=chunk_size,
      lanes=LANES[first >> 2 & 7],
      step=STEPS[steps & 15],
      direct_step=STEPS[steps >> 4],
      arithmetic=first >> 5,
    )
  except ValueError as error:
    why = str(error).rstrip('.')
    raise ValueError(f'claims absurd values: {why}') from error
  return Parsed(header, index, size - start - source.left)
