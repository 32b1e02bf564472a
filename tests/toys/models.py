"""Models of the small config."""

import contextlib

import keras
import numpy as np
import tensorflow as tf

from toys import configs
from vlae_tf.models import builder


def small_model(image_shape=(6, 5, 1), seed=0, **changes):
  """A model of `small_config`, with random gains and biases."""
  return random_model(configs.small_config(**changes), image_shape, seed)


def random_model(config, image_shape, seed=0):
  """A model of a config, with random gains and biases."""
  keras.utils.set_random_seed(seed)
  vlae = builder.build_model(config, image_shape)
  rng = np.random.default_rng(seed)
  for weight in vlae.trainable_variables:
    weight.assign(weight + 0.3 * rng.standard_normal(weight.shape))
  return vlae


@contextlib.contextmanager
def functions_run_eagerly(eagerly=True):
  """Runs `tf.function`s as Python meanwhile, or as graphs."""
  before = tf.config.functions_run_eagerly()
  tf.config.run_functions_eagerly(eagerly)
  try:
    yield
  finally:
    tf.config.run_functions_eagerly(before)
