"""What general codecs need for images, to compare a model's code with."""

import bz2
import gzip
import io
import lzma
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

WAYS: tuple[str, ...] = ('one_by_one', 'together')
_WEBP_LONGEST_SIDE = 16383
_TIFF_ROWS_PER_STRIP = 278  # The number of a tag.
# The channels of images whose pixels Pillow has a mode for: 1; L and RGB.
_PILLOW_CHANNELS = {'bool': (1,), 'uint8': (1, 3)}
# LZMA has the same output with each dictionary that holds all of its input,
# and takes long to clear a large one.
_XZ_SMALL = 2**18


class _Codec(NamedTuple):
  """A codec of bytes, or of the pixels of one image."""

  # From bytes, or from an array that Pillow takes, to bytes.
  encode: Callable[[Any], bytes]
  of_bytes: bool = True  # Which of them.
  of_levels: bool = True  # Whether it has pixels of 256 levels.
  longest_side: float = math.inf  # Number of pixels.

  def takes(self, images: np.ndarray) -> bool:
    """Whether it has a place for images of shape `[..., h, w, channels]`."""
    if self.of_bytes:
      return True
    channels = _PILLOW_CHANNELS[images.dtype.name]
    fits = max(images.shape[-3:-1]) <= self.longest_side
    kind_fits = self.of_levels or images.dtype == bool
    return images.shape[-1] in channels and fits and kind_fits


def _gzip(data):
  return gzip.compress(data, 9, mtime=0)


def _xz(data):
  preset = 0 if len(data) <= _XZ_SMALL else 9
  return lzma.compress(data, preset=preset | lzma.PRESET_EXTREME)


def _saved(pixels, **options):
  file = io.BytesIO()
  Image.fromarray(pixels).save(file, **options)
  return file.getvalue()


def _png(pixels):
  return _saved(pixels, format='PNG', optimize=True)


def _webp(pixels):
  return _saved(
    pixels, format='WEBP', lossless=True, quality=100, method=6, exact=True
  )


def _tiff(pixels):
  # One strip: each of several would cost an entry of a table.
  one_strip = {_TIFF_ROWS_PER_STRIP: len(pixels)}
  return _saved(pixels, format='TIFF', compression='group4', tiffinfo=one_strip)


_CODECS = {
  'gzip': _Codec(_gzip),
  'bz2': _Codec(bz2.compress),
  'xz': _Codec(_xz),
  'png': _Codec(_png, of_bytes=False),
  'webp': _Codec(_webp, of_bytes=False, longest_side=_WEBP_LONGEST_SIDE),
  'tiff': _Codec(_tiff, of_bytes=False, of_levels=False),
}
CODECS: tuple[str, ...] = tuple(_CODECS)


def measure(
  images: np.ndarray, progress: Callable[[int], None] | None = None
) -> dict[str, dict[str, int | None]]:
  """The sizes of images in each codec, at its best setting.

  Alone, each image is a file. Together they are one: gzip, bz2 and xz get all
  images in one run of bytes, and PNG, WebP and group-4 TIFF the smaller of the
  `sheets`. How many images there are, and of which size, is not counted where
  a codec does not say it itself.

  >>> sizes = measure(np.zeros([100, 8, 8, 1], bool))
  >>> sizes['gzip']
  {'one_by_one': 2300, 'together': 28}

  Args:
    images: Array of shape `[num_images, height, width, channels]`: bool, of
      which a pixel is a bit, or uint8, of which it is a byte a channel.
    progress: Called with numbers of images that are done, of `num_images` in
      all.

  Returns:
    By codec and way, one of `CODECS` and of `WAYS`, a number of bytes, or
    `None` if the codec has no such images, or none so large.

  Raises:
    ValueError: `images` are none.
  """
  _check_images(images)
  alone: dict[str, int | None] = dict.fromkeys(CODECS, 0)
  for image in images:
    for codec in CODECS:
      alone[codec] = _sum(alone[codec], size(codec, image))
    if progress is not None:
      progress(1)
  return {
    codec: {'one_by_one': alone[codec], 'together': _together(codec, images)}
    for codec in CODECS
  }


def best(
  measured: Mapping[str, Mapping[str, int | None]], way: str
) -> tuple[str, int]:
  """The codec that needs least; of several the first.

  >>> best({'gzip': {'together': 26}, 'webp': {'together': None}}, 'together')
  ('gzip', 26)

  Args:
    measured: What `measure` returns.
    way: One of `WAYS`.

  Returns:
    One of `CODECS`, and its number of bytes.

  Raises:
    ValueError: `way` is no way.
  """
  if way not in WAYS:
    raise ValueError(f'`way` must be one of {WAYS}, got {way!r}.')
  sizes = {codec: ways[way] for codec, ways in measured.items()}
  known = {codec: size for codec, size in sizes.items() if size is not None}
  name = min(known, key=known.__getitem__)
  return name, known[name]


def encode(codec: str, image: np.ndarray) -> bytes | None:
  """A file of one image, or of a sheet."""
  # image [height, width, channels]
  if codec not in _CODECS:
    raise ValueError(f'`codec` must be one of {CODECS}, got {codec!r}.')
  found = _CODECS[codec]
  if not found.takes(image):
    return None
  if found.of_bytes:
    return found.encode(packed(image))
  return found.encode(image[..., 0] if image.shape[-1] == 1 else image)


def size(codec: str, image: np.ndarray) -> int | None:
  """The number of bytes of `encode`."""
  encoded = encode(codec, image)
  return None if encoded is None else len(encoded)


def packed(image: np.ndarray) -> bytes:
  """An image as bytes: eight pixels each if it is bool, else as it is.

  >>> packed(np.array([[[True], [False], [True]]])).hex()
  'a0'

  Args:
    image: Array of shape `[height, width, channels]`.

  Returns:
    Bytes; the last one is filled up with zeros.
  """
  bits = np.packbits(image) if image.dtype == bool else image
  return bits.tobytes()


def sheets(images: np.ndarray) -> list[np.ndarray]:
  """Images side by side: one under the other, and in a nearly square grid."""
  # images [num_images, height, width, channels] -> [sheet_height, sheet_width,
  # channels]
  num, height, width, channels = images.shape
  columns = math.ceil(math.sqrt(num * height / width))
  rows = math.ceil(num / columns)
  filled = np.zeros([rows * columns, *images.shape[1:]], images.dtype)
  filled[:num] = images
  grid = filled.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
  return [
    images.reshape(num * height, width, channels),
    grid.reshape(rows * height, columns * width, channels),
  ]


def _together(codec, images):
  if _CODECS[codec].of_bytes:
    return len(_CODECS[codec].encode(b''.join(map(packed, images))))
  sizes = [size(codec, sheet) for sheet in sheets(images)]
  return min((s for s in sizes if s is not None), default=None)


def _sum(total, size):
  return None if total is None or size is None else total + size


def _check_images(images):
  given = f'{images.dtype.name} of shape {images.shape}'
  if images.ndim != 4 or not images.size:
    raise ValueError(
      '`images` must be of shape [num_images, height, width, channels] and '
      f'not empty, got {given}.'
    )
  if images.dtype.name not in _PILLOW_CHANNELS:
    raise ValueError(f'`images` must be bool or uint8, got {given}.')
