"""Variational Lossy Autoencoder in TensorFlow 2, Keras 3 and TFP.

What `__all__` names is what users may rely on. It, and the rooms of the package
such as `vlae_tf.nn`, are imported when they are first asked for.
"""

import importlib
import importlib.util
from typing import Any, TYPE_CHECKING

if TYPE_CHECKING:
  # What `_HOMES` says, in the words of a type checker.
  from vlae_tf.analysis.field_probe import find as receptive_field
  from vlae_tf.builder import build_model
  from vlae_tf.components.terms import Terms
  from vlae_tf.config import Config
  from vlae_tf.model import VLAE
  from vlae_tf.pretrained import from_preset, from_pretrained
  from vlae_tf.runs.workdirs import restore, Run
  from vlae_tf.training.loop import Trainer

__version__ = '0.1.0'

# Where the public names are defined.
_HOMES = {
  'Config': 'config:Config',
  'Run': 'runs.workdirs:Run',
  'Terms': 'components.terms:Terms',
  'Trainer': 'training.loop:Trainer',
  'VLAE': 'model:VLAE',
  'build_model': 'builder:build_model',
  'from_preset': 'pretrained:from_preset',
  'from_pretrained': 'pretrained:from_pretrained',
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
  'from_preset',
  'from_pretrained',
  'receptive_field',
  'restore',
]


def __dir__() -> list[str]:
  return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
  if name in _HOMES:
    module, attribute = _HOMES[name].split(':')
    return getattr(importlib.import_module(f'{__name__}.{module}'), attribute)
  if importlib.util.find_spec(f'{__name__}.{name}') is None:
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
  return importlib.import_module(f'{__name__}.{name}')
