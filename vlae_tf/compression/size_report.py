"""Size of a compressed file beside -ELBO and general-purpose codecs."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from vlae_tf.compression import baselines
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
_WAYS = {'together': 'one file', 'one_by_one': 'a file per image'}


def report(
  model: model_lib.VLAE,
  given: collections.Collection,
  sizes: Sizes,
  elbo_samples: int,
  with_baselines: bool,
  meter: Callable[[int], console.Meter],
) -> dict[str, Any]:
  """Sizes as a JSON object; -ELBO if `elbo_samples` is not 0."""
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
    with meter(2 * num) as progress:
      bits, stderr = _negative_elbo_bits(
        model, given, elbo_samples, progress.advance
      )
    fields['negative_elbo_bits'] = bits
    fields['negative_elbo_bits_stderr'] = stderr
    fields['net_over_elbo'] = sizes.net_bits / bits - 1
    fields['gross_over_elbo'] = sizes.gross_bits / bits - 1
  if with_baselines:
    with meter(num) as progress:
      measured = baselines.measure(images, progress.advance)
    fields['baselines'] = {
      name: {f'{way}_bytes': size for way, size in of_codec.items()}
      for name, of_codec in measured.items()
    }
    for way in baselines.WAYS:
      name, size = baselines.best(measured, way)
      fields[f'best_{way}'] = name
      fields[f'smaller_than_best_{way}'] = 1 - sizes.gross_bits / (8 * size)
  return fields


def _negative_elbo_bits(model, given, num_samples, progress):
  """-ELBO of all images in bits, and its standard error over the samples."""
  halves = []
  for seed in range(2):
    evaluate = likelihood.Evaluator(model, max(1, num_samples // 2), seed)
    elbo = evaluate(given.images, 'test', progress, given.kind).elbo
    halves.append(-elbo.astype(np.float64) / math.log(2))
  mean = (halves[0] + halves[1]) / 2
  # Half the difference of an image estimates the error of its mean.
  error = math.sqrt((((halves[0] - halves[1]) / 2) ** 2).sum())
  return float(mean.sum()), error


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
  for way in baselines.WAYS[::-1] if fields['baselines'] else ():
    for name, of_codec in fields['baselines'].items():
      size = of_codec[f'{way}_bytes']
      if size is not None:
        is_best = name == fields[f'best_{way}']
        smaller = fields[f'smaller_than_best_{way}']
        words = f'best; the file is {smaller:.1%} smaller' if is_best else ''
        name = f'{_NAMES.get(name, name)}, {_WAYS[way]}'
        rows.append((name, 8 * size, words))
  dims = num * math.prod(fields['image_shape'])
  lines = [f'{num:,} images{"":12}{"bytes":>11}{"bits/image":>12} bits/dim']
  for name, bits, words in rows:
    row = f'{name:31}{bits / 8:>11,.0f}{bits / num:>12.2f}{bits / dims:>9.4f}'
    lines.append(f'{row}  {words}'.rstrip())
  return '\n'.join(lines)


def _excess(fields, key):
  return f'{fields[key]:+.2%} of -ELBO' if key in fields else ''
