"""Compares decoder windows: `python -m vlae_tf.window_sweep`.

Trains one model with larger and larger decoder windows for equally many epochs,
in --runs, and writes `results/windows/` into --out: rate, NLL and a linear
probe on the latent as a table, charts and JSON, reconstructions beside the
originals, and an interactive page. The same command again completes the
remaining work.
"""

from vlae_tf.utils import launcher  # isort: skip first: it handles Ctrl-C

if __name__ == '__main__':
  launcher.window_sweep()

from absl import flags

from vlae_tf.reporting import explorer, page
from vlae_tf.reproduction import runner, windows
from vlae_tf.utils import command_line, presets

FLAGS = flags.FLAGS


def define_flags():
  flags.DEFINE_enum(
    'base_preset',
    'dynamic_mnist',
    presets.names(),
    'Preset that all runs share.',
  )
  flags.DEFINE_list(
    'windows',
    list(windows.USUAL),
    'Windows, WIDTHxHEIGHT; factorised: none, full: all preceding pixels.',
  )
  flags.DEFINE_float('max_epochs', 10.0, 'Epochs of each run.', lower_bound=0.0)
  flags.DEFINE_multi_string(
    'train_flag',
    [],
    'Further flag of train, as --train_flag=--seed=1; may be repeated.',
  )
  flags.DEFINE_string('out', '.', 'Folder for results/windows/.')
  command_line.define_num_samples(
    'Importance samples per image for NLL.', 128, least=2
  )
  command_line.define_max_images(
    'Number of test images with so many samples; the others have 32.', least=2
  )
  flags.DEFINE_integer(
    'num_labels',
    1000,
    'Labelled images for the linear probe; 0 for none.',
    lower_bound=0,
  )
  runner.define_flags()


def main():
  """Trains and scores a model for each window, and writes results."""
  own = [f'--max_epochs={FLAGS.max_epochs:g}', *FLAGS.train_flag]
  experiments = windows.experiments(FLAGS.base_preset, FLAGS.windows, own)
  settings = runner.settings_of(FLAGS, FLAGS.num_samples)
  if FLAGS.list:
    print(*runner.shell_lines(experiments.values(), settings), sep='\n')
    return
  found = []
  with runner.metered(settings, len(experiments)) as (settings, meter):
    for window, experiment in experiments.items():
      row = windows.measure(window, experiment, settings, FLAGS.num_labels)
      found += [] if row is None else [row]
      meter.advance(1)
  if not found:
    raise ValueError(
      f'`runs` must hold a run to score, got none in {FLAGS.runs}.'
    )
  print(windows.table(found))
  drawn = windows.draw(found, settings)
  paths = windows.write(found, drawn, FLAGS.base_preset, settings)
  paths.append(paths[0].with_suffix('.html'))
  page.write(explorer.make(found, drawn, FLAGS.base_preset), paths[-1])
  for path in paths:
    print(f'wrote {path}')
