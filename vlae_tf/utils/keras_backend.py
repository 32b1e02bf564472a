"""Check on import that Keras's backend is TensorFlow.

Subpackages that use Keras import this module before Keras.
"""

import json
import os
import pathlib
import sys

_NEEDED = 'tensorflow'


def check() -> None:
  """Checks the backend that Keras has, or will have once it is imported."""
  backend, source = _chosen()
  if backend != _NEEDED:
    raise ImportError(
      f'Keras must run on {_NEEDED}, got {backend!r} from {source}. Set it '
      f'with: export KERAS_BACKEND={_NEEDED}'
    )


def _chosen():
  """The backend, and the source of that setting."""
  keras = sys.modules.get('keras')
  if keras is not None and hasattr(keras, 'config'):
    return keras.config.backend(), 'the Keras that is imported already'
  variable = os.environ.get('KERAS_BACKEND')
  if variable:  # Keras ignores an empty one as well.
    return variable, 'the environment variable KERAS_BACKEND'
  file = _home() / 'keras.json'
  try:
    settings = json.loads(file.read_text(encoding='utf-8'))
    return settings.get('backend', _NEEDED), str(file)
  except (OSError, ValueError, AttributeError):
    return _NEEDED, 'default'  # Keras ignores such a file as well.


def _home():
  """The directory of Keras's settings, as Keras finds it."""
  if 'KERAS_HOME' in os.environ:
    return pathlib.Path(os.environ['KERAS_HOME']).expanduser()
  home = pathlib.Path('~').expanduser()
  return (home if os.access(home, os.W_OK) else pathlib.Path('/tmp')) / '.keras'


check()
