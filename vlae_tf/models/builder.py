"""From a config to a model."""

import math
from collections.abc import Sequence
from typing import Protocol
from unittest import mock

import keras
import tensorflow as tf

from vlae_tf.models import (
  architectures,
  decoders,
  objectives,
  posteriors,
  priors,
)
from vlae_tf.models.config import Config
from vlae_tf.models.vlae import VLAE
from vlae_tf.utils import checks

_FEW = 2**24  # Weights that do not fill the memory.


class ModelBuilder(Protocol):
  """A callable that builds the model of a run, such as `build_model`."""

  def __call__(self, config: Config, image_shape: tuple[int, ...], /) -> VLAE:
    """Builds a model."""


def build_model(config: Config, image_shape: Sequence[int]) -> VLAE:
  """A built, untrained model.

  >>> config = Config(latent_size=5, prior='gaussian')
  >>> model = build_model(config, (8, 8, 1))
  >>> model.prior().event_shape, model.likelihood(tf.zeros([3, 5])).event_shape
  (TensorShape([5]), TensorShape([8, 8, 1]))

  `image_shape` is `(height, width, channels)`. Arguments of another kind raise
  `ValueError`.
  """
  if not isinstance(config, Config):
    raise ValueError(f'`config` must be a `Config`, got {config!r}.')
  if len(image_shape) != 3:
    raise ValueError(
      f'`image_shape` must be (height, width, channels), got {image_shape}.'
    )
  image_shape = [checks.integer('image_shape', n, 1) for n in image_shape]
  event_shape = architectures.event_shape(config, image_shape)
  vlae = VLAE(
    posteriors.create(config, event_shape),
    priors.create(config, event_shape),
    decoders.create(config, image_shape),
    objective=objectives.create(config, image_shape),
    seed=config.seed,
  )
  with tf.name_scope('vlae'):
    vlae.build((None, *image_shape))
  vlae.config = config
  return vlae


def build_limited(
  config: Config, image_shape: Sequence[int], most: int
) -> VLAE:
  """As `build_model`, for untrusted configs: at most so many weights.

  More raise `ValueError` before they are allocated, unless they are few.
  """
  create, numbers, most = keras.layers.Layer.add_weight, 0, max(most, _FEW)

  def check(numbers):
    if numbers > most:
      raise ValueError(
        f'`config` must be that of a model of at most {most} weights, got one '
        f'of {numbers} or more.'
      )

  def add_weight(layer, shape=None, *args, **kwargs):
    nonlocal numbers
    numbers += math.prod(shape or ())
    check(numbers)
    return create(layer, shape, *args, **kwargs)

  # The masks of flows are as large as their weights, and come first.
  size = math.prod(architectures.event_shape(config, image_shape))
  check(config.flow_steps * config.flow_units * (config.flow_units + size))
  with mock.patch.object(keras.layers.Layer, 'add_weight', add_weight):
    return build_model(config, image_shape)
