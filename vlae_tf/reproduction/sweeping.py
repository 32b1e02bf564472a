"""Runs the models of a sweep over windows, and writes what became of them."""

import json
import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vlae_tf.data import fixed_binarization
from vlae_tf.evaluation import figures, sampling
from vlae_tf.reproduction import rows, runner, windows
from vlae_tf.runs import images as images_lib
from vlae_tf.runs import scores, workdirs
from vlae_tf.utils import files

FOLDER = 'results/windows'
_SHOWN, _DRAWS, _SEED, _DRAWS_OF_LABELS = 16, 3, 0, 5


def measure(
  window: str,
  experiment: rows.Experiment,
  settings: runner.Settings,
  num_labels: int,
) -> windows.Row | None:
  """Trains, scores and probes the model of a window, as far as is missing."""
  record = runner.run(experiment, settings)
  if record is None:
    return None
  pixels = windows.num_pixels(window, record.config['dataset'])
  if not num_labels:
    return windows.Row(window, pixels, record, [], None)
  path = (
    settings.workdir(experiment) / scores.FOLDER / f'probe_{num_labels}.json'
  )
  found = _probed(path, record.steps)
  if found is None:
    args = ['vlae_tf.probe', f'--num_labels={num_labels}', '--features=mean']
    args += [f'--repeats={_DRAWS_OF_LABELS}', f'--out={path}', '--overwrite']
    args += [f'--workdir={os.fspath(settings.workdir(experiment))}']
    if settings.data_dir is not None:
      args.append(f'--data_dir={settings.data_dir}')
    runner.command(experiment, settings, args)
    found = _probed(path, record.steps)
  return windows.Row(window, pixels, record, found or [], num_labels)


def _probed(path, step):
  """Accuracies of the linear probe on the weights of a step, or `None`."""
  if not path.exists():
    return None
  found = json.loads(path.read_text(encoding='utf-8'))
  if found['step'] != step:
    return None
  (number,) = found['num_labels']
  return found['rows'][0]['accuracies'][str(number)]


class Drawn(NamedTuple):
  """What the models of a sweep make of the same test images."""

  # Array of shape `[num, height, width, channels]` in [0, 1].
  images: np.ndarray
  # By window, `[draws, num, height, width, channels]`.
  decompressions: dict[str, np.ndarray]
  completions: dict[str, np.ndarray]  # The same of their upper halves.


def draw(found: Sequence[windows.Row], settings: runner.Settings) -> Drawn:
  """Lets the model of each window decompress and complete test images.

  Args:
    found: `Row`s.
    settings: Where runs and data are.

  Returns:
    `Drawn`.

  Raises:
    ValueError: A run or the images cannot be read.
  """
  images, decompressions, completions = None, {}, {}
  for row in found:
    run = workdirs.restore(settings.runs / row.record.name, 'last')
    if images is None:
      data = images_lib.load(run, settings.data_dir)
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
  found: Sequence[windows.Row],
  drawn: Drawn,
  preset: str,
  settings: runner.Settings,
) -> list[pathlib.Path]:
  """Writes the table, the charts, the numbers and the decompressions."""
  folder = settings.out / FOLDER
  names = ('.md', '.json', '_charts.png', '_decompressions.png')
  paths = [folder / f'{preset}{name}' for name in names]
  files.write_text(paths[0], windows.table(found) + '\n')
  told = {'preset': preset, 'rows': [row.as_json() for row in found]}
  scores.write_to(paths[1], told)
  text = f'{preset}: what the window of the decoder decides'
  figures.save_png(paths[2], windows.picture(found), 1, text)
  text = 'originals, framed, and decompressions by windows '
  text += ', '.join(row.window for row in found)
  each = np.stack([drawn.decompressions[row.window][0] for row in found])
  picture = figures.beside(drawn.images, each)
  figures.save_png(paths[3], figures.captioned(picture, text), 1, text)
  return paths
