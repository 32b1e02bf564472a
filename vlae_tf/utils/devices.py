"""How GPUs compute: float32 in full, memory as it is needed."""

import tensorflow as tf

# Whether the choice was made: what a user sets after it is left alone.
_configured = False


def configure(tf32: bool | None = None) -> None:
  """Sets TensorFlow's GPUs, before they compute."""
  # By default TensorFlow multiplies float32 in TF32, of 10 bits, and takes all
  # memory of a card at once: likelihoods would be off in their third digit, and
  # two commands would not fit on one card. Nothing changes on a CPU.
  global _configured
  if tf32 is None and _configured:
    return
  _configured = True
  tf.config.experimental.enable_tensor_float_32_execution(bool(tf32))
  for device in tf.config.list_physical_devices('GPU'):
    try:
      tf.config.experimental.set_memory_growth(device, True)
    # It computes already, or the user has divided it.
    except (RuntimeError, ValueError):
      return
