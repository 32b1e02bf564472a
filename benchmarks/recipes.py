"""Adds a run to the log of hyperparameter experiments.

`python benchmarks/recipes.py --workdir=W --remark='Half the steps suffice.'`

Reads the run's config and log and puts a line into `results/recipes.json`, in
place of an entry of the same name; `docs/recipes.md` shows it
(`benchmarks/report.py`). The choice is by validation: no test image is looked
at.
"""

from vlae_tf.utils import launcher  # isort: skip (first: it quiets TensorFlow)

if __name__ == '__main__':
  launcher.import_tensorflow()

import dataclasses
import json
import pathlib

import numpy as np
from absl import flags

from vlae_tf.models import config as config_lib
from vlae_tf.runs import loading, records
from vlae_tf.utils import command_line, files

PATH = pathlib.Path(__file__).resolve().parent.parent / 'results/recipes.json'
# What the table has columns for, or what changes no weight.
_LEFT_OUT = ('dataset', 'train_on', 'validate_every_epochs')

FLAGS = flags.FLAGS


def define_flags():
  """Defines the flags of this program."""
  flags.DEFINE_string('workdir', None, 'Directory of a run.', required=True)
  flags.DEFINE_string(
    'remark', None, 'Conclusion of the experiment.', required=True
  )


def entry(name, config, lines, remark):
  """A line of the log of experiments.

  Args:
    name: Name of the run.
    config: Its `Config`.
    lines: From `records.read_log`.
    remark: Conclusion.

  Returns:
    A dictionary of JSON's types; `best` and `last` are points of the
    validation curve, `training` is the mean of the training curve since the
    last validation but one. Bounds are -ELBO in nats.

  Raises:
    ValueError: The run did not validate on images it is not trained on.
  """
  points = records.curve(lines, 'validation')
  if not points:
    raise ValueError('`workdir` must be of a run that validates, got none.')
  changes = {
    f.name: getattr(config, f.name)
    for f in dataclasses.fields(config_lib.Config)
    if getattr(config, f.name) != f.default and f.name not in _LEFT_OUT
  }
  since = points[-2].step if len(points) > 1 else 0
  recent = [p.elbo for p in records.curve(lines, 'train') if p.step > since]
  return {
    'name': name,
    'dataset': config.dataset,
    'train_on': config.train_on,
    'changes': changes,
    'steps': lines[-1]['step'],
    'minutes': records.minutes(lines),
    'best': _point(max(points, key=lambda p: p.elbo)),
    'last': _point(points[-1]),
    'training': -float(np.mean(recent)) if recent else None,
    'remark': remark,
  }


def _point(point):
  return {'step': point.step, 'elbo': -point.elbo, 'rate': point.rate}


def main():
  command_line.check_workdir(FLAGS.workdir)
  workdir = pathlib.Path(FLAGS.workdir)
  config = records.read_config(workdir)
  name = loading.name_of(workdir)
  new = entry(name, config, records.read_log(workdir), FLAGS.remark)
  found = json.loads(PATH.read_text()) if PATH.exists() else []
  found = [line for line in found if line['name'] != name] + [new]
  files.write_text(PATH, json.dumps(found, indent=1) + '\n')
  print(new)


if __name__ == '__main__':
  command_line.run(main, define_flags, __doc__)
