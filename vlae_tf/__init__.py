"""Variational Lossy Autoencoder in TensorFlow 2, Keras 3 and TFP.

What `__all__` names is what users may rely on. It, and the rooms of the package
such as `vlae_tf.nn`, are imported when they are first asked for.
"""

import importlib
import importlib.util

__version__ = '0.1.0'

# Where the public names are defined.
_HOMES = {
  'Config': 'config:Config',
  'Run': 'runs.workdirs:Run',
  'Terms': 'model:Terms',
  'Trainer': 'training.loop:Trainer',
  'VLAE': 'model:VLAE',
  'build_model': 'builder:build_model',
  'receptive_field': 'analysis.field_probe:find',
  'restore': 'runs.workdirs:restore',
}
__all__ = [
  'VLAE',
  'Config',
  'Run',
  'Terms',
  'Trainer',
  '__version__',
  'build_model',
  'receptive_field',
  'restore',
]


def __dir__() -> list[str]:
  return sorted({*globals(), *__all__})


def __getattr__(name: str):
  if name in _HOMES:
    module, attribute = _HOMES[name].split(':')
    return getattr(importlib.import_module(f'{__name__}.{module}'), attribute)
  if importlib.util.find_spec(f'{__name__}.{name}') is None:
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
  return importlib.import_module(f'{__name__}.{name}')
