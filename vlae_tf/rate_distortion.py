"""Distortion by rate: `python -m vlae_tf.rate_distortion --workdir=W --out=F`.

Codes test images lossily at several rates, reconstructs them, and counts bits,
pixels that differ, and labels that a linear probe still finds. Prints a table
and writes charts above pictures to --out, with all numbers in a `.json` file
beside it.
"""

from vlae_tf.utils import launcher  # isort: skip (first: it handles Ctrl-C)

if __name__ == '__main__':
  launcher.rate_distortion()

import os

from absl import flags

from vlae_tf.compression import lattice, rate_distortion
from vlae_tf.evaluation import figures, latents
from vlae_tf.runs import loading
from vlae_tf.utils import checks, command_line, console, files, json_files

FLAGS = flags.FLAGS


def define_flags():
  command_line.define_run('Seed of all draws.')
  flags.DEFINE_list(
    'steps',
    [f'{step:g}' for step in rate_distortion.STEPS],
    'Steps of the lattices of latents; a larger one takes fewer bits.',
  )
  command_line.define_max_images(
    'Number of test images, the first ones; all by default.'
  )
  command_line.define_out('.png file to write.')


def main():
  """Measures latents of each step; writes numbers and a picture."""
  command_line.check_workdir(FLAGS.workdir)
  steps, numbers = _steps(), os.path.splitext(FLAGS.out)[0] + '.json'
  files.check_new_file(FLAGS.out, FLAGS.overwrite, '.png')
  files.check_new_file(numbers, FLAGS.overwrite, '.json')
  run = loading.restore(FLAGS.workdir, FLAGS.checkpoint)
  latents.check_code(run.model, 'workdir')
  data = run.images(FLAGS.data_dir)
  most = len(loading.first(data.test, FLAGS.max_images, data.name))
  measurer = rate_distortion.Measurer(run.model, data, most, FLAGS.seed)
  with console.Meter(rate_distortion.num_rows(steps), 'row') as meter:
    report = measurer(steps, meter.advance)
  name = run.label
  print(f'{name}: {most:,} test images of {data.name}')
  print(rate_distortion.as_table(report))
  picture = rate_distortion.picture(report, measurer.images, name)
  figures.save_png(FLAGS.out, picture, name)
  settings = {
    'step': run.step,
    'checkpoint': run.checkpoint,
    'dataset': data.name,
    'num_images': most,
    'steps': steps,
    'seed': FLAGS.seed,
  }
  json_files.write(numbers, settings | rate_distortion.as_json(report))
  print(f'wrote {FLAGS.out} and {numbers}')


def _steps():
  """The distinct steps of --steps."""
  try:
    steps = [float(step) for step in FLAGS.steps]
  except ValueError:
    given = ','.join(FLAGS.steps)
    raise ValueError(
      f'`steps` must be numbers with commas between them, got {given!r}.'
    ) from None
  for step in steps:
    lattice.check_step('steps', step)
  checks.distinct('steps', steps)
  return steps
