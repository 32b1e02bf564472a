"""Size of a compressed file beside -ELBO and general-purpose codecs."""

import bz2
import gzip
import io
import lzma
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from vlae_tf.compression.files import Sizes
from vlae_tf.data import collections
from vlae_tf.evaluation import likelihood
from vlae_tf.models import vlae as model_lib
from vlae_tf.utils import console

_NAMES = {
  'png': 'PNG, optimised',
  'webp': 'WebP, lossless',
  'tiff': 'TIFF, group 4',
}
WAYS = {'together': 'one file', 'one_by_one': 'a file per image'}
_TIFF_ROWS_PER_STRIP = 278  # The number of a tag.
# Numbers of channels that Pillow has a mode for: 1; L and RGB.
_PILLOW_CHANNELS = {'bool': (1,), 'uint8': (1, 3)}
_WEBP = {'lossless': True, 'quality': 100, 'method': 6, 'exact': True}
# LZMA has the same output with every dictionary that holds all of its input,
# and takes long to clear a large one.
_XZ_SMALL = 2**18


class _Codec(NamedTuple):
  """A codec of bytes, or of the pixels of one image."""

  # From bytes, or from an array that Pillow accepts, to bytes.
  encode: Callable[[Any], bytes]
  of_bytes: bool = True
  of_levels: bool = True  # Whether it has pixels of 256 levels.
  longest_side: float = math.inf  # Number of pixels.


def _xz(data):
  preset = 0 if len(data) <= _XZ_SMALL else 9
  return lzma.compress(data, preset=preset | lzma.PRESET_EXTREME)


def _saved(pixels, **options):
  file = io.BytesIO()
  Image.fromarray(pixels).save(file, **options)
  return file.getvalue()


def _tiff(pixels):
  # One strip: each of several would cost an entry of a table.
  one_strip = {_TIFF_ROWS_PER_STRIP: len(pixels)}
  return _saved(pixels, format='TIFF', compression='group4', tiffinfo=one_strip)


_CODECS = {
  'gzip': _Codec(partial(gzip.compress, mtime=0)),
  'bz2': _Codec(bz2.compress),
  'xz': _Codec(_xz),
  'png': _Codec(partial(_saved, format='PNG', optimize=True), of_bytes=False),
  'webp': _Codec(
    partial(_saved, format='WEBP', **_WEBP),
    of_bytes=False,
    longest_side=16383,
  ),
  'tiff': _Codec(_tiff, of_bytes=False, of_levels=False),
}


def measure(
  images: np.ndarray, progress: Callable[[int], None] | None = None
) -> dict[str, dict[str, int | None]]:
  """Bytes of bool or uint8 images by codec, each at its best setting, and way.

  `None` where a codec does not support such images, or none so large.

  >>> sizes = measure(np.zeros([100, 8, 8, 1], bool))
  >>> sizes['gzip']
  {'one_by_one': 2300, 'together': 28}
  """
  # One by one, each image is a file. Together they are one: gzip, bz2 and xz
  # get all images in one run of bytes, and PNG, WebP and group-4 TIFF the
  # smaller of the `sheets`. The number and size of images are not counted where
  # a format does not hold them.
  given = f'{images.dtype.name} of shape {images.shape}'
  if images.ndim != 4 or not images.size:
    raise ValueError(
      '`images` must be of shape [num_images, height, width, channels] and '
      f'not empty, got {given}.'
    )
  if images.dtype.name not in _PILLOW_CHANNELS:
    raise ValueError(f'`images` must be bool or uint8, got {given}.')
  one_by_one: dict[str, int | None] = dict.fromkeys(_CODECS, 0)
  for image in images:
    for codec, total in one_by_one.items():
      encoded = encode(codec, image)
      if total is not None:
        one_by_one[codec] = None if encoded is None else total + len(encoded)
    if progress is not None:
      progress(1)
  return {
    codec: {
      'one_by_one': one_by_one[codec],
      'together': _size_together(codec, images),
    }
    for codec in _CODECS
  }


def best(
  measured: Mapping[str, Mapping[str, int | None]], way: str
) -> tuple[str, int]:
  """The name and bytes of the codec that needs the least; the first of several.

  >>> best({'gzip': {'together': 26}, 'webp': {'together': None}}, 'together')
  ('gzip', 26)
  """
  sizes = ((codec, ways[way]) for codec, ways in measured.items())
  known = [(codec, size) for codec, size in sizes if size is not None]
  return min(known, key=lambda pair: pair[1])


def encode(codec: str, image: np.ndarray) -> bytes | None:
  """A file of an image `[height, width, channels]`; `None` if unsupported."""
  found = _CODECS[codec]
  if found.of_bytes:
    return found.encode(packed(image))
  if (
    max(image.shape[:2]) > found.longest_side
    or image.shape[-1] not in _PILLOW_CHANNELS[image.dtype.name]
    or (image.dtype != bool and not found.of_levels)
  ):
    return None
  return found.encode(image[..., 0] if image.shape[-1] == 1 else image)


