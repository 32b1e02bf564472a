"""The paper's figures of our models: test images beside decompressions."""

import os
import pathlib

import numpy as np

from vlae_tf import data as data_lib
from vlae_tf.evaluation import figures, latents
from vlae_tf.reproduction import rows, runner
from vlae_tf.runs import images as images_lib
from vlae_tf.runs import workdirs

_IMAGES, _DRAWS, _SAMPLES, _SEED = 16, 3, 64, 0
_GAP = 8  # Pixels between the parts.


def path(out: str | os.PathLike, figure: rows.Figure) -> pathlib.Path:
  """Where a figure belongs, below the folder of all results."""
  return pathlib.Path(out) / 'results' / f'figure_{figure.name}.png'


def make(
  figure: rows.Figure, plan: rows.Plan, settings: runner.Settings
) -> pathlib.Path:
  """Draws a figure from runs that are there, and writes it."""
  names = [name for name in (figure.experiment, figure.beside) if name]
  folders = [settings.workdir(plan.experiments[name]) for name in names]
  # The other one may not have been run.
  there = folders[:1] + [f for f in folders[1:] if (f / workdirs.LAST).exists()]
  parts, images = [], None
  for folder in there:
    run = workdirs.restore(folder, 'last')
    latents.check_code(run.model, 'experiment')
    if images is None:
      images = _test_images(run, settings)
    made = figures.decompressions(run.model, images, _DRAWS, _SEED)
    parts.append((images_lib.label(folder, run), made))
    if figure.samples and folder == there[0]:
      sampled = figures.samples(run.model, _SAMPLES, _SEED)
      parts.append((images_lib.label(folder, run), sampled))
  texts = [f'{label}: {what}' for label, (_, what) in parts]
  drawn = [figures.captioned(x, t) for (_, (x, _)), t in zip(parts, texts)]
  target = path(settings.out, figure)
  text = f'Figure {figure.name}, {figure.title}. ' + '; '.join(texts)
  figures.save_png(target, _beside(drawn), 1, text)
  return target


def _test_images(run, settings):
  data = images_lib.load(run, settings.data_dir)
  first = data.test[:_IMAGES]
  return data_lib.fixed_binarization(first, 'test', kind=data.kind)


def _beside(parts):
  """Pictures next to each other, their upper edges in a line."""
  height = max(part.shape[0] for part in parts)
  padded = [
    np.pad(
      part,
      ((0, height - part.shape[0]), (0, _GAP), (0, 0)),
      constant_values=figures.PAPER,
    )
    for part in parts
  ]
  return np.concatenate(padded, 1)
