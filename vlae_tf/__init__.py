"""Variational Lossy Autoencoder in TensorFlow 2, Keras 3 and TFP.

The public names are those of `__all__`. They, and subpackages such as
`vlae_tf.nn`, are imported on first access.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import warnings
from typing import Any, TYPE_CHECKING

if TYPE_CHECKING:
  # `_HOMES`, for type checkers.
  from vlae_tf.evaluation.receptive_field import find as receptive_field
  from vlae_tf.models.builder import build_model
  from vlae_tf.models.config import Config
  from vlae_tf.models.objectives import Terms
  from vlae_tf.models.vlae import VLAE
  from vlae_tf.runs.loading import restore, Run
  from vlae_tf.runs.pretrained import from_preset, from_pretrained
  from vlae_tf.training.trainer import Trainer

__version__ = '0.1.0'

# Where the public names are defined.
_HOMES = {
  'Config': 'models.config:Config',
  'Run': 'runs.loading:Run',
  'Terms': 'models.objectives:Terms',
  'Trainer': 'training.trainer:Trainer',
  'VLAE': 'models.vlae:VLAE',
  'build_model': 'models.builder:build_model',
  'from_preset': 'runs.pretrained:from_preset',
  'from_pretrained': 'runs.pretrained:from_pretrained',
  'receptive_field': 'evaluation.receptive_field:find',
  'restore': 'runs.loading:restore',
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


# Modules of earlier versions, for one more version; `.keras` files name them.
_RENAMED = {
  'analysis': 'evaluation',
  'archives': 'formats',
  'builder': 'models.builder',
  'coding': 'compression',
  'components': 'models',
  'config': 'models.config',
  'config_flags': 'models.config',
  'model': 'models.vlae',
  'pretrained': 'runs.pretrained',
  'sharing': 'formats',
  'system': 'utils',
}


class _RenamedFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
  """Imports modules by their earlier names."""

  def find_spec(self, fullname, path, target=None):
    del path, target
    package, _, rest = fullname.partition('.')
    head, _, tail = rest.partition('.')
    if package != __name__ or head not in _RENAMED:
      return None
    new = f'{package}.{_RENAMED[head]}.{tail}'.rstrip('.')
    return importlib.machinery.ModuleSpec(fullname, self, loader_state=new)

  def exec_module(self, module):
    old, new = module.__name__, module.__spec__.loader_state
    warnings.warn(
      f'{old} has been renamed to {new}.', DeprecationWarning, stacklevel=2
    )
    # The import system returns what it finds here.
    sys.modules[old] = importlib.import_module(new)


# First: the path of a renamed package would find a second copy of its modules.
sys.meta_path.insert(0, _RenamedFinder())


def __dir__() -> list[str]:
  return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
  if name in _HOMES:
    module, attribute = _HOMES[name].split(':')
    return getattr(importlib.import_module(f'{__name__}.{module}'), attribute)
  if importlib.util.find_spec(f'{__name__}.{name}') is None:
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
  return importlib.import_module(f'{__name__}.{name}')
