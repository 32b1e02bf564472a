"""Writes what a run says of its training into a directory of results.

`python benchmarks/learning_curve.py --workdir=W [--workdir=V ...] --out=DIR`

`training.json`: for each run epochs, steps and minutes without pauses, and
its curve in bits/dim, training (means over a part of an epoch) and validation;
`curve.png`: the curves of all runs in one chart.
"""

from vlae_tf.utils import launcher  # isort: skip (first: it quiets TensorFlow)

if __name__ == '__main__':
  launcher.import_tensorflow()

import json
import math
import pathlib

import numpy as np
from absl import flags

from vlae_tf.evaluation import figures
from vlae_tf.runs import loading, records
from vlae_tf.utils import command_line, files

FLAGS = flags.FLAGS
_PER_EPOCH = 4  # Points of the training curve.


def define_flags():
  """Defines the flags of this program."""
  flags.DEFINE_multi_string(
    'workdir', None, 'Directory of a run; once for each.', required=True
  )
  flags.DEFINE_string('out', None, 'Directory to write to.', required=True)


def facts(lines, batch_size, num_train, num_dims):
  """What the log of a run says of it.

  Args:
    lines: From `records.read_log`.
    batch_size: Images in a step.
    num_train: Images of an epoch.
    num_dims: Numbers in an image.

  Returns:
    A dictionary of Python numbers and lists.

  Raises:
    ValueError: There is no line.
  """
  if not lines:
    raise ValueError('`workdir` must have lines in metrics.jsonl, got none.')
  per_epoch = num_train / batch_size
  unit = math.log(2) * num_dims
  train, validation = (
    [(p.step / per_epoch, -p.elbo / unit, p.rate) for p in curve]
    for curve in (records.curve(lines, s) for s in ('train', 'validation'))
  )
  return dict(
    steps=lines[-1]['step'],
    epochs=lines[-1]['step'] / per_epoch,
    minutes=records.minutes(lines),
    batch_size=batch_size,
    train=_thinned(train),
    validation=[list(row) for row in validation],
  )


def _thinned(rows):
  """Means of rows of epoch, bits/dim and rate over parts of an epoch."""
  parts = {}
  for row in rows:
    parts.setdefault(int(row[0] * _PER_EPOCH), []).append(row)
  return [np.mean(part, 0).tolist() for part in parts.values()]


def main():
  found, series = {}, {}
  for workdir in FLAGS.workdir:
    run = loading.restore(workdir)
    data = run.images()
    config, name = run.config, loading.name_of(workdir)
    found[name] = facts(
      records.read_log(workdir),
      config.batch_size,
      len(data.split(config.train_on)),
      math.prod(data.image_shape),
    ) | {'train_on': config.train_on}
    for split in ('train', 'validation'):
      points = [(epoch, bits) for epoch, bits, _ in found[name][split]]
      if points:
        series[f'{name.removeprefix("cifar10_")}, {split}'] = points
  out = pathlib.Path(FLAGS.out)
  chart = figures.chart(
    series, '-ELBO, bits/dim', 'epochs', width=720, from_zero=False
  )
  files.write_text(
    out / 'training.json', json.dumps(found, indent=1, sort_keys=True) + '\n'
  )
  figures.save_png(out / 'curve.png', chart, 'learning curves')
  print(f'wrote {out}/training.json and {out}/curve.png')


if __name__ == '__main__':
  command_line.run(main, define_flags)
