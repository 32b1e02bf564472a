"""Times importance sampling against the plain way to write it, in turns.

`python benchmarks/evaluation.py --workdir=W --out=FILE.json`

The plain way: 256 codes at a time, every operation on all cores, the noise of
each image drawn after that of the one before, kernels normalised anew for every
pass. Ours is what `evaluate` does. Both have the same codes and must agree on
each image. Each side is a process of its own, as threads are set once.
"""

from vlae_tf.utils import launcher  # isort: skip (first: it quiets TensorFlow)

if __name__ == '__main__':
  launcher.import_tensorflow()

import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time

import numpy as np
import tensorflow as tf
import timing
from absl import flags

from vlae_tf import data as data_lib
from vlae_tf.distributions import reparameterized
from vlae_tf.evaluation import likelihood
from vlae_tf.runs import loading
from vlae_tf.training import strategies
from vlae_tf.utils import command_line, random

FLAGS = flags.FLAGS
_CODES_AT_ONCE = 256
_SIDES = ('ours', 'plain')


def define_flags():
  """Defines the flags of this program."""
  timing.define_flags()
  flags.DEFINE_string('workdir', None, 'Run directory.', required=True)
  flags.DEFINE_string('data_dir', None, 'Root of data sets.')
  flags.DEFINE_integer('num_samples', 512, 'Codes.', lower_bound=1)
  flags.DEFINE_integer('max_images', 40, 'Images of a turn.', lower_bound=2)
  flags.DEFINE_enum('side', None, _SIDES, 'What a process of this one does.')


class Plain:
  """Estimates of log p(x) by few lines of TensorFlow."""

  def __init__(self, model, num_samples):
    """Creates it for a model and a number of codes."""
    self._model, self._num_samples = model, num_samples
    self._of_chunk = tf.function(self._log_weights, reduce_retracing=True)

  def __call__(self, images):
    """`log p(x)` of each image, an array of shape `[num]`."""
    chunk = math.gcd(_CODES_AT_ONCE, self._num_samples)
    found = []
    for batch in data_lib.evaluation_batches(images, _CODES_AT_ONCE // chunk):
      parts = [
        self._of_chunk(batch['image'], batch['index'], tf.constant(k), chunk)
        for k in range(self._num_samples // chunk)
      ]
      weights = tf.concat(parts, 0)
      found.append(tf.reduce_logsumexp(weights, 0) - math.log(len(weights)))
    return np.concatenate(found)

  def _log_weights(self, image, index, k, chunk):
    shape = [chunk, *self._model.event_shape]

    def of_image(index):
      (seed,) = tf.unstack(random.stream_seeds(0, 'importance', index[None]))
      seed = tf.random.experimental.stateless_fold_in(seed, k)
      return tf.random.stateless_normal(shape, seed)

    noise = tf.map_fn(of_image, index, fn_output_signature=tf.float32)
    noise = tf.transpose(noise, [1, 0, 2])
    draw = reparameterized.draw(self._model.posterior(image), noise)
    return self._model.terms(draw, image).elbo


def _ours(model, num_samples):
  streams = strategies.num_cores()
  evaluator = likelihood.Evaluator(model, num_samples, streams=streams)
  return lambda images: evaluator(images).log_prob


def serve(side):
  """A turn for each line of standard input: seconds, and what was found."""
  if side == 'ours':
    strategies.set_threads(strategies.num_cores(), strategies.num_cores())
  run = loading.restore(FLAGS.workdir)
  images = run.images(FLAGS.data_dir).test[: FLAGS.max_images]
  score = (_ours if side == 'ours' else Plain)(run.model, FLAGS.num_samples)
  score(images[:4])  # Traced once.
  print('ready', flush=True)
  for _ in sys.stdin:
    before = time.perf_counter()
    found = score(images)
    told = time.perf_counter() - before, np.float64(found).tolist()
    print(json.dumps(told), flush=True)


class _Side:
  """A process that takes turns."""

  def __init__(self, name):
    self._process = subprocess.Popen(
      [sys.executable, *sys.argv, f'--side={name}'],
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      text=True,
    )
    self._line()

  def turn(self):
    """Seconds of a turn, and log p(x) of each image."""
    self._process.stdin.write('\n')
    self._process.stdin.flush()
    seconds, log_prob = json.loads(self._line())
    return seconds, np.array(log_prob)

  def end(self):
    """Ends the process."""
    self._process.stdin.close()
    self._process.wait()

  def _line(self):
    line = self._process.stdout.readline()
    if not line:
      raise ValueError(f'{self._process.args} ended early.')
    return line


def main():
  if FLAGS.side:
    serve(FLAGS.side)
    return
  timing.check_quiet()
  sides = {name: _Side(name) for name in _SIDES}
  turns = [
    {name: side.turn() for name, side in sides.items()}
    for _ in range(FLAGS.rounds)
  ]
  for side in sides.values():
    side.end()
  ratios = [t['plain'][0] / t['ours'][0] for t in turns]
  difference = turns[0]['plain'][1] - turns[0]['ours'][1]
  passes = FLAGS.max_images * FLAGS.num_samples
  result = {
    'ratio': statistics.median(ratios),
    'ratio_range': [min(ratios), max(ratios)],
    'largest_difference': float(np.abs(difference).max()),
    'nll': -float(turns[0]['ours'][1].mean()),
    'codes_per_s': {
      name: passes / statistics.median(t[name][0] for t in turns)
      for name in _SIDES
    },
    'num_images': FLAGS.max_images,
    'num_samples': FLAGS.num_samples,
    'rounds': FLAGS.rounds,
    'cpus': os.cpu_count(),
    'machine': platform.processor() or platform.machine(),
    'tensorflow': tf.__version__,
  }
  print(json.dumps(result, indent=2))
  timing.write(result)


if __name__ == '__main__':
  command_line.run(main, define_flags, __doc__)
