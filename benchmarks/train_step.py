"""Times the training step against a reference, in turns.

`python benchmarks/train_step.py --out=FILE.json`

The reference is a program that prints JSON with `images_per_s`, by default
`plain_step.py` beside this file. Ours is the paper-size step with its input
pipeline, averages, clipping and guards. `ratio` is the median over rounds of
our images/s over the reference's.

Beside it: `host_loop_share`, the part of the training loop's time, logs
included, that is not the step's; `input_over_step`, how many times more
images/s the input pipeline gives by itself than the step takes;
`checkpoint_stall_s`.
"""

from vlae_tf.utils import launcher  # isort: skip (first: it quiets TensorFlow)

if __name__ == '__main__':
  launcher.import_tensorflow()

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
import timing
from absl import flags

from vlae_tf import data as data_lib
from vlae_tf.models import config as config_lib
from vlae_tf.runs import checkpoints
from vlae_tf.training import callbacks, strategies
from vlae_tf.training import state as training_state
from vlae_tf.training import step as train_step
from vlae_tf.training import trainer as trainer_lib
from vlae_tf.utils import command_line

FLAGS = flags.FLAGS

flags.DEFINE_string(
  'reference',
  os.path.join(os.path.dirname(os.path.abspath(__file__)), 'plain_step.py'),
  'Program to compare with; empty to skip.',
)
flags.DEFINE_integer('batch', 100, 'Images in a step.', lower_bound=1)
flags.DEFINE_integer('steps', 30, 'Our steps in a turn.', lower_bound=10)
flags.DEFINE_enum('xla', 'auto', train_step.XLA_CHOICES, 'See train.')
flags.DEFINE_integer('parts', 0, 'See train.', lower_bound=0)
flags.DEFINE_list(
  'precisions', 'float32,mixed_bfloat16', 'Ours to time, float32 first.'
)


def _images():
  return np.random.default_rng(0).random((2000, 28, 28, 1), np.float32) ** 4


class Ours:
  """Our step, compiled and warm."""

  def __init__(self, precision, execution):
    """Builds and compiles the step of the paper's model.

    Args:
      precision: See `Config`.
      execution: `train_step.Execution`.
    """
    config = config_lib.Config(batch_size=FLAGS.batch, precision=precision)
    batches = data_lib.training_batches(_images(), FLAGS.batch, config.seed)
    self._state = training_state.TrainingState(config, (28, 28, 1), 10_000)
    self._state.initialize(next(iter(batches)))
    self._batches = iter(batches)
    self._step = train_step.TrainStep(
      tf.distribute.get_strategy(), self._state, config, execution
    )
    self.images_per_s(5)

  def images_per_s(self, steps):
    """Takes some steps in one host call, and times them."""
    start = time.perf_counter()
    float(self._step(self._batches, tf.constant(steps))['loss'])
    return FLAGS.batch * steps / (time.perf_counter() - start)

  def input_images_per_s(self, steps=200):
    """The input pipeline by itself."""
    start = time.perf_counter()
    for _ in range(steps):
      next(self._batches)
    return FLAGS.batch * steps / (time.perf_counter() - start)

  def checkpoint_seconds(self):
    """Time to test and write all that a checkpoint holds."""
    with tempfile.TemporaryDirectory() as folder:
      saved = checkpoints.Checkpoints(folder, self._state.groups(), keep=1)
      start = time.perf_counter()
      trainer_lib.are_finite(self._state.variables_to_check())
      saved.save(self._state.step)
      return time.perf_counter() - start


class _TimedStep(train_step.TrainStep):
  """A step that adds up the time it takes."""

  seconds = 0.0

  def __call__(self, *args):
    start = time.perf_counter()
    metrics = super().__call__(*args)
    _TimedStep.seconds += time.perf_counter() - start
    return metrics


