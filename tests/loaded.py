"""What a saved model says, in a process that has not built one."""

import pathlib

import keras
import numpy as np

# All that is imported of the package: it has to register every part.
from vlae_tf.models import vlae as vlae_lib


def outputs(vlae: vlae_lib.VLAE, images, noise):
  """Variables and terms of the bound, a dictionary of arrays."""
  variables = {v.path: v.numpy() for v in vlae.variables}
  terms = vlae(images, noise)
  # Its noise is the model's own, and the next call has other noise.
  drawn = vlae(images)
  return variables | {
    'distortion': terms.distortion.numpy(),
    'rate': terms.rate.numpy(),
    'drawn': drawn.rate.numpy(),
  }


def samples(vlae: vlae_lib.VLAE):
  """Codes and images under a seed, a dictionary of arrays."""
  code = vlae.prior().sample(3, seed=(0, 1))
  image = vlae.likelihood(code).sample(seed=(2, 3))
  return {'code': code.numpy(), 'image': image.numpy()}


def record(saved: pathlib.Path, inputs: pathlib.Path, path: pathlib.Path):
  """Loads a model and writes its `outputs` and `samples`.

  Args:
    saved: `.keras` file.
    inputs: `.npz` of `images` and `noise`.
    path: `.npz` file to write.
  """
  vlae = keras.saving.load_model(saved)
  with np.load(inputs) as given:
    terms = outputs(vlae, given['images'], given['noise'])
  np.savez(path, **terms, **samples(vlae))
