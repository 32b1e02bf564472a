"""The config of a model so small that a training step takes no time."""

from vlae_tf.models import config

SIZES = dict(
  encoder_widths='4,4',
  encoder_units=8,
  latent_size=4,
  flow_steps=2,
  flow_units=8,
  decoder_units=4,
  decoder_depth=2,
  batch_size=8,
)
# Where it does not matter what is trained: half the time to trace.
SMALLEST = SIZES | dict(encoder_widths='4', prior='gaussian')
# The same for a command.
FLAGS = [f'--{name}={value}' for name, value in SMALLEST.items()]


def small_config(**changes):
  """The config of `SIZES`, with changes."""
  return config.Config(**(SIZES | changes))
