"""Computes with a saved model, in a process of other threads and flags.

python elsewhere.py MODEL.keras GIVEN.npz OUT.npz THREADS HOW WHAT

HOW is `compiled` or `eagerly`, WHAT is `compute`, or `decode` to do both.
"""

import hashlib
import os
import sys

os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
if __name__ == '__main__':
  import tensorflow as tf

  tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[4]))
  tf.config.threading.set_inter_op_parallelism_threads(int(sys.argv[4]))

import keras
import numpy as np
import tensorflow as tf

from vlae_tf import compression
from vlae_tf.models import vlae as model_lib  # noqa: F401  # Registers parts.

STEP = 1 / 16
# Of two lanes, five images are coded directly and the others with bits back.
_LANES, NUM = 2, 6


def chunks(exact):
  """What codes the images."""
  return compression.LosslessChunks(exact, _LANES)


def integers(exact, images, codes):
  """All that a message depends on, as numbers that are the same or are not.

  Args:
    exact: `ExactModel`.
    images: `[num, height, width, channels]`, of the grid.
    codes: `[num, size]`, of the lattice.

  Returns:
    A dictionary of arrays.
  """
  with exact.scope():
    posterior = exact.model.posterior(images)
    params = tf.stack([posterior.mean(), posterior.stddev()], -1)
    # A scale is what it is rounded to: the float may differ in its last bits.
    places = compression.GaussianSymbols(STEP).locate(
      params, tf.fill(params.shape[:-1], tf.constant(1 << 23, tf.int64))
    )
    flow = compression.on_lattice(exact.model.prior().bijector, STEP)
    noise = flow.inverse(tf.identity(codes))
    found = {
      'mean': posterior.mean(),
      'place': places[0],
      'start': places[1].start,
      'width': places[1].width,
      'params': exact.model.likelihood(codes).params(images),
      'noise': noise,
      'code': flow.forward(tf.identity(noise)),
    }
  return {name: np.asarray(x) for name, x in found.items()}


def digest(exact, images, codes, batch):
  """SHA-256 of `integers`, computed so many images at a time."""
  parts = [
    integers(exact, *(tf.constant(x[k : k + batch]) for x in (images, codes)))
    for k in range(0, len(images), batch)
  ]
  hashed = hashlib.sha256()
  for name in parts[0]:
    whole = np.concatenate([part[name] for part in parts])
    hashed.update(f'{name} {whole.dtype} {whole.shape}'.encode())
    hashed.update(whole.tobytes())
  return hashed.hexdigest()


def digests(exact, images, codes):
  """One at a time, and all at once."""
  return [digest(exact, images, codes, n) for n in (1, len(images))]


def main():
  saved, given, out, _, how, what = sys.argv[1:]
  tf.config.run_functions_eagerly(how == 'eagerly')
  exact = compression.ExactModel(keras.saving.load_model(saved))
  given = np.load(given)
  found = digests(exact, given['numbers'], given['codes'])
  answers = {'fingerprint': exact.fingerprint.hex(), 'digests': found}
  if what == 'decode':
    data, num = given['chunk'].tobytes(), len(given['images'])
    answers['decoded'] = chunks(exact).decode(data, num)
  np.savez(out, **answers)


if __name__ == '__main__':
  main()
