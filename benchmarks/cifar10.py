"""Times the models of colour images: training and sampling, preset by preset.

`python benchmarks/cifar10.py --out=FILE.json`

Each preset has a process of its own, whose peak of memory is said. In it every
round times each contender once, at the same batch; ratios are medians over
rounds of the ratio within a round. `training_ratio` is ours over the same step
with plain masked convolutions (square kernels, zeros where nothing may be
seen), in images/s; `sampling_ratio` is the naive loop's time, a full pass for
every pixel of which some are timed, over the engine's, the code's draw and its
generator included once in both. Memory is the process's peak after steps of
ours, before the other is built. FLOPs of a forward pass are TensorFlow's count
for its graph; what follows from them for a GPU is a projection, not a
measurement.
"""

from vlae_tf.utils import launcher  # isort: skip (first: it quiets TensorFlow)

if __name__ == '__main__':
  launcher.import_tensorflow()

import contextlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from unittest import mock

import numpy as np
import tensorflow as tf
import timing
from absl import flags

from vlae_tf import data as data_lib
from vlae_tf.models import config as config_lib
from vlae_tf.nn.causal import convolution
from vlae_tf.training import state as training_state
from vlae_tf.training import step as train_step
from vlae_tf.utils import command_line, presets

FLAGS = flags.FLAGS
_SHAPE = (32, 32, 3)
_FEW, _MORE = 1, 3  # Passes of the naive loop that are timed.
_WARM_STEPS = 2


def define_flags():
  """Defines the flags of this program."""
  timing.define_flags()
  names = [name for name in presets.names() if name.startswith('cifar10')]
  flags.DEFINE_list('presets', names, 'Presets to time.')
  flags.DEFINE_integer('batch', 16, 'Images in a step and of a draw.')
  flags.DEFINE_integer('steps', 3, 'Steps in a turn.', lower_bound=1)
  flags.DEFINE_float(
    'sustained_tflops', 20.0, 'What a GPU is taken to do, for the projection.'
  )
  flags.DEFINE_string('one', None, 'Time this preset alone, in this process.')


def _plain_convolve(x, kernel, origin, dilation=1):
  """The same numbers by a square kernel, zeros where nothing may be seen."""
  first = origin
  last = [o + dilation * (k - 1) for o, k in zip(first, kernel.shape[:2])]
  half = max(map(abs, [*first, *last]))
  before = [half + a for a in first]
  after = [half - b for b in last]
  padding = [*zip(before, after), (0, 0), (0, 0)]
  assert dilation == 1
  return tf.nn.conv2d(x, tf.pad(kernel, padding), 1, 'SAME')


class Training:
  """The training step of a preset, compiled and warm."""

  def __init__(self, preset, plain):
    """Builds it.

    Args:
      preset: Name of the preset.
      plain: Whether convolutions are plain masked ones.
    """
    self._config = config = config_lib.from_preset(preset)
    object.__setattr__(config, 'batch_size', FLAGS.batch)
    images = np.random.default_rng(0).integers(0, 256, (64, *_SHAPE), np.uint8)
    batches = data_lib.training_batches(
      images, FLAGS.batch, 0, horizontal_flips=config.horizontal_flips
    )
    self._plain = plain
    with self._way():
      self.state = training_state.TrainingState(config, _SHAPE, 10_000)
      self.state.initialize(next(iter(batches)))
      self._batches = iter(batches)
      self._step = train_step.TrainStep(
        tf.distribute.get_strategy(),
        self.state,
        config,
        train_step.Execution(),
      )
    for _ in range(2):
      self.seconds(_WARM_STEPS)

  def _way(self):
    if self._plain:
      return mock.patch.object(convolution, 'convolve', _plain_convolve)
    return contextlib.nullcontext()

  def seconds(self, steps=1):
    """Seconds of some steps."""
    start = time.perf_counter()
    # A step that is traced anew has to be traced as the first.
    with self._way():
      float(self._step(self._batches, tf.constant(steps))['loss'])
    return time.perf_counter() - start


