"""Times compression against drawing samples, in turns.

`python benchmarks/codec.py --workdir=W --out=FILE.json`

The sampler is the compiled one of the exports, as many images at a time as the
codec has lanes. One chunk at a time is the same batch on the same model; a
chunk for each processor is what the commands do. Decoded images have to be
those that went in. A ratio is the median over rounds of the ratio within a
round, images a second of the codec over the sampler's.
"""

from vlae_tf.utils import launcher  # isort: skip (first: it quiets TensorFlow)

if __name__ == '__main__':
  launcher.import_tensorflow()

import json
import os
import platform
import statistics
import tempfile
import time

import numpy as np
import tensorflow as tf
import timing
from absl import flags

from vlae_tf import data as data_lib
from vlae_tf.compression import exact_model, files, size_report
from vlae_tf.evaluation import sampling
from vlae_tf.runs import loading
from vlae_tf.utils import command_line

FLAGS = flags.FLAGS


def define_flags():
  """Defines the flags of this program."""
  timing.define_flags()
  flags.DEFINE_string('workdir', None, 'Run directory.', required=True)
  flags.DEFINE_string('data_dir', None, 'Root of data sets.')
  flags.DEFINE_integer('images_per_chunk', 1024, 'Images.', lower_bound=1)
  flags.DEFINE_multi_integer('lanes', [16, 32], 'Interleaved images.')
  flags.DEFINE_integer(
    'single_images', 100, 'Images compressed to a file each.', lower_bound=1
  )


def contenders(model, images, lanes, jobs):
  """Functions that return how many images they did, by name."""
  draw = tf.function(lambda seed: sampling.samples(model, lanes, seed))
  settings = files.Settings(len(images) // jobs, lanes)
  coder = files.Coder(exact_model.ExactModel(model), settings, jobs)
  header = coder.header(len(images))

  def sample():
    num = len(images) // lanes
    for seed in range(num):
      draw(tf.constant(seed)).numpy()
    return num * lanes

  def encode():
    # What `compress` writes, without the decoding that checks it.
    return [e.data for e in coder.encoded(header, images, False, None)]

  payloads = encode()

  def decode():
    found = [x for _, x in coder.decode(header, enumerate(payloads))]
    assert np.array_equal(np.concatenate(found), images)
    return len(images)

  return {
    'sample': sample,
    'encode': lambda: sum(len(images) // jobs for _ in encode()),
    'decode': decode,
  }


def speed(fn):
  """Images a second."""
  start = time.perf_counter()
  return fn() / (time.perf_counter() - start)


def measure(model, images, lanes, jobs):
  """Speeds and their ratios to the sampler's, in turns."""
  fns = contenders(model, images, lanes, jobs)
  for fn in fns.values():
    fn()  # The first calls compile.
  rounds = [
    {name: speed(fn) for name, fn in fns.items()} for _ in range(FLAGS.rounds)
  ]
  found = {
    f'{name}_images_per_s': statistics.median(r[name] for r in rounds)
    for name in fns
  }
  for name in ('encode', 'decode'):
    ratios = [r[name] / r['sample'] for r in rounds]
    found[f'{name}_over_sample'] = timing.spread(ratios)
  return found


def measure_single(model, images):
  """Bytes of files of one image, beside those of general codecs."""
  coder = files.Coder(exact_model.ExactModel(model))
  sizes = []
  with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, 'one.vlae')
    for k in range(len(images)):
      coder.compress(images[k : k + 1], path, overwrite=True)
      sizes.append(os.path.getsize(path))
  name, size = size_report.best(size_report.measure(images), 'one_by_one')
  return {
    'images': len(images),
    'mean_bytes': statistics.mean(sizes),
    'range_bytes': [min(sizes), max(sizes)],
    'best_general': name,
    'best_general_mean_bytes': size / len(images),
  }


def main():
  busy = timing.check_quiet()
  run = loading.restore(FLAGS.workdir)
  data = run.images(FLAGS.data_dir)
  jobs = os.cpu_count() or 1
  num = FLAGS.images_per_chunk
  batches = data_lib.evaluation_batches(
    data.test[: num * jobs], num, split='test', kind=data.kind
  )
  images = np.concatenate([b['image'].numpy() > 0 for b in batches])
  results = {
    'rounds': FLAGS.rounds,
    'cpus': os.cpu_count(),
    'processor': platform.machine(),
    'tensorflow': tf.__version__,
    'busy_fraction': busy,
    'images_per_chunk': num,
  }
  results['single'] = measure_single(run.model, images[: FLAGS.single_images])
  print('single', json.dumps(results['single']), flush=True)
  for lanes in FLAGS.lanes:
    for chunks in sorted({1, jobs}):
      name = f'lanes_{lanes}_chunks_at_a_time_{chunks}'
      part = images[: num * chunks]
      results[name] = measure(run.model, part, lanes, chunks)
      print(name, json.dumps(results[name]), flush=True)
  timing.write(results)


if __name__ == '__main__':
  command_line.run(main, define_flags)
