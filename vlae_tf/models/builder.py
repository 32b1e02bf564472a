"""From a config to a model."""

from collections.abc import Sequence
from typing import Protocol

import tensorflow as tf

from vlae_tf.models import (
  architectures,
  decoders,
  objectives,
  posteriors,
  priors,
)
from vlae_tf.models import config as config_lib
from vlae_tf.models import vlae as vlae_lib
from vlae_tf.utils import checks


class ModelBuilder(Protocol):
  """What builds the model of a run: `build_model`, or a callable of yours."""

  def __call__(
    self, config: config_lib.Config, image_shape: tuple[int, ...], /
  ) -> vlae_lib.VLAE:
    """Builds a model."""
    ...


def build_model(
  config: config_lib.Config, image_shape: Sequence[int]
) -> vlae_lib.VLAE:
  """A built, untrained model.

  >>> config = config_lib.Config(latent_size=5, prior='gaussian')
  >>> model = build_model(config, (8, 8, 1))
  >>> model.prior().event_shape, model.likelihood(tf.zeros([3, 5])).event_shape
  (TensorShape([5]), TensorShape([8, 8, 1]))

  Args:
    config: `Config`.
    image_shape: `(height, width, channels)`.

  Returns:
    A `VLAE` whose variables exist.

  Raises:
    ValueError: One of them is none.
  """
  if not isinstance(config, config_lib.Config):
    raise ValueError(f'`config` must be a `Config`, got {config!r}.')
  if len(image_shape) != 3:
    raise ValueError(
      f'`image_shape` must be (height, width, channels), got {image_shape}.'
    )
  image_shape = [checks.integer('image_shape', n, 1) for n in image_shape]
  event_shape = architectures.event_shape(config, image_shape)
  vlae = vlae_lib.VLAE(
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
