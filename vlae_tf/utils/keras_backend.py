"""Refuses Keras on anything but TensorFlow, before Keras is imported.

To import this module is to check: the rooms that use Keras do so first.
"""

import json
import os
import pathlib
import sys

_NEEDED = 'tensorflow'


def check() -> None:
  """Checks which backend Keras has, or will have once it is imported."""
  backend, said_by = _chosen()
  if backend != _NEEDED:
    raise ImportError(
      f'Keras must run on {_NEEDED}, got {backend!r} from {said_by}. Mend it '
      f'with: export KERAS_BACKEND={_NEEDED}'
    )


def _chosen():
  """The backend, and where it is said."""
  keras = sys.modules.get('keras')
  if keras is not None and hasattr(keras, 'config'):
    return keras.config.backend(), 'the Keras that is imported already'
  variable = os.environ.get('KERAS_BACKEND')
  if variable:  # Keras, too, takes an empty one for none.
    return variable, 'the environment variable KERAS_BACKEND'
  file = _home() / 'keras.json'
  try:
    said = json.loads(file.read_text(encoding='utf-8'))
    return said.get('backend', _NEEDED), str(file)
  except (OSError, ValueError, AttributeError):
    return _NEEDED, 'default'  # Keras passes over such a file as well.


def _home():
  """The directory of Keras's settings, found as Keras does."""
  if 'KERAS_HOME' in os.environ:
    return pathlib.Path(os.environ['KERAS_HOME']).expanduser()
  home = pathlib.Path('~').expanduser()
  return (home if os.access(home, os.W_OK) else pathlib.Path('/tmp')) / '.keras'


check()
