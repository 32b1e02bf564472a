"""What the window decides: `python -m vlae_tf.window_sweep`.

Trains one model with larger and larger windows of the decoder for as many
epochs each, in --runs, and writes `results/windows/` into --out: bits in the
code, NLL and a linear probe on the code as a table, charts and JSON,
decompressions of each beside the originals, and a page to choose a window on.
The same command again does what is left.
"""

from vlae_tf.utils import launcher  # isort: skip first: it handles Ctrl-C

if __name__ == '__main__':
  launcher.window_sweep()

import dataclasses
import pathlib

from absl import flags

from vlae_tf.reporting import explorer
from vlae_tf.reproduction import runner, windows
from vlae_tf.utils import command_line, presets

FLAGS = flags.FLAGS


def define_flags():
  """Defines the flags of this command."""
  flags.DEFINE_enum(
    'base_preset', 'dynamic_mnist', presets.names(), 'What all runs share.'
  )
  flags.DEFINE_list(
    'windows',
    list(windows.USUAL),
    'Windows, WIDTHxHEIGHT; factorised for none, full for all pixels before.',
  )
  flags.DEFINE_float('max_epochs', 10.0, 'Epochs of each.', lower_bound=0.0)
  flags.DEFINE_multi_string(
    'train_flag', [], 'Another flag of train, such as --train_flag=--seed=1.'
  )
  flags.DEFINE_string('runs', 'runs', 'Folder of the directories of runs.')
  flags.DEFINE_string('out', '.', 'Folder that results/windows/ goes to.')
  flags.DEFINE_integer(
    'num_samples', 128, 'Codes of each image for NLL.', lower_bound=2
  )
  flags.DEFINE_integer(
    'max_images',
    None,
    'Test images with so many codes; the others have 32.',
    lower_bound=2,
  )
  flags.DEFINE_integer(
    'num_labels', 1000, 'Labels of the linear probe; 0 for none.', lower_bound=0
  )
  flags.DEFINE_float(
    'minutes_per_model',
    None,
    'Minutes to train each model in this call; the next one goes on.',
    lower_bound=0.01,
  )
  flags.DEFINE_bool('train', True, 'Train; else score what is trained so far.')
  flags.DEFINE_bool('list', False, 'Print a line for the shell a run, and end.')
  command_line.define_data_dir()
  command_line.define_quiet()


def main():
  """Trains and scores a model for each window, and writes results."""
  own = [f'--max_epochs={FLAGS.max_epochs:g}', *FLAGS.train_flag]
  experiments = windows.experiments(FLAGS.base_preset, FLAGS.windows, own)
  settings = runner.Settings(
    runs=pathlib.Path(FLAGS.runs),
    out=pathlib.Path(FLAGS.out),
    num_samples=FLAGS.num_samples,
    max_images=FLAGS.max_images,
    minutes=FLAGS.minutes_per_model,
    train=FLAGS.train,
    data_dir=FLAGS.data_dir,
  )
  if FLAGS.list:
    print(*runner.shell_lines(experiments.values(), settings), sep='\n')
    return
  found = []
  with runner.meter(len(experiments)) as meter:
    settings = dataclasses.replace(settings, tell=meter.tell)
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
  paths.append(explorer.write(found, drawn, FLAGS.base_preset, settings.out))
  for path in paths:
    print(f'wrote {path}')
