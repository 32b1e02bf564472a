"""Scores a run: `python -m vlae_tf.evaluate --workdir=W --split=test`.

Prints a table and writes `W/eval/SPLIT_N_images_K_codes.json`.
"""

from vlae_tf.system import launcher  # isort: skip (first: it handles Ctrl-C)

if __name__ == '__main__':
  launcher.evaluate()

from absl import flags

from vlae_tf.analysis import likelihood
from vlae_tf.runs import images as images_lib
from vlae_tf.runs import scores, workdirs
from vlae_tf.system import command_line, progress

FLAGS = flags.FLAGS


def define_flags():
  """Defines the flags of this command."""
  command_line.define_workdir()
  command_line.define_checkpoint()
  command_line.define_data_dir()
  command_line.define_seed('Seed of the codes.')
  flags.DEFINE_enum(
    'split', 'test', ['train', 'validation', 'test'], 'Images to score.'
  )
  flags.DEFINE_integer(
    'num_samples',
    128,
    'Codes of each image: the more, the tighter the bound on its likelihood, '
    'and the longer it takes.',
    lower_bound=1,
    upper_bound=1_000_000,
  )
  flags.DEFINE_integer(
    'max_images', None, 'Score the first ones; all by default.', lower_bound=1
  )


def main():
  command_line.check_workdir(FLAGS.workdir)
  run = workdirs.restore(FLAGS.workdir, FLAGS.checkpoint)
  data = images_lib.load(run, FLAGS.data_dir)
  images = images_lib.first(
    data.split(FLAGS.split), FLAGS.max_images, f'--split={FLAGS.split}'
  )
  evaluator = likelihood.Evaluator(run.model, FLAGS.num_samples, FLAGS.seed)
  with progress.Meter(len(images), 'image') as meter:
    estimates = evaluator(images, FLAGS.split, meter.advance, data.kind)
  result = estimates.summary(run.image_shape) | {
    'step': run.step,
    'checkpoint': run.checkpoint,
    'dataset': run.config.dataset,
    'train_on': run.config.train_on,
    'split': FLAGS.split,
    'seed': FLAGS.seed,
  }
  path = scores.write(FLAGS.workdir, result)
  print(images_lib.label(FLAGS.workdir, run))
  print(f'{likelihood.table(result)}\nwrote {path}')
