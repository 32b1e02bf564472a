"""Calls all signatures of an export, in a process with TensorFlow alone.

    python bare.py EXPORT IMAGES.npz OUT.npz THREADS

Prints nothing; writes `SIGNATURE/BATCH/OUTPUT` for every batch size in `sizes`
of IMAGES.npz.
"""

import os
import sys

_FORBIDDEN = ('vlae_tf', 'tensorflow_probability', 'keras', 'tf_keras')


class _Without:
  """An importer that hides forbidden packages from another."""

  def __init__(self, importer):
    self._importer = importer

  def find_spec(self, name, path=None, target=None):
    if name.partition('.')[0] in _FORBIDDEN:
      return None
    return self._importer.find_spec(name, path, target)


if __name__ == '__main__':
  os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
  sys.meta_path[:] = map(_Without, sys.meta_path)

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402


def answers(model, images, codes, mask, sizes):
  """All outputs of all signatures, by name."""
  seed, found = tf.constant(5), {}
  for n in sizes:
    x = tf.constant(images[:n])
    # More than the lanes hold, and no multiple of them; few where it is slow.
    num_samples = tf.constant(300 if n < 10 else 30)
    asked = {
      'encode': dict(images=x),
      'decode': dict(codes=tf.constant(codes[:n]), seed=seed),
      'elbo': dict(images=x, seed=seed),
      'log_prob': dict(images=x, num_samples=num_samples, seed=seed),
      'sample': dict(num=tf.constant(int(n)), seed=seed),
      'reconstruct': dict(images=x, seed=seed),
      'complete': dict(images=x, mask=tf.constant(mask), seed=seed),
      'score': dict(images=x),
    }
    for name, inputs in asked.items():
      for key, value in model[name](**inputs).items():
        found[f'{name}/{n}/{key}'] = value.numpy()
  return found


def main():
  export, given, out, threads = sys.argv[1:]
  tf.config.threading.set_intra_op_parallelism_threads(int(threads))
  tf.config.threading.set_inter_op_parallelism_threads(int(threads))
  model = tf.saved_model.load(export).signatures
  found = answers(model, **np.load(given))
  loaded = [n for n in _FORBIDDEN if n in sys.modules]
  assert not loaded, loaded
  np.savez(out, **found)


if __name__ == '__main__':
  main()
