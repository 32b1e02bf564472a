"""What `rate_distortion` finds, as words, charts and pictures."""

from typing import Any

import numpy as np

from vlae_tf.compression.rate_distortion import Report, Row
from vlae_tf.evaluation import figures

_NAMES = {
  'search': 'lattice, step {step:g}, searched',
  'nearest': 'lattice, step {step:g}, nearest',
  'shared': 'shared draws of the prior',
  'posterior': 'draw of the posterior (KL)',
  'prior': 'draw of the prior (nothing)',
}
_SHOWN = 10  # Originals in the picture.


def table(report: Report) -> str:
  """The lines that a person reads."""
  lines = [
    f'{"code":28} {"bits":>7} {"gross":>7} {"-log p(x|z)":>11}   pixels '
    'wrong: draw, likeliest' + '   label found' * (report.accuracy is not None)
  ]
  for row in report.rows:
    gross = '' if row.gross_bits is None else f'{row.gross_bits:.2f}'
    found = ''
    if row.accuracy_draw is not None:
      found = f'   {row.accuracy_draw:.3f}, {row.accuracy_likeliest:.3f}'
    lines.append(
      f'{name(row):28} {row.bits:7.2f} {gross:>7} {row.distortion:11.2f}   '
      f'{row.hamming_draw:19.2f}, {row.hamming_likeliest:9.2f}{found}'
    )
  if report.accuracy is not None:
    lines.append(f'labels found on the originals: {report.accuracy:.3f}')
  lines.append(f'pixels wrong in a blank image: {report.hamming_blank:.2f}')
  pool = report.pool
  words = f'{pool["num_samples"]:,} shared draws were enough for '
  words += f'{pool["enough"]:.1%} of the images'
  if 'bits' in pool:
    words += f': {pool["bits"]:.2f} bits, KL {pool["kl_bits"]:.2f}'
  return '\n'.join([*lines, words])


def name(row: Row) -> str:
  """What a row is called."""
  return _NAMES[row.way].format(step=row.step)


def as_json(report: Report) -> dict[str, Any]:
  """All numbers of a report."""
  return {
    'rows': [row._asdict() for row in report.rows],
    'hamming_blank': report.hamming_blank,
    'accuracy_of_originals': report.accuracy,
    'shared_draws': report.pool,
  }


def picture(report: Report, images: np.ndarray, caption: str) -> np.ndarray:
  """Charts above originals beside what the codes give."""
  # images [num, height, width, channels] -> [rows, columns, 3]
  shown = [
    k
    for k, row in enumerate(report.rows)
    if row.way not in ('nearest', 'prior')
  ]
  shown.sort(key=lambda k: -report.rows[k].bits)
  # Data sets may be sorted by label: originals from all over.
  chosen = np.linspace(0, len(images) - 1, min(_SHOWN, len(images))).astype(int)
  columns = [images[chosen]]
  columns += [report.draws[k, chosen] for k in shown]
  columns += [report.likeliest[k, chosen] for k in shown]
  cells = np.stack(columns, 1)
  tiles = figures.rows(cells, framed=(0,))
  words = '; '.join(
    f'{name(report.rows[k])}: {report.rows[k].bits:.1f} bits' for k in shown
  )
  what = (
    f'{caption}. Test images (framed), then one draw from each of these codes, '
    f'then the likeliest image of each, pixel by pixel: {words}.'
  )
  above = [_chart(report, 'hamming', 'pixels that differ from the original')]
  if report.accuracy is not None:
    title = f'labels found (originals {report.accuracy:.2f})'
    above.append(_chart(report, 'accuracy', title))
  below = figures.captioned(tiles, what, 2)
  width = max(below.shape[1], sum(part.shape[1] for part in above))
  parts = [_wide(np.concatenate(above, 1), width), _wide(below, width)]
  return np.concatenate(parts)


def _chart(report, what, title):
  series = {}
  for kind in ('draw', 'likeliest'):
    for ways in (('search', 'prior'), ('nearest', 'prior')):
      rows = [r for r in report.rows if r.way in ways]
      rows.sort(key=lambda r: r.bits)
      words = 'searched' if 'search' in ways else 'nearest'
      series[f'{kind}, {words}'] = [
        (r.bits, getattr(r, f'{what}_{kind}')) for r in rows
      ]
    (row,) = [r for r in report.rows if r.way == 'shared']
    series[f'{kind}, shared draws'] = [
      (row.bits, getattr(row, f'{what}_{kind}'))
    ]
  return figures.chart(series, title, 'bits of a code')


def _wide(picture, width):
  """A picture with paper on its right."""
  missing = width - picture.shape[1]
  return np.pad(
    picture, ((0, 0), (0, missing), (0, 0)), constant_values=figures.PAPER
  )
