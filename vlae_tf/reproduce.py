"""Reproduces the paper's tables: `python -m vlae_tf.reproduce --table=all`.

Trains and evaluates the experiments in --runs, and resumes unfinished ones.
Writes a record of each to `results/tables/`, `results/figure_*.png`, and
RESULTS.md with all tables beside the paper's numbers, into --out. The same
command again completes the remaining work.
"""

from vlae_tf.utils import launcher  # isort: skip first: it handles Ctrl-C

if __name__ == '__main__':
  launcher.reproduce()

import contextlib

from absl import flags

from vlae_tf.reproduction import experiments, runner, tables
from vlae_tf.utils import command_line, console, files

FLAGS = flags.FLAGS
_SAMPLES, _SAMPLES_SMOKE = 128, 8


def define_flags():
  flags.DEFINE_multi_enum(
    'table',
    None,
    [*experiments.PUBLISHED, *experiments.NUMBERS, 'all'],
    'Table to reproduce, by name or by its number in the paper; may be '
    'repeated. Everything without --table and --figure.',
  )
  flags.DEFINE_multi_enum(
    'figure',
    None,
    ['1', '2'],
    'Figure to draw, by its number in the paper; may be repeated.',
  )
  flags.DEFINE_multi_string(
    'experiment',
    None,
    'Experiment to run, by its name in --list; may be repeated.',
  )
  flags.DEFINE_string(
    'out',
    None,
    'Folder for results/ and RESULTS.md; by default the current one.',
  )
  command_line.define_num_samples(
    f'Importance samples per test image, {_SAMPLES} by default; the paper uses '
    '4096.',
    least=2,
  )
  command_line.define_max_images(
    'Number of test images, spread over the set, with so many samples; the '
    'others have 32, and the mean difference corrects the mean over all.'
  )
  flags.DEFINE_bool(
    'smoke',
    False,
    'Run everything with tiny models on handwritten digits, in minutes.',
  )
  flags.DEFINE_bool(
    'render', False, 'Rewrite RESULTS.md from the records, and exit.'
  )
  runner.define_flags()


def main():
  """Runs the experiments and draws the figures asked for."""
  whole = experiments.plan(FLAGS.smoke)
  chosen = whole.chosen(FLAGS.table, FLAGS.figure)
  work = chosen.named(FLAGS.experiment)
  if FLAGS.smoke and FLAGS.out is None and not FLAGS.list:
    raise ValueError(
      '`out` must be given with --smoke, which overwrites there.'
    )
  usual = _SAMPLES_SMOKE if FLAGS.smoke else _SAMPLES
  settings = runner.settings_of(FLAGS, FLAGS.num_samples or usual)
  if FLAGS.list:
    print(*runner.shell_lines(work, settings), sep='\n')
    return
  files.check_writable(settings.out / tables.NAME)
  failed = [] if FLAGS.render else _run(work, chosen, whole, settings)
  print(f'wrote {tables.write(whole, settings.out)}')
  if failed:
    raise ValueError(f'failed: {", ".join(failed)}')


def _run(work, chosen, whole, settings):
  """Experiments, then figures; the names of those that failed."""
  done: list[str] = []
  failed: list[str] = []
  with runner.metered(settings, len(work)) as (settings, meter):
    for experiment in work:
      with _noted(experiment.name, failed):
        done += [experiment.name] * bool(runner.run(experiment, settings))
      # A broken record is reported at the end.
      with contextlib.suppress(ValueError):
        tables.write(whole, settings.out)
      meter.advance(1)
  # For single experiments, only the figures asked for.
  wanted = () if FLAGS.experiment and not FLAGS.figure else chosen.figures
  for figure in wanted:
    if figure.experiment in done:
      with _noted(f'figure {figure.name}', failed):
        print(f'wrote {runner.draw(figure, whole, settings)}', flush=True)
  return failed


@contextlib.contextmanager
def _noted(name, failed):
  """Reports a failure, and lets the others go on."""
  try:
    yield
  except (OSError, ValueError) as error:
    console.warn(f'{name} failed: {error}')
    failed.append(name)
