"""What files of images take, beside their -ELBO and general codecs."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from vlae_tf.compression import baselines
from vlae_tf.compression.settings import Sizes
from vlae_tf.data import collections
from vlae_tf.evaluation import likelihood
from vlae_tf.models import vlae as model_lib
from vlae_tf.utils import console

_NAMES = {
  'png': 'PNG, optimised',
  'webp': 'WebP, lossless',
  'tiff': 'TIFF, group 4',
}
_WAYS = {'together': 'in one file', 'one_by_one': 'a file an image'}


def negative_elbo_bits(
  model: model_lib.VLAE,
  images: np.ndarray,
  kind: str,
  num_samples: int,
  seed: int = 0,
  progress: Callable[[int], Any] | None = None,
) -> tuple[float, float]:
  """-ELBO of images in bits, summed, and its standard error from the codes."""
  # images [num, height, width, channels]
  halves = []
  for k in range(2):
    evaluate = likelihood.Evaluator(model, max(1, num_samples // 2), seed + k)
    elbo = evaluate(images, 'test', progress, kind).elbo.astype(np.float64)
    halves.append(-elbo / math.log(2))
  mean = (halves[0] + halves[1]) / 2
  # Of every image half the difference is an estimate of the mean's error.
  error = math.sqrt((((halves[0] - halves[1]) / 2) ** 2).sum())
  return float(mean.sum()), error


def account(
  model: model_lib.VLAE,
  given: collections.Collection,
  sizes: Sizes,
  elbo_samples: int,
  with_baselines: bool,
  show: Callable[[int], console.Meter],
) -> dict[str, Any]:
  """The `report` of a file, with all that it stands beside."""
  images, elbo, measured = given.images, None, None
  if elbo_samples:
    with show(2 * len(images)) as meter:
      elbo = negative_elbo_bits(
        model, images, given.kind, elbo_samples, progress=meter.advance
      )
  if with_baselines:
    with show(len(images)) as meter:
      measured = baselines.measure(images, meter.advance)
  return report(images, sizes, elbo, measured)


def report(
  images: np.ndarray,
  sizes: Sizes,
  elbo: tuple[float, float] | None,
  measured: Mapping[str, Mapping[str, int | None]] | None,
) -> dict[str, Any]:
  """What is written of a file."""
  # images [num, height, width, channels]
  num = len(images)
  fields: dict[str, Any] = {
    'images': num,
    'image_shape': list(images.shape[1:]),
    'gross_bits': sizes.gross_bits,
    'net_bits': sizes.net_bits,
    'gross_bits_per_image': sizes.gross_bits / num,
    'gross_bits_per_dim': sizes.gross_bits / images.size,
    'negative_elbo_bits': elbo and elbo[0],
    'negative_elbo_bits_stderr': elbo and elbo[1],
    'baselines': measured
    and {
      name: {f'{way}_bytes': size for way, size in of_codec.items()}
      for name, of_codec in measured.items()
    },
  }
  if elbo:
    fields['net_over_elbo'] = sizes.net_bits / elbo[0] - 1
    fields['gross_over_elbo'] = sizes.gross_bits / elbo[0] - 1
  if measured:
    for way in baselines.WAYS:
      name, size = baselines.best(measured, way)
      fields[f'best_{way}'] = name
      fields[f'smaller_than_best_{way}'] = 1 - sizes.gross_bits / (8 * size)
  return fields


def text(fields: Mapping[str, Any]) -> str:
  """The lines that a person reads of a `report`."""
  num = fields['images']
  gross, net = fields['gross_bits'], fields['net_bits']
  rows = [
    ('the file', gross, ''),
    ('its images, net', net, _excess(fields, 'net_over_elbo')),
  ]
  if fields['negative_elbo_bits'] is not None:
    error = fields['negative_elbo_bits_stderr'] / num
    bits = fields['negative_elbo_bits']
    rows.append(('-ELBO', bits, f'+- {error:.2f} bits/image'))
    rows[0] = ('the file', gross, _excess(fields, 'gross_over_elbo'))
  lines = [f'{num:,} images{"":12}{"bytes":>11}{"bits/image":>12} bits/dim']
  for name, bits, words in rows:
    lines.append(_row(name, bits, fields, words))
  for way in baselines.WAYS[::-1] if fields['baselines'] else ():
    for name, of_codec in fields['baselines'].items():
      size = of_codec[f'{way}_bytes']
      if size is not None:
        shown = f'{_NAMES.get(name, name)}, {_WAYS[way]}'
        best = name == fields[f'best_{way}']
        smaller = fields[f'smaller_than_best_{way}']
        words = f'best; the file is {smaller:.1%} smaller' if best else ''
        lines.append(_row(shown, 8 * size, fields, words))
  return '\n'.join(lines)


def _row(name, bits, fields, words):
  num = fields['images']
  dims = num * math.prod(fields['image_shape'])
  row = f'{name:31}{bits / 8:>11,.0f}{bits / num:>12.2f}{bits / dims:>9.4f}'
  return f'{row}  {words}'.rstrip()


def _excess(fields, key):
  return f'{fields[key]:+.2%} of -ELBO' if key in fields else ''
