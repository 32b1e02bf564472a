"""Sweep over decoder windows: one model with larger and larger windows.

What the window models, the latent need not encode: the paper's argument
(arXiv:1611.02731, sections 2.2 and 4.3), measured at equal budgets.
"""

import math
import pathlib
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vlae_tf.data import fixed_binarization, sources
from vlae_tf.evaluation import figures, probing, sampling
from vlae_tf.reproduction import records, runner, tables
from vlae_tf.reproduction.experiments import Experiment
from vlae_tf.runs import loading
from vlae_tf.runs import records as run_records
from vlae_tf.utils import checks, fields, files, json_files

FACTORISED, FULL = 'factorised', 'full'
USUAL = (FACTORISED, '2x1', '4x2', '7x4', '13x6', FULL)
FOLDER = 'results/windows'
_SHOWN, _DRAWS, _SEED, _DRAWS_OF_LABELS = 16, 3, 0, 5


class Row(NamedTuple):
  """Results of a window."""

  window: str
  pixels: int  # Number of pixels in the window, see `num_pixels`.
  record: records.Record
  # Of a linear probe on the latent, one for each draw of labelled images;
  # empty without labels.
  accuracies: list[float]
  num_labels: int | None  # Of the probe.

  @property
  def bits(self) -> float:
    """Mean rate of an image in bits."""
    assert self.record.bound is not None
    return float(self.record.bound['rate_bits'])

  @property
  def bound(self) -> float:
    """-ELBO in nats per image."""
    assert self.record.bound is not None
    return -float(self.record.bound['elbo'])


def size(window: str, dataset: str) -> tuple[int, int]:
  """Width and height of a window."""
  height, width, _ = sources.image_shape(dataset)
  if window == FACTORISED:
    return 0, 0
  if window == FULL:
    return 2 * width - 1, height - 1
  fits = re.fullmatch('[1-9][0-9]*x[1-9][0-9]*', window)
  needs = f'of WIDTHxHEIGHT, {FACTORISED} and {FULL}'
  fields.check('windows', window, bool(fits), needs)
  a, b = map(int, window.split('x'))
  return a, b


def num_pixels(window: str, dataset: str) -> int:
  """Number of pixels in a window that no edge of the image cuts."""
  width, height = size(window, dataset)
  return width * height + math.ceil((width - 1) / 2)


def experiments(
  preset: str, windows: Sequence[str], flags: Sequence[str] = ()
) -> dict[str, Experiment]:
  """The run of each window; the preset and further flags are shared.

  >>> experiments('omniglot', ['4x2'])['4x2'].flags
  ('--decoder=window', '--window=4x2')
  """
  checks.distinct('windows', windows)
  dataset = Experiment('', preset, tuple(flags)).config.dataset
  found = {}
  for window in windows:
    width, height = size(window, dataset)
    own = ['--decoder=window', f'--window={width}x{height}']
    if not width:
      own = ['--decoder=factorised', '--nodecoder_tied']
    name = f'{preset}_window_{window}'
    found[window] = Experiment(name, preset, (*flags, *own))
  return found


def measure(
  window: str,
  experiment: Experiment,
  settings: runner.Settings,
  num_labels: int,
) -> Row | None:
  """Trains, scores and probes the model of a window, as far as is missing."""
  record = runner.run(experiment, settings)
  if record is None:
    return None
  pixels = num_pixels(window, record.config['dataset'])
  if not num_labels:
    return Row(window, pixels, record, [], None)
  folder = settings.workdir(experiment) / run_records.SCORES
  path = folder / f'probe_{num_labels}.json'
  found = _probed(path, record.steps)
  if found is None:
    args = ['vlae_tf.probe', f'--num_labels={num_labels}', '--features=mean']
    args += [f'--repeats={_DRAWS_OF_LABELS}', f'--out={path}', '--overwrite']
    args += runner.places(experiment, settings)
    runner.command(experiment, settings, args)
    found = _probed(path, record.steps)
  return Row(window, pixels, record, found or [], num_labels)


def _probed(path, step):
  """Accuracies of the linear probe on the checkpoint of a step, if there."""
  if not path.exists():
    return None
  found = json_files.read(path, probing.FORM)
  if found['step'] != step:
    return None
  (number,) = found['num_labels']
  return found['rows'][0]['accuracies'][str(number)]


