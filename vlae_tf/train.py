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

from absl import flags

from vlae_tf import data as data_lib
from vlae_tf.data import storage
from vlae_tf.models import config as config_lib
from vlae_tf.training import callbacks, strategies
from vlae_tf.training import flags as train_flags
from vlae_tf.training.trainer import Trainer
from vlae_tf.utils import command_line, presets

FLAGS = flags.FLAGS


def define_flags():
  """Defines the flags of this command."""
  config_lib.define_flags()
  flags.DEFINE_enum(
    'preset',
    None,
    presets.names(),
    'Flags of a known experiment; later flags override them.',
  )
  command_line.define_data_dir()
  command_line.define_quiet()
  train_flags.define()


def main():
  """Trains until a limit is reached."""
  config = _with_absolute_path(config_lib.from_flags(FLAGS))
  # Before TensorFlow computes: threads are set, workers of a cluster meet.
  execution = train_flags.execution(FLAGS, config.batch_size)
  strategy = strategies.create(FLAGS.strategy, config.batch_size)
  data = data_lib.load(config.dataset, FLAGS.data_dir)
  name = os.path.basename(config.dataset.rstrip('/')).removesuffix('.npz')
  workdir = FLAGS.workdir or os.path.join('runs', name)
  trainer = Trainer(
    config,
    data,
    workdir,
    storage.resolve_data_dir(FLAGS.data_dir),
    strategy,
    train_flags.limits(FLAGS),
    execution,
    start_from=FLAGS.start_from,
  )
  if trainer.resumed_from is not None:
    print(f'resumed from step {trainer.resumed_from}', flush=True)
  if trainer.is_chief and not trainer.resumed_from:
    print(trainer.size(), flush=True)
  reason = trainer.run(
    _callbacks(trainer, data, workdir) if trainer.is_chief else ()
  )
  print(f'{reason} at step {trainer.step}: {workdir}')
  sys.exit(trainer.exit_status)


def _with_absolute_path(config):
  """The config with a data set that other working directories can find."""
  path = os.path.abspath(os.path.expanduser(config.dataset))
  if config.dataset in data_lib.DATASETS or not os.path.exists(path):
    return config
  return dataclasses.replace(config, dataset=path)


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
