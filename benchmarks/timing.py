"""Shared by the benchmarks: flags, the load of the machine, times, results."""

import json
import statistics
import time

import tensorflow as tf
from absl import flags

from vlae_tf.utils import files

FLAGS = flags.FLAGS


def define_flags():
  """Defines the flags of all benchmarks that take turns."""
  flags.DEFINE_string('out', None, 'JSON file to write.')
  flags.DEFINE_integer('rounds', 5, 'Turns of each contender.', lower_bound=1)
  flags.DEFINE_bool('allow_busy', False, 'Time on a busy machine, too.')
  flags.DEFINE_float(
    'busy_limit', 0.1, 'Fraction of processor time in use from which to stop.'
  )


def check_quiet():
  """The fraction of processor time that others use, which must be low."""

  def counts():
    with open('/proc/stat', encoding='ascii') as file:
      ticks = list(map(int, file.readline().split()[1:9]))
    return sum(ticks), ticks[3] + ticks[4]

  total, idle = counts()
  time.sleep(1.0)
  total_after, idle_after = counts()
  busy = 1 - (idle_after - idle) / max(1, total_after - total)
  if busy > FLAGS.busy_limit and not FLAGS.allow_busy:
    raise ValueError(
      f'the processors must be idle, got {busy:.0%} in use and --busy_limit='
      f'{FLAGS.busy_limit}. Wait, or give --allow_busy.'
    )
  return busy


def seconds(fn):
  """Wall time of a call, its result read."""
  start = time.perf_counter()
  tf.nest.map_structure(lambda x: x.numpy(), fn())
  return time.perf_counter() - start


def spread(values):
  """Median and range."""
  return dict(
    median=statistics.median(values), range=[min(values), max(values)]
  )


def write(result):
  """Writes a result to --out, if given."""
  if FLAGS.out:
    files.write_text(FLAGS.out, json.dumps(result, indent=2) + '\n')
