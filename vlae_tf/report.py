"""Report on runs: `python -m vlae_tf.report --workdir=W --out=FILE.html`.

A self-contained page: scores, learning curves, samples, reconstructions,
receptive field, rate and distortion, configuration and environment. Several
runs, `--workdir=W --workdir=V`, are shown side by side.
"""

from vlae_tf.utils import launcher  # isort: skip first: it handles Ctrl-C

if __name__ == '__main__':
  launcher.report()

import shlex
import sys

from absl import flags

from vlae_tf.reporting import page, run_results, sections
from vlae_tf.utils import command_line, console, files

FLAGS = flags.FLAGS


def define_flags():
  command_line.define_run('Random seed.', several=True)
  command_line.define_max_images(
    'Number of test images that are ranked by distortion.', 1000, least=2
  )
  command_line.define_out('.html file to write.')


def main():
  """Reads the runs and writes the page."""
  for workdir in FLAGS.workdir:
    command_line.check_workdir(workdir)
  files.check_new_file(FLAGS.out, FLAGS.overwrite, '.html')
  steps = run_results.STEPS * len(FLAGS.workdir)
  with console.Meter(steps, 'part') as meter:
    runs = run_results.read(
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