def packed(image: np.ndarray) -> bytes:
  """Pixels as bytes, eight bool ones in each, the last filled up with zeros."""
  bits = np.packbits(image) if image.dtype == bool else image
  return bits.tobytes()


def sheets(images: np.ndarray) -> list[np.ndarray]:
  """Images side by side: in a column, and in a nearly square grid."""
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


def _size_together(codec, images):
  if _CODECS[codec].of_bytes:
    return len(_CODECS[codec].encode(b''.join(map(packed, images))))
  encoded = [encode(codec, sheet) for sheet in sheets(images)]
  return min((len(e) for e in encoded if e is not None), default=None)


# Of a report.
FORM = {
  'in': str,
  'mode': str,
  'images': int,
  'image_shape': [int],
  'gross_bits': int,
  'negative_elbo_bits': (float, None),
  'baselines': ({str: {f'{way}_bytes': int for way in WAYS}}, None),
}


def report(
  model: model_lib.VLAE,
  given: collections.Collection,
  sizes: Sizes,
  elbo_samples: int,
  with_baselines: bool,
) -> dict[str, Any]:
  """Sizes as a JSON object; -ELBO if `elbo_samples` is not 0.

  Its standard error is over the samples.
  """
  images, num = given.images, len(given.images)
  fields: dict[str, Any] = {
    'images': num,
    'image_shape': list(images.shape[1:]),
    'gross_bits': sizes.gross_bits,
    'net_bits': sizes.net_bits,
    'gross_bits_per_image': sizes.gross_bits / num,
    'gross_bits_per_dim': sizes.gross_bits / images.size,
    'negative_elbo_bits': None,
    'negative_elbo_bits_stderr': None,
    'baselines': None,
  }
  if elbo_samples:
    halves = []
    with console.Meter(2 * num, 'image') as progress:
      for seed in range(2):
        evaluate = likelihood.Evaluator(model, max(1, elbo_samples // 2), seed)
        elbo = evaluate(images, 'test', progress.advance, given.kind).elbo
        halves.append(-elbo.astype(np.float64) / math.log(2))
    bits = float(((halves[0] + halves[1]) / 2).sum())
    # Half the difference of an image estimates the error of its mean.
    error = math.sqrt((((halves[0] - halves[1]) / 2) ** 2).sum())
    fields['negative_elbo_bits'] = bits
    fields['negative_elbo_bits_stderr'] = error
    fields['net_over_elbo'] = sizes.net_bits / bits - 1
    fields['gross_over_elbo'] = sizes.gross_bits / bits - 1
  if with_baselines:
    with console.Meter(num, 'image') as progress:
      measured = measure(images, progress.advance)
    fields['baselines'] = {
      name: {f'{way}_bytes': size for way, size in of_codec.items()}
      for name, of_codec in measured.items()
    }
    for way in WAYS:
      name, size = best(measured, way)
      fields[f'best_{way}'] = name
      fields[f'smaller_than_best_{way}'] = 1 - sizes.gross_bits / (8 * size)
  return fields


def text(fields: Mapping[str, Any]) -> str:
  """A `report` as a table."""
  num = fields['images']
  rows = [
    ('file', fields['gross_bits'], _excess(fields, 'gross_over_elbo')),
    ('images, net', fields['net_bits'], _excess(fields, 'net_over_elbo')),
  ]
  if fields['negative_elbo_bits'] is not None:
    error = fields['negative_elbo_bits_stderr'] / num
    words = f'+- {error:.2f} bits/image'
    rows.append(('-ELBO', fields['negative_elbo_bits'], words))
  for way in WAYS:
    for name, of_codec in (fields['baselines'] or {}).items():
      size = of_codec[f'{way}_bytes']
      if size is None:
        continue
      words = ''
      if name == fields[f'best_{way}']:
        smaller = fields[f'smaller_than_best_{way}']
        words = f'best; the file is {smaller:.1%} smaller'
      rows.append((f'{_NAMES.get(name, name)}, {WAYS[way]}', 8 * size, words))
  dims = num * math.prod(fields['image_shape'])
  lines = [f'{num:,} images{"":12}{"bytes":>11}{"bits/image":>12} bits/dim']
  for name, bits, words in rows:
    row = f'{name:31}{bits / 8:>11,.0f}{bits / num:>12.2f}{bits / dims:>9.4f}'
    lines.append(f'{row}  {words}'.rstrip())
  return '\n'.join(lines)


def _excess(fields, key):
  return f'{fields[key]:+.2%} of -ELBO' if key in fields else ''
