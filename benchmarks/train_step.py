"""Times the training step against a reference, in turns.

`python benchmarks/train_step.py --reference=PATH --out=FILE.json`

The reference is a program that prints JSON with `images_per_s`. Ours is the
paper-size step with its input pipeline, averages, clipping and guards. `ratio`
is the median over rounds of our images/s over the reference's.
"""

from vlae_tf import command_line  # isort: skip (first: it quiets TensorFlow)

import json
import statistics
import subprocess
import sys
import time

import numpy as np
import tensorflow as tf
from absl import flags

from vlae_tf import atomic, train_step, training_state
from vlae_tf import config as config_lib
from vlae_tf import data as data_lib

FLAGS = flags.FLAGS

flags.DEFINE_string('reference', None, 'Program to compare with; none to skip.')
flags.DEFINE_string('out', None, 'JSON file to write.')
flags.DEFINE_integer('batch', 100, 'Images in a step.', lower_bound=1)
flags.DEFINE_integer('rounds', 5, 'Turns of each.', lower_bound=1)
flags.DEFINE_integer('steps', 20, 'Our steps in a turn.', lower_bound=1)
flags.DEFINE_enum('xla', 'auto', train_step.XLA_CHOICES, 'See train.')
flags.DEFINE_list(
  'precisions', 'float32,mixed_bfloat16', 'Ours to time, float32 first.'
)


class Ours:
  """Our step, compiled and warm."""

  def __init__(self, precision):
    """Builds and compiles the step of the paper's model.

    Args:
      precision: See `Config`.
    """
    config = config_lib.Config(batch_size=FLAGS.batch, precision=precision)
    images = np.random.default_rng(0).random((2000, 28, 28, 1), np.float32)
    batches = data_lib.training_batches(images**4, FLAGS.batch, config.seed)
    state = training_state.TrainingState(config, (28, 28, 1), 10_000)
    state.initialize(next(iter(batches)))
    self._batches = iter(batches)
    self._step = train_step.TrainStep(
      tf.distribute.get_strategy(),
      state,
      config,
      train_step.Execution(xla=FLAGS.xla),
    )
    self.images_per_s(5)

  def images_per_s(self, steps):
    """Takes some steps in one host call, and times them."""
    start = time.perf_counter()
    float(self._step(self._batches, tf.constant(steps))['loss'])
    return FLAGS.batch * steps / (time.perf_counter() - start)


def _reference_images_per_s():
  command = [sys.executable, FLAGS.reference, f'--batch={FLAGS.batch}']
  done = subprocess.run(
    [*command, '--rounds=3'], check=True, capture_output=True, text=True
  )
  return json.loads(done.stdout.splitlines()[-1])['images_per_s']


def _round(ours):
  """One turn of everything, as images/s by name."""
  speeds = {n: o.images_per_s(FLAGS.steps) for n, o in ours.items()}
  if FLAGS.reference:
    speeds['reference'] = _reference_images_per_s()
  print({n: round(s, 1) for n, s in speeds.items()}, flush=True)
  return speeds


def _summary(rounds):
  """Medians, and ratios with their ranges."""
  names = rounds[0]
  result = {
    f'images_per_s_{n}': statistics.median(r[n] for r in rounds) for n in names
  }
  if 'reference' not in names:
    return result
  for name, key in zip(FLAGS.precisions, ('ratio', 'ratio_bfloat16')):
    ratios = [r[name] / r['reference'] for r in rounds]
    result[key] = statistics.median(ratios)
    result[f'{key}_range'] = [min(ratios), max(ratios)]
  return result


def main():
  ours = {precision: Ours(precision) for precision in FLAGS.precisions}
  result = _summary([_round(ours) for _ in range(FLAGS.rounds)])
  text = json.dumps(result, indent=2)
  print(text)
  if FLAGS.out:
    atomic.write_text(FLAGS.out, text + '\n')


if __name__ == '__main__':
  command_line.run(main)