class Drawn(NamedTuple):
  """Reconstructions of the same test images by the models of a sweep."""

  images: np.ndarray  # [num, height, width, channels] in [0, 1].
  # By window, [draws, num, height, width, channels].
  decompressions: dict[str, np.ndarray]
  completions: dict[str, np.ndarray]  # Of their upper halves.


def draw(found: Sequence[Row], settings: runner.Settings) -> Drawn:
  """Decompresses and completes test images with the model of each window."""
  images, decompressions, completions = None, {}, {}
  for row in found:
    run = loading.restore(settings.runs / row.record.name, 'last')
    if images is None:
      data = run.images(settings.data_dir)
      test = fixed_binarization(data.test, 'test', kind=data.kind)
      # From all over: data sets are sorted.
      images = test[np.linspace(0, len(test) - 1, _SHOWN).astype(int)]
    half = images.shape[1] // 2 * images.shape[2]
    made = sampling.decompress(run.model, images, _DRAWS, _SEED)
    decompressions[row.window] = made
    made = sampling.complete(run.model, images, half, _DRAWS, _SEED)
    completions[row.window] = made
  assert images is not None, 'no row'
  return Drawn(images, decompressions, completions)


def write(
  found: Sequence[Row], drawn: Drawn, preset: str, settings: runner.Settings
) -> list[pathlib.Path]:
  """Writes the table, the numbers, the charts and the decompressions."""
  folder = settings.out / FOLDER
  names = ('.md', '.json', '_charts.png', '_decompressions.png')
  paths = [folder / f'{preset}{name}' for name in names]
  files.write_text(paths[0], table(found) + '\n')
  of_record = 'name epochs minutes weights finished nll bound'.split()
  rows = [
    {
      'window': row.window,
      'pixels': row.pixels,
      **{name: getattr(row.record, name) for name in of_record},
      'num_labels': row.num_labels,
      'accuracies': row.accuracies,
    }
    for row in found
  ]
  json_files.write(paths[1], {'preset': preset, 'rows': rows})
  text = f'{preset}: results by the window of the decoder'
  figures.save_png(paths[2], picture(found), text)
  text = 'originals, framed, and decompressions by windows '
  text += ', '.join(row.window for row in found)
  each = np.stack([drawn.decompressions[row.window][0] for row in found])
  made = figures.captioned(figures.beside(drawn.images, each), text)
  figures.save_png(paths[3], made, text)
  return paths


def table(found: Sequence[Row]) -> str:
  """The rows as a table in Markdown."""
  return tables.markdown(*cells(found))


def cells(
  found: Sequence[Row],
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
  """Heads and cells of the table of the rows."""
  lines = []
  for row in found:
    nll, minutes = row.record.nll, row.record.minutes
    lines.append(
      {
        'window': row.window,
        'pixels': str(row.pixels),
        'rate, bits': f'{row.bits:.1f}',
        'NLL, nats': tables.score_text(nll, 'nll') if nll else 'not measured',
        '-ELBO, nats': f'{row.bound:.2f}',
        'linear probe, %': probing.percent(row.accuracies) or 'no labels',
        'epochs': f'{row.record.epochs:.1f}',
        'minutes': '?' if minutes is None else f'{minutes:.0f}',
      }
    )
  return tuple(lines[0]), [tuple(line.values()) for line in lines]


def curves(found: Sequence[Row]) -> dict[str, dict[str, list[float]]]:
  """Values over the windows by chart and name; NaN where not measured."""
  nll = [row.record.nll['nll'] if row.record.nll else math.nan for row in found]
  probes = [100 * float(np.mean(row.accuracies or math.nan)) for row in found]
  charted = {
    'rate, bits': {'rate': [row.bits for row in found]},
    'nats per image': {'NLL': nll, '-ELBO': [row.bound for row in found]},
    'linear probe on the latent, %': {'probe': probes},
  }
  if np.isnan(probes).all():
    charted.popitem()
  return charted


def picture(found: Sequence[Row]) -> np.ndarray:
  """Charts over the size of the window, one below the other."""
  # -> [height, width, 3]
  x = [math.log2(1 + row.pixels) for row in found]
  label = 'log2(1 + pixels of the window)'
  parts = []
  for k, (title, series) in enumerate(curves(found).items()):
    points = {
      name: [(a, b) for a, b in zip(x, values) if not math.isnan(b)]
      for name, values in series.items()
    }
    parts.append(figures.chart(points, title, label, from_zero=not k))
  return np.concatenate(parts)