class Loop:
  """The whole training loop, its logs included."""

  def __init__(self, folder, execution):
    """Builds and warms it.

    Args:
      folder: Directory of the run.
      execution: `train_step.Execution`.
    """
    images = _images()
    data = data_lib.ImageData('noise', images, images[:100], images[:100])
    with mock.patch.object(train_step, 'TrainStep', _TimedStep):
      self._trainer = trainer_lib.Trainer(
        config_lib.Config(batch_size=FLAGS.batch, validate_every_epochs=0),
        data,
        folder,
        limits=trainer_lib.Limits(),
        execution=execution,
      )
    self._folder = folder
    self.images_per_s(10)

  def images_per_s(self, steps):
    """Trains on for some steps, after those that start the pipeline."""
    watch, trainer = _Watch(), self._trainer
    logs = [
      callbacks.MetricsLog(self._folder),
      callbacks.TensorBoardLog(self._folder, trainer, _images()[:25]),
    ]
    last = trainer.step + trainer.limits.steps_per_call + steps
    trainer.limits = dataclasses.replace(trainer.limits, max_steps=last)
    trainer.run([watch, *logs])
    (start, before), (end, after) = watch.seen[0], watch.seen[-1]
    self.host_share = 1.0 - (after - before) / (end - start)
    return FLAGS.batch * steps / (end - start)


class _Watch(keras.callbacks.Callback):
  def __init__(self):
    super().__init__()
    self.seen = []

  def on_train_batch_end(self, batch, logs=None):
    self.seen.append((time.perf_counter(), _TimedStep.seconds))


def _reference_images_per_s():
  command = [sys.executable, FLAGS.reference, f'--batch={FLAGS.batch}']
  done = subprocess.run(
    [*command, '--rounds=3'], check=True, capture_output=True, text=True
  )
  return json.loads(done.stdout.splitlines()[-1])['images_per_s']


def _round(ours, loop):
  """One turn of everything, as images/s by name."""
  speeds = {}
  for name, each in {**ours, 'loop': loop}.items():
    each.images_per_s(10)  # Warm again after the others' turns.
    speeds[name] = each.images_per_s(FLAGS.steps)
  speeds['host_share'] = loop.host_share
  if FLAGS.reference:
    speeds['reference'] = _reference_images_per_s()
  print({n: round(s, 3) for n, s in speeds.items()}, flush=True)
  return speeds


def _summary(rounds):
  """Medians, and ratios with their ranges."""
  shares = [r.pop('host_share') for r in rounds]
  names = rounds[0]
  result = {
    f'images_per_s_{n}': statistics.median(r[n] for r in rounds) for n in names
  }
  result['host_loop_share'] = statistics.median(shares)
  result['host_loop_share_range'] = [min(shares), max(shares)]
  if 'reference' not in names:
    return result
  for name, key in zip(FLAGS.precisions, ('ratio', 'ratio_bfloat16')):
    ratios = [r[name] / r['reference'] for r in rounds]
    result[key] = statistics.median(ratios)
    result[f'{key}_range'] = [min(ratios), max(ratios)]
  return result


def _measure(execution):
  ours = {p: Ours(p, execution) for p in FLAGS.precisions}
  first = ours[FLAGS.precisions[0]]
  with tempfile.TemporaryDirectory() as folder:
    loop = Loop(folder, execution)
    result = _summary([_round(ours, loop) for _ in range(FLAGS.rounds)])
  stalls = [first.checkpoint_seconds() for _ in range(5)]
  result['checkpoint_stall_s'] = statistics.median(stalls)
  result['checkpoint_stall_s_max'] = max(stalls)
  speed = result[f'images_per_s_{FLAGS.precisions[0]}']
  result['input_over_step'] = first.input_images_per_s() / speed
  return result


def main():
  timing.check_quiet()
  load = os.getloadavg()[0]
  cores = strategies.num_cores()
  parts = FLAGS.parts or strategies.parts_of(FLAGS.batch, cores)
  strategies.set_threads(parts, cores)
  result = _measure(train_step.Execution(xla=FLAGS.xla, parts=parts))
  result.update(parts=parts, cores=cores, load_before=load)
  print(json.dumps(result, indent=2))
  timing.write(result)


if __name__ == '__main__':
  command_line.run(main, timing.define_flags)
