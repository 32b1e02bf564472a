"""Runs the models of a sweep over windows, and writes what became of them."""

import json
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from vlae_tf.analysis import pictures, sampling
from vlae_tf.data import fixed_binarization
from vlae_tf.reproduction import rows, runner, windows
from vlae_tf.runs import images as images_lib
from vlae_tf.runs import scores, workdirs
from vlae_tf.system import atomic

FOLDER = 'results/windows'
_SHOWN, _SEED, _DRAWS_OF_LABELS = 16, 0, 5


def measure(
  window: str,
  experiment: rows.Experiment,
  settings: runner.Settings,
  num_labels: int,
) -> windows.Row | None:
  """Trains, scores and probes the model of a window, as far as is missing.

  Args:
    window: Its name.
    experiment: `Experiment`.
    settings: What is done, and where.
    num_labels: Labels of the linear probe; 0 for none.

  Returns:
    A `Row`; `None` of a run that is not there and not to be trained.

  Raises:
    ValueError: Something failed.
    SystemExit: This process was told to end.
  """
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


def write(
  found: Sequence[windows.Row], preset: str, settings: runner.Settings
) -> list[pathlib.Path]:
  """Writes the table, the charts, the numbers and the decompressions.

  Args:
    found: `Row`s.
    preset: What they have in common.
    settings: Where runs, data and results are.

  Returns:
    The paths.

  Raises:
    ValueError: One cannot be written.
  """
  folder = settings.out / FOLDER
  names = ('.md', '.json', '_charts.png', '_decompressions.png')
  paths = [folder / f'{preset}{name}' for name in names]
  atomic.write_text(paths[0], windows.table(found) + '\n')
  told = {'preset': preset, 'rows': [row.as_json() for row in found]}
  scores.write_to(paths[1], told)
  text = f'{preset}: what the window of the decoder decides'
  pictures.save_png(paths[2], windows.picture(found), 1, text)
  picture, text = _decompressions(found, settings)
  pictures.save_png(paths[3], pictures.captioned(picture, text), 1, text)
  return paths


def _decompressions(found, settings):
  """Originals beside a decompression by each model, and what is what."""
  folders = [settings.runs / row.record.name for row in found]
  runs = [workdirs.restore(folder, 'last') for folder in folders]
  data = images_lib.load(runs[0], settings.data_dir)
  images = fixed_binarization(data.test[:_SHOWN], 'test', kind=data.kind)
  drawn = [sampling.decompress(r.model, images, 1, _SEED)[0] for r in runs]
  names = ', '.join(row.window for row in found)
  text = f'originals, framed, and decompressions by windows {names}'
  return pictures.beside(images, np.stack(drawn)), text