class Sampling:
  """Draws of images by the engine, and by full passes."""

  def __init__(self, model):
    """Compiles both.

    Args:
      model: `VLAE`.
    """
    self._model = model
    self._engine = tf.function(self._draw)
    self._naive = tf.function(self._passes)
    self._engine(), self._naive(tf.constant(_FEW))

  def _codes(self):
    return self._model.prior().sample(FLAGS.batch, seed=[1, 2])

  def _draw(self):
    return self._model.likelihood(self._codes()).sample(seed=[3, 4])

  def _passes(self, num):
    law = self._model.likelihood(self._codes())
    uniforms = tf.random.stateless_uniform([FLAGS.batch, *_SHAPE], [5, 6])

    def step(k, image):
      drawn = law.pixel_distribution.quantile(law.params(image), uniforms)
      here = tf.reshape(tf.one_hot(k, _SHAPE[0] * _SHAPE[1]), [*_SHAPE[:2], 1])
      return k + 1, tf.where(here > 0, drawn, image)

    first = (tf.constant(0), tf.zeros_like(uniforms))
    return tf.while_loop(lambda k, _: k < num, step, first)[1]

  def seconds(self):
    """Seconds of the engine, and of the naive loop, extrapolated."""
    ours = timing.seconds(self._engine)
    few, more = (
      timing.seconds(lambda num=n: self._naive(tf.constant(num)))
      for n in (_FEW, _MORE)
    )
    # The code's draw and its generator are in both: once is what they cost.
    one = (more - few) / (_MORE - _FEW)
    return ours, few + one * (_SHAPE[0] * _SHAPE[1] - _FEW)


def forward_flops(model):
  """Floating-point operations of the terms of an image, as TensorFlow counts.

  Args:
    model: `VLAE`.

  Returns:
    A float.
  """
  spec = tf.TensorSpec([1, *_SHAPE])
  graph = tf.function(lambda x: model(x)).get_concrete_function(spec).graph
  profiler = tf.compat.v1.profiler
  options = profiler.ProfileOptionBuilder.float_operation()
  options['output'] = 'none'
  return float(profiler.profile(graph, options=options).total_float_ops)


def _spread(values):
  return dict(
    median=statistics.median(values), low=min(values), high=max(values)
  )


def time_preset(preset):
  """All numbers of a preset, a dictionary."""
  ours = Training(preset, False)
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  plain = Training(preset, True)
  model = ours.state.averages
  drawing = Sampling(model)
  for one in (ours, plain, drawing):
    one.seconds()
  rounds = []
  for _ in range(FLAGS.rounds):
    step, other = ours.seconds(FLAGS.steps), plain.seconds(FLAGS.steps)
    engine, naive = drawing.seconds()
    images = FLAGS.batch * FLAGS.steps
    rounds.append(
      dict(
        training_images_per_s=images / step,
        training_ratio=other / step,
        sampling_images_per_s=FLAGS.batch / engine,
        sampling_ratio=naive / engine,
      )
    )
  flops = forward_flops(model)
  # Backward costs two forward passes: by inputs and by weights.
  projected = FLAGS.sustained_tflops * 1e12 / (3 * flops)
  return {name: _spread([r[name] for r in rounds]) for name in rounds[0]} | {
    'weights': int(sum(np.prod(w.shape) for w in model.trainable_variables)),
    'forward_gflops_per_image': flops / 1e9,
    'peak_memory_gib': peak / 2**20,
    'projected_gpu_images_per_s': projected,
  }


def main():
  if FLAGS.one:
    print(json.dumps(time_preset(FLAGS.one)))
    return
  busy = timing.check_quiet()
  found = {}
  for preset in FLAGS.presets:
    args = [f'--one={preset}', f'--rounds={FLAGS.rounds}']
    args += [f'--batch={FLAGS.batch}', f'--steps={FLAGS.steps}']
    args += [f'--sustained_tflops={FLAGS.sustained_tflops}']
    made = subprocess.run(
      [sys.executable, os.path.abspath(__file__), *args],
      check=True,
      capture_output=True,
      text=True,
    )
    found[preset] = json.loads(made.stdout.splitlines()[-1])
    print(preset, json.dumps(found[preset]))
  found = dict(
    batch=FLAGS.batch,
    rounds=FLAGS.rounds,
    steps=FLAGS.steps,
    busy_before=busy,
    processors=os.cpu_count(),
    machine=platform.machine(),
    tensorflow=tf.__version__,
    sustained_tflops=FLAGS.sustained_tflops,
    presets=found,
  )
  timing.write(found)


if __name__ == '__main__':
  command_line.run(main, define_flags)
