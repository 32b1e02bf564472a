"""Check on import that Keras's backend is TensorFlow.

Subpackages that use Keras import this module before Keras.
"""

_ADVICE = (
  'The environment variable KERAS_BACKEND or the file keras.json chooses it. '
  'Set it with: export KERAS_BACKEND=tensorflow'
)

try:
  import keras
# Keras imports the package of the backend, which may be missing.
except ImportError as error:
  raise ImportError(
    f'Keras must run on tensorflow, and cannot be imported: {error}. {_ADVICE}'
  ) from error

if keras.config.backend() != 'tensorflow':
  raise ImportError(
    f'Keras must run on tensorflow, got {keras.config.backend()!r}. {_ADVICE}'
  )
