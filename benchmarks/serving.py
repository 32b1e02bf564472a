"""Times an exported model against the Python model, in turns.

`python benchmarks/serving.py --workdir=W --out=FILE.json`

Each round times both once; a ratio is the median over rounds of the ratio
within a round, the Python model's time over the export's. Cold starts are those
of fresh processes: from the first line of a script to the first result, the
import of TensorFlow (and, in Python, of the package) apart. Both draw the same
images, which is checked.
"""

from vlae_tf.utils import launcher  # isort: skip (first: it quiets TensorFlow)

if __name__ == '__main__':
  launcher.import_tensorflow()

import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import tensorflow as tf
import timing
from absl import flags

from vlae_tf.evaluation import latents, sampling
from vlae_tf.exporting import saved_model
from vlae_tf.runs import loading
from vlae_tf.utils import command_line

FLAGS = flags.FLAGS
_BATCHES = (1, 16, 100)
_SECONDS = 0.5  # At least so long a contender is timed in a round.

_COLD_EXPORT = """
import time; start = time.perf_counter()
import sys, numpy as np, tensorflow as tf
imported = time.perf_counter()
model = tf.saved_model.load(sys.argv[1]).signatures
image = tf.zeros([1, *model['encode'].structured_input_signature[1]['images']
                  .shape[1:]])
loaded = time.perf_counter()
model['encode'](images=image)['mean'].numpy()
encoded = time.perf_counter()
model['sample'](num=tf.constant(1), seed=tf.constant(0))['images'].numpy()
print(imported - start, loaded - imported, encoded - loaded,
      time.perf_counter() - encoded)
"""
_COLD_PYTHON = """
import time; start = time.perf_counter()
import sys, numpy as np, tensorflow as tf
import vlae_tf
from vlae_tf.evaluation import encoding, sampling
imported = time.perf_counter()
model = loading.restore(sys.argv[1]).model
loaded = time.perf_counter()
encoding.encode(model, tf.zeros([1, *model.image_shape])).mean.numpy()
encoded = time.perf_counter()
sampling.sample_prior(model, 1, 0)
print(imported - start, loaded - imported, encoded - loaded,
      time.perf_counter() - encoded)
"""
_PHASES = ('import', 'load', 'first_encode', 'first_sample')


def define_flags():
  """Defines the flags of this program."""
  timing.define_flags()
  flags.DEFINE_string('workdir', None, 'Run directory.', required=True)
  flags.DEFINE_integer('cold_rounds', 3, 'Turns of cold starts.', lower_bound=1)


def cold_start(script, path):
  """Seconds of each phase in a fresh process."""
  result = subprocess.run(
    [sys.executable, '-c', script, str(path)],
    check=True,
    capture_output=True,
    text=True,
    env=os.environ | {'TF_CPP_MIN_LOG_LEVEL': '3'},
  )
  return dict(zip(_PHASES, map(float, result.stdout.split())))


def steady(fn):
  """Seconds of a call, of as many as fill the time."""
  calls, start = 0, time.perf_counter()
  while time.perf_counter() - start < _SECONDS:
    tf.nest.map_structure(np.asarray, fn())
    calls += 1
  return (time.perf_counter() - start) / calls


def contenders(model, loaded):
  """Pairs of the same work by name: of Python, of the export."""
  encode = tf.function(
    lambda x: latents.encode(model, x), reduce_retracing=True
  )
  pairs, seed = {}, tf.constant(0)
  for n in _BATCHES:
    x, num = tf.zeros([n, *model.image_shape]), tf.constant(n)
    pairs[f'encode_batch_{n}'] = (
      n,
      lambda x=x: encode(x).mean,
      lambda x=x: loaded['encode'](images=x)['mean'],
    )
    pairs[f'sample_batch_{n}'] = (
      n,
      lambda n=n: sampling.sample_prior(model, n, 0),
      lambda num=num: loaded['sample'](num=num, seed=seed)['images'],
    )
  return pairs


def measure_steady(model, loaded, rounds):
  """Times of all contenders, in turns."""
  results = {}
  for name, (n, of_python, of_export) in contenders(model, loaded).items():
    # The first calls compile; both have to give the same.
    difference = np.abs(np.asarray(of_python()) - np.asarray(of_export())).max()
    times = [(steady(of_python), steady(of_export)) for _ in range(rounds)]
    results[name] = {
      'ratio': timing.spread([a / b for a, b in times]),
      'python_images_per_s': n / statistics.median(a for a, _ in times),
      'export_images_per_s': n / statistics.median(b for _, b in times),
      'largest_difference': float(difference),
    }
    print(name, json.dumps(results[name]), flush=True)
  return results


def measure_cold(workdir, export, rounds):
  """Cold starts in turns, seconds."""
  found = {'python': [], 'export': []}
  for _ in range(rounds):
    found['python'].append(cold_start(_COLD_PYTHON, workdir))
    found['export'].append(cold_start(_COLD_EXPORT, export))
  results = {
    who: {phase: timing.spread([s[phase] for s in starts]) for phase in _PHASES}
    for who, starts in found.items()
  }
  print('cold starts', json.dumps(results), flush=True)
  return results


def main():
  busy = timing.check_quiet()
  run = loading.restore(FLAGS.workdir)
  with tempfile.TemporaryDirectory() as folder:
    export = pathlib.Path(folder) / 'export'
    start = time.perf_counter()
    saved_model.write(run.model, export)
    results = {
      'rounds': FLAGS.rounds,
      'cpus': os.cpu_count(),
      'processor': platform.machine(),
      'tensorflow': tf.__version__,
      'busy_fraction': busy,
      'export_s': time.perf_counter() - start,
      'bytes': _sizes(export),
      'cold_start_s': measure_cold(FLAGS.workdir, export, FLAGS.cold_rounds),
    }
    loaded = tf.saved_model.load(str(export))
    results['steady'] = measure_steady(
      run.model, loaded.signatures, FLAGS.rounds
    )
  timing.write(results)


def _sizes(export):
  return {
    'graph': (export / 'saved_model.pb').stat().st_size,
    'variables': sum(
      p.stat().st_size for p in (export / 'variables').iterdir()
    ),
  }


if __name__ == '__main__':
  command_line.run(main, define_flags)
