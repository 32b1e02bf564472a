"""One page about runs: `python -m vlae_tf.report --workdir=W --out=FILE.html`.

A single file that needs nothing but a browser: what became of the training,
samples, decompressions, what the decoder sees, where the nats are, what it was
made with. Several runs, `--workdir=W --workdir=V`, stand side by side.
"""

from vlae_tf.utils import launcher  # isort: skip first: it handles Ctrl-C

if __name__ == '__main__':
  launcher.report()

import shlex
import sys

from absl import flags

from vlae_tf.reporting import page, sections, subjects
from vlae_tf.utils import command_line, console, files

FLAGS = flags.FLAGS


def define_flags():
  """Defines the flags of this command."""
  flags.DEFINE_multi_string(
    'workdir',
    None,
    'Directory of a run; once for each of several.',
    required=True,
  )
  command_line.define_checkpoint()
  command_line.define_data_dir()
  command_line.define_seed('Seed of everything random.')
  command_line.define_overwrite()
  command_line.define_quiet()
  flags.DEFINE_integer(
    'max_images',
    1000,
    'Test images that are scored, by a code each, for the best and the worst.',
    lower_bound=2,
  )
  flags.DEFINE_string('out', None, '.html file to write.', required=True)


def main():
  """Looks at the runs, and writes the page."""
  for workdir in FLAGS.workdir:
    command_line.check_workdir(workdir)
  files.check_new_file(FLAGS.out, FLAGS.overwrite, '.html')
  steps = subjects.STEPS * len(FLAGS.workdir)
  with console.Meter(steps, 'look') as meter:
    runs = subjects.read(
      FLAGS.workdir,
      FLAGS.checkpoint,
      FLAGS.data_dir,
      FLAGS.max_images,
      FLAGS.seed,
      meter.advance,
    )
  command = shlex.join(['python', '-m', 'vlae_tf.report', *sys.argv[1:]])
  page.write(sections.report(runs, command), FLAGS.out)
  print(f'wrote {FLAGS.out}')
