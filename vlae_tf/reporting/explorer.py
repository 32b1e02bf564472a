"""The window explorer: choose a window of the decoder, see what the code does.

#### References

[1]: Xi Chen et al. Variational Lossy Autoencoder. In _International
     Conference on Learning Representations_, 2017.
     https://arxiv.org/abs/1611.02731 (sections 2.2 and 4.3)
"""

import os
import pathlib
from collections.abc import Sequence

import numpy as np

from vlae_tf.evaluation import figures
from vlae_tf.reporting import blocks, page, svg
from vlae_tf.reproduction import sweeping, windows

_NAME = 'window'  # Of the chooser.
_GROUPS, _SCALE = 2, 1.8
_TEXT = (
  'Each model is the same but for the window: what a pixel of the decoder sees '
  'of the pixels before it. Each is to have as many epochs; the table says how '
  'many it had.',
  'The argument of the paper: what the window can model, the code need not '
  'keep, and as the bound is the length of the whole message, it will not.',
)


def make(
  found: Sequence[windows.Row], drawn: sweeping.Drawn, preset: str
) -> blocks.Page:
  """The page."""
  heads, rows = windows.cells(found)
  names = tuple(row.window for row in found)
  chooser = blocks.Chooser(
    _NAME,
    'Window of the decoder, width x height',
    names,
    tuple(_panel(row, drawn) for row in found),
  )
  sections = (
    blocks.Section('argument', 'The argument', (blocks.Text(_TEXT),)),
    blocks.Section('choose', 'Choose a window', (chooser, _charts(found))),
    blocks.Section(
      'numbers', 'All numbers', (blocks.Table(heads, tuple(rows)),)
    ),
  )
  epochs = found[0].record.epochs_planned
  lead = (
    f'{len(found)} models of preset {preset}, {epochs:g} epochs each. Numbers '
    'are of test images; +- is a standard error.'
  )
  return blocks.Page('What the window decides', lead, sections)


def write(
  found: Sequence[windows.Row],
  drawn: sweeping.Drawn,
  preset: str,
  out: str | os.PathLike,
) -> pathlib.Path:
  """Writes the page among the results of the sweep."""
  path = pathlib.Path(out) / sweeping.FOLDER / f'{preset}.html'
  page.write(make(found, drawn, preset), path)
  return path


def _panel(row, drawn):
  heads, ((_, *values),) = windows.cells([row])
  table = blocks.Table(('', row.window), tuple(zip(heads[1:], values)))
  shown = []
  for what, made in (
    ('decompressions', drawn.decompressions[row.window]),
    ('completions of its upper half', drawn.completions[row.window]),
  ):
    picture = figures.beside(drawn.images, made, _GROUPS)
    text = f'{len(made)} {what}, window {row.window}'
    alt = f'{len(drawn.images)} test images, each beside {text}'
    shown.append(
      blocks.picture(picture, alt, f'Test images, framed; {text}.', _SCALE)
    )
  return (table, blocks.Columns((), tuple((x,) for x in shown)))


def _charts(found):
  names = [row.window for row in found]
  code = svg.Series('code', [(k, row.bits) for k, row in enumerate(found)])
  bound = svg.Series('-ELBO', [(k, row.bound) for k, row in enumerate(found)])
  nll = [
    (k, row.record.nll['nll'] if row.record.nll else np.nan)
    for k, row in enumerate(found)
  ]
  probe = [
    (k, 100 * float(np.mean(row.accuracies)) if row.accuracies else np.nan)
    for k, row in enumerate(found)
  ]
  wanted = [
    ([code], 'in the code, bits'),
    ([bound, svg.Series('NLL', nll, 1, 1)], 'nats an image'),
    ([svg.Series('probe', probe)], 'linear probe on the code, %'),
  ]
  charts = [
    svg.lines(series, title, 'window', title, _NAME, ticks=names)
    for series, title in wanted
    if any(np.isfinite(y) for s in series for _, y in s.points)
  ]
  return blocks.Columns((), tuple((chart,) for chart in charts))
