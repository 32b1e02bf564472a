"""Trains a VLAE: `python -m vlae_tf.train --dataset=omniglot`.

The same command again goes on where it was stopped.
"""

from vlae_tf import command_line  # isort: skip (first: it quiets TensorFlow)

import os

from absl import flags

from vlae_tf import config as config_lib
from vlae_tf import data as data_lib
from vlae_tf import progress, summaries, training

FLAGS = flags.FLAGS

config_lib.define_flags()
command_line.define_data_dir()
flags.DEFINE_string(
  'workdir', None, 'Directory of the run; runs/DATASET by default.'
)
flags.DEFINE_integer('max_steps', None, 'Step to stop at.', lower_bound=1)
flags.DEFINE_float('max_minutes', None, 'Minutes to stop after.', lower_bound=0)
flags.DEFINE_integer(
  'checkpoint_every_steps', 1000, 'Steps between checkpoints.', lower_bound=1
)
flags.DEFINE_float(
  'validate_every_epochs', 1.0, 'Epochs, or 0 for never.', lower_bound=0
)
flags.DEFINE_integer(
  'steps_per_call', 10, 'Steps between two reports.', lower_bound=1
)


def main():
  config = config_lib.from_flags(FLAGS)
  data = data_lib.load(config.dataset, FLAGS.data_dir)
  name = os.path.basename(config.dataset.rstrip('/')).removesuffix('.npz')
  workdir = FLAGS.workdir or os.path.join('runs', name)
  trainer = training.Trainer(
    config,
    data,
    workdir,
    data_dir=FLAGS.data_dir,
    limits=training.Limits(
      max_steps=FLAGS.max_steps,
      max_minutes=FLAGS.max_minutes,
      checkpoint_every_steps=FLAGS.checkpoint_every_steps,
      validate_every_epochs=FLAGS.validate_every_epochs,
      steps_per_call=FLAGS.steps_per_call,
    ),
  )
  if trainer.resumed_from is not None:
    print(f'resumed from step {trainer.resumed_from}', flush=True)
  preview = data_lib.fixed_binarization(data.validation[:25], 'validation')
  reason = trainer.run(
    [
      progress.Progress(config.batch_size),
      summaries.TensorBoardLog(workdir, trainer.averages, preview),
    ]
  )
  print(f'{reason} at step {trainer.step}: {workdir}')


if __name__ == '__main__':
  command_line.run(main)
