"""What a file of compressed images says of itself, checked and without bytes.

The bytes are `layout`'s, and the whole of it is in `docs/format.md`.
"""

import dataclasses
import math
from typing import Any

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
  """What is needed to decode the payloads, and how images lie in them."""

  mode: str  # 'lossless', or 'lossy' for images that come back changed.
  fingerprint: bytes  # `FINGERPRINT_BYTES` bytes of the model's SHA-256.
  # `(height, width, channels)` of every image.
  image_shape: tuple[int, int, int]
  count: int  # Number of images.
  chunk_size: int  # Images in a chunk; the last one has the rest.
  lanes: int  # Number of interleaved coders, one of `LANES`.
  step: float  # Step of the lattice of codes, one of `STEPS`.
  direct_step: float  # The same for images that are coded without bits back.
  # Which integer arithmetic made the probabilities, 1 to 7.
  arithmetic: int = 1

  def __post_init__(self):
    _check_one_of('mode', self.mode, MODES)
    _check_fingerprint(self.fingerprint)
    _check_shape(self.image_shape)
    _check_whole('count', self.count, 1, MAX_COUNT)
    _check_whole('chunk_size', self.chunk_size, 1, MAX_CHUNK_VALUES)
    _check_one_of('lanes', self.lanes, LANES)
    _check_one_of('step', self.step, STEPS)
    _check_one_of('direct_step', self.direct_step, STEPS)
    _check_whole('arithmetic', self.arithmetic, 1, MAX_ARITHMETIC)
    values = self.chunk_size * math.prod(self.image_shape)
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
    _check_whole('chunk', chunk, 0, self.num_chunks - 1)
    first = chunk * self.chunk_size
    return range(first, min(first + self.chunk_size, self.count))

  def chunk_of(self, image: int) -> tuple[int, int]:
    """Where an image is."""
    _check_whole('image', image, 0, self.count - 1)
    return divmod(image, self.chunk_size)


def _check_whole(name: str, value: Any, least: int, most: int):
  if type(value) is not int or not least <= value <= most:
    raise ValueError(
      f'`{name}` must be a whole number from {least} to {most}, got {value!r}.'
    )


def _check_one_of(name: str, value: Any, values: tuple):
  if value not in values or isinstance(value, bool):
    raise ValueError(f'`{name}` must be one of {values}, got {value!r}.')


def _check_fingerprint(value: Any):
  if not isinstance(value, bytes) or len(value) != FINGERPRINT_BYTES:
    raise ValueError(
      f'`fingerprint` must be {FINGERPRINT_BYTES} bytes, got {value!r}.'
    )


def _check_shape(value: Any):
  fits = isinstance(value, tuple) and len(value) == 3
  if not fits or not all(type(n) is int and 1 <= n <= MAX_SIDE for n in value):
    raise ValueError(
      '`image_shape` must be a tuple of height, width and channels, each a '
      f'whole number from 1 to {MAX_SIDE}, got {value!r}.'
    )
