"""One model with larger and larger windows of its decoder, at equal budgets.

What the window sees need not be in the code: the paper's argument, measured.

#### References

[1]: Xi Chen et al. Variational Lossy Autoencoder. In _International
     Conference on Learning Representations_, 2017.
     https://arxiv.org/abs/1611.02731 (sections 2.2 and 4.3)
"""

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from vlae_tf.data import sources
from vlae_tf.evaluation import figures, likelihood
from vlae_tf.reproduction import records, rows

FACTORISED, FULL = 'factorised', 'full'
USUAL = (FACTORISED, '2x1', '4x2', '7x4', '13x6', FULL)


class Row(NamedTuple):
  """What became of a window."""

  window: str  # Its name.
  pixels: int  # How many it has, see `num_pixels`.
  record: records.Record  # `Record` of its run.
  # Of a linear probe on the code, one a draw of labelled images; empty where
  # there are no labels.
  accuracies: list[float]
  num_labels: int | None  # How many labels the probe has.

  @property
  def bits(self) -> float:
    """In the code of an image, on average."""
    return self._of_bound('rate_bits')

  @property
  def bound(self) -> float:
    """-ELBO, in nats an image."""
    return -self._of_bound('elbo')

  def _of_bound(self, name):
    assert self.record.bound is not None
    return float(self.record.bound[name])

  def as_json(self) -> dict[str, Any]:
    """What a page about the sweep needs to know of it."""
    return {
      'window': self.window,
      'pixels': self.pixels,
      'name': self.record.name,
      'epochs': self.record.epochs,
      'minutes': self.record.minutes,
      'weights': self.record.weights,
      'finished': self.record.finished,
      'nll': self.record.nll,
      'bound': self.record.bound,
      'num_labels': self.num_labels,
      'accuracies': self.accuracies,
    }


def size(window: str, dataset: str) -> tuple[int, int]:
  """Width and height of a window."""
  height, width, _ = sources.image_shape(dataset)
  if window == FACTORISED:
    return 0, 0
  if window == FULL:
    return 2 * width - 1, height - 1
  if not re.fullmatch('[1-9][0-9]*x[1-9][0-9]*', window):
    raise ValueError(
      f'`windows` must be of WIDTHxHEIGHT, {FACTORISED} and {FULL}, got '
      f'{window!r}.'
    )
  a, b = map(int, window.split('x'))
  return a, b


def num_pixels(window: str, dataset: str) -> int:
  """Pixels that a window has where no edge of the image cuts it."""
  width, height = size(window, dataset)
  return width * height + math.ceil((width - 1) / 2)


def experiments(
  preset: str, windows: Sequence[str], flags: Sequence[str] = ()
) -> dict[str, rows.Experiment]:
  """The run of each window.

  >>> experiments('omniglot', ['4x2'])['4x2'].flags
  ('--decoder=window', '--window=4x2')

  Args:
    preset: Name of the preset that they have in common.
    windows: Names of windows, see `size`; each once.
    flags: Further flags of `train`.

  Returns:
    `Experiment`s by window.

  Raises:
    ValueError: There is none, one is no window or there twice, or the preset is
      not known.
  """
  if not windows or len(set(windows)) < len(windows):
    raise ValueError(
      f'`windows` must be one or more, each once, got {list(windows)}.'
    )
  dataset = rows.Experiment('', preset, tuple(flags)).config.dataset
  found = {}
  for window in windows:
    width, height = size(window, dataset)
    own = ['--decoder=window', f'--window={width}x{height}']
    if not width:
      own = ['--decoder=factorised', '--nodecoder_tied']
    name = f'{preset}_window_{window}'
    found[window] = rows.Experiment(name, preset, (*flags, *own))
  return found


def cells(
  found: Sequence[Row],
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
  """The rows as texts."""
  heads: tuple[str, ...] = ('window', 'pixels', 'bits in the code')
  heads += ('NLL, nats', '-ELBO, nats', 'linear probe, %', 'epochs', 'minutes')
  rows_: list[tuple[str, ...]] = [
    (
      row.window,
      str(row.pixels),
      f'{row.bits:.1f}',
      _nll(row.record.nll),
      f'{row.bound:.2f}',
      _percent(row.accuracies),
      f'{row.record.epochs:.1f}',
      '?' if row.record.minutes is None else f'{row.record.minutes:.0f}',
    )
    for row in found
  ]
  return heads, rows_


def table(found: Sequence[Row]) -> str:
  """The rows as a table of Markdown."""
  heads, rows_ = cells(found)
  lines = [f'| {" | ".join(row)} |' for row in (heads, *rows_)]
  return '\n'.join([lines[0], '|---' * len(heads) + '|', *lines[1:]])


def _nll(score):
  if score is None:
    return 'not measured'
  return f'{score["nll"]:.2f} +- {score["nll_stderr"]:.2f}'


def _percent(accuracies):
  if not accuracies:
    return 'no labels'
  percent = 100 * np.asarray(accuracies)
  if len(percent) < 2:
    return f'{percent.mean():.1f}'
  return f'{percent.mean():.1f} +- {likelihood.standard_error(percent):.1f}'


def picture(found: Sequence[Row]) -> np.ndarray:
  """Charts over the size of the window, one below the other."""
  # -> [height, width, 3]
  x = [math.log2(1 + row.pixels) for row in found]
  code = [(a, row.bits) for a, row in zip(x, found)]
  lengths = {
    'NLL': [(a, r.record.nll['nll']) for a, r in zip(x, found) if r.record.nll],
    '-ELBO': [(a, row.bound) for a, row in zip(x, found)],
  }
  probes = [
    (a, 100 * float(np.mean(row.accuracies)))
    for a, row in zip(x, found)
    if row.accuracies
  ]
  label = 'log2(1 + pixels of the window)'
  parts = [
    figures.chart({'code': code}, 'bits in the code', label),
    figures.chart(lengths, 'nats an image', label, from_zero=False),
  ]
  if probes:
    title = 'linear probe on the code, %'
    parts.append(
      figures.chart({'probe': probes}, title, label, from_zero=False)
    )
  return np.concatenate(parts)
