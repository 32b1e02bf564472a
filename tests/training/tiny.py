"""A model and images so small that a training step takes no time."""

import numpy as np

from vlae_tf import config as config_lib
from vlae_tf import data as data_lib

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
FLAGS = [f'--{name}={value}' for name, value in SIZES.items()]


def config(**changes):
  """The tiny config, with changes."""
  return config_lib.Config(**{**SIZES, **changes})


def data():
  """Random grey images, 8x8."""
  means = np.random.default_rng(0).random((80, 8, 8, 1), np.float32)
  return data_lib.ImageData('tiny', means[:48], means[48:64], means[64:])
