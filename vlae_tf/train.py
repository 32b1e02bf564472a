"""Trains a VLAE: `python -m vlae_tf.train --preset=omniglot`.

The same command resumes a run that was stopped.
"""

from vlae_tf.utils import launcher  # isort: skip (first: it handles Ctrl-C)

if __name__ == '__main__':
  launcher.train()

import dataclasses
import math
import os
import sys
from typing import Any

from absl import flags

from vlae_tf import data as data_lib
from vlae_tf.data import storage
from vlae_tf.models import config as config_lib
from vlae_tf.training import callbacks, strategies
from vlae_tf.training import step as train_step
from vlae_tf.training.trainer import Limits, Trainer
from vlae_tf.utils import command_line, console, fields, presets

FLAGS = flags.FLAGS


def define_flags():
  config_lib.define_flags()
  flags.DEFINE_enum(
    'preset',
    None,
    presets.names(),
    'Flags of a known experiment; later flags override them.',
  )
  command_line.define('data_dir', 'quiet')
  flags.DEFINE_string(
    'workdir', None, 'Directory of the run; runs/DATASET by default.'
  )
  flags.DEFINE_string(
    'start_from',
    None,
    'Trained model from which a new run starts: directory of a run, folder of '
    'a shared model, or name of a model of the package; fresh weights by '
    'default.',
  )
  flags.DEFINE_enum(
    'strategy', 'auto', list(strategies.STRATEGIES), 'Devices to train on.'
  )
  fields.define_flags(Limits)
  fields.define_flags(train_step.Execution, ('microbatch', 'xla'))
  flags.DEFINE_integer(
    'parts',
    0,
    'Parts of a batch to compute in parallel; 0 to choose by the cores.',
    lower_bound=0,
  )


def main():
  """Trains until a limit is reached."""
  config = config_lib.from_flags(FLAGS)
  path = os.path.abspath(os.path.expanduser(config.dataset))
  # A path that commands find from any working directory.
  if config.dataset not in data_lib.DATASETS and os.path.exists(path):
    config = dataclasses.replace(config, dataset=path)
  # Before TensorFlow computes: threads are set, workers of a cluster meet.
  parts = FLAGS.parts
  if strategies.is_one_cpu(FLAGS.strategy):
    cores = strategies.num_cores()
    size = FLAGS.microbatch or config.batch_size
    parts = parts or strategies.parts_of(size, cores)
    strategies.set_threads(parts, cores)
  execution = train_step.Execution(FLAGS.microbatch, FLAGS.xla, parts or 1)
  strategy = strategies.create(FLAGS.strategy, config.batch_size)
  data = data_lib.load(config.dataset, FLAGS.data_dir)
  name = os.path.basename(config.dataset.rstrip('/')).removesuffix('.npz')
  workdir = FLAGS.workdir or os.path.join('runs', name)
  limits: Any = {
    f.name: FLAGS[f.name].value for f in dataclasses.fields(Limits)
  }
  trainer = Trainer(
    config,
    data,
    workdir,
    storage.resolve_data_dir(FLAGS.data_dir),
    strategy,
    Limits(**limits),
    execution,
    start_from=FLAGS.start_from,
  )
  if trainer.resumed_from is not None:
    console.say(f'resumed from step {trainer.resumed_from}')
  if trainer.is_chief and not trainer.resumed_from:
    console.say(trainer.size())
  reason = trainer.run(
    _callbacks(trainer, data, workdir) if trainer.is_chief else ()
  )
  print(f'{reason} at step {trainer.step}: {workdir}')
  sys.exit(trainer.exit_status)


def _callbacks(trainer, data, workdir):
  preview = data_lib.fixed_binarization(
    data.validation[:25], 'validation', kind=data.kind
  )
  num_dims = math.prod(data.image_shape) if data.kind == 'levels' else None
  chosen = [
    callbacks.Progress(trainer.config.batch_size, num_dims=num_dims),
    callbacks.MetricsLog(workdir),
    callbacks.TensorBoardLog(workdir, trainer, preview),
  ]
  if trainer.config.latent_size:
    chosen.append(callbacks.CodeWatch(trainer.model.objective.floor))
  return chosen
