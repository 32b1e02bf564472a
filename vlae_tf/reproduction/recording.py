"""The record of a run, from the files of its directory; no model is built."""

import dataclasses
import math
import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from vlae_tf.models import config as config_lib
from vlae_tf.reproduction import correction, records, rows, status
from vlae_tf.runs import environment, facts, history, start_files, workdirs
from vlae_tf.utils import console


def make(
  experiment: rows.Experiment,
  workdir: pathlib.Path,
  reached: status.Standing,
) -> records.Record:
  """The record of a run."""
  config, images = reached.config, reached.images
  lines = history.read(workdir)
  minutes = history.minutes(lines) if lines else None
  scores = records.scores_at(workdir, reached.step)
  return records.Record(
    name=experiment.name,
    preset=experiment.preset,
    flags=list(experiment.flags),
    started_from=start_files.read(workdir),
    config=dataclasses.asdict(config),
    differences=_differences(config),
    data={
      'training_images': images.training,
      'test_images': images.test,
      'kind': images.kind,
      'sha256': facts.read(workdir).sha256,
    },
    finished=reached.is_finished,
    steps=reached.step,
    steps_planned=reached.total_steps,
    epochs=reached.epochs,
    epochs_planned=config.max_epochs,
    minutes=minutes,
    images_per_s=_speed(lines, minutes, config.batch_size),
    environment={
      'git_commit': None,
      'cpu': None,
      **environment.read(workdir),
    },
    weights=_weights(workdir, reached.step),
    active_units=_active_units(lines),
    curve=_curve(lines, images.training / config.batch_size),
    scores=scores,
    corrected=correction.corrected(workdir, scores, bool(config.latent_size)),
  )


def _differences(config):
  fields = dataclasses.fields(config_lib.Config)
  return {
    f.name: getattr(config, f.name)
    for f in fields
    if getattr(config, f.name) != f.default
  }


def _speed(lines, minutes, batch_size):
  if not minutes:
    return None
  return (lines[-1]['step'] - lines[0]['step']) * batch_size / (60 * minutes)


def _weights(workdir: pathlib.Path, step: int) -> int | None:
  """Numbers of the averages; states of random streams are integers."""
  prefix = str(workdir / workdirs.LAST / f'ckpt-{step}')
  try:
    reader = tf.train.load_checkpoint(prefix)
  except Exception as error:  # TensorFlow raises errors of many kinds.
    console.warn(f'{prefix} cannot be read: {console.brief(error)}')
    return None
  dtypes = reader.get_variable_to_dtype_map()
  return sum(
    math.prod(shape)
    for name, shape in reader.get_variable_to_shape_map().items()
    if name.startswith('averages/') and dtypes[name].is_floating
  )


def _active_units(lines):
  found = [line['active_units'] for line in lines if 'active_units' in line]
  return int(found[-1]) if found and found[-1] is not None else None


def _curve(lines, steps_per_epoch):
  """Curves by split, of as many points as there are epochs."""
  splits = dict.fromkeys(str(line.get('split')) for line in lines)
  return {s: _thinned(history.curve(lines, s), steps_per_epoch) for s in splits}


def _thinned(points: Sequence[history.Point], steps_per_epoch: float):
  parts: dict[int, list[tuple[float, ...]]] = {}
  for step, elbo, rate in points:
    epoch = step / steps_per_epoch
    parts.setdefault(math.ceil(epoch), []).append((epoch, elbo, rate))
  return [np.mean(part, 0).round(4).tolist() for part in parts.values()]
