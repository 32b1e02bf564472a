"""Variational Lossy Autoencoder in TensorFlow 2, Keras 3 and TFP.

`vlae_tf.model`, `vlae_tf.receptive_field(network)` and the other modules are
imported when they are first asked for.
"""

import importlib
import importlib.util


def __getattr__(name):
  if importlib.util.find_spec(f'{__name__}.{name}') is None:
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
  return importlib.import_module(f'{__name__}.{name}')
