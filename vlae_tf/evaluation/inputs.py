"""Checks of what a model is asked about: images, and how many of what."""

import math
from typing import Any

import numpy as np

from vlae_tf.data import image_data
from vlae_tf.distributions import pixel_distributions
from vlae_tf.models import vlae as model_lib
from vlae_tf.utils import checks


def check_kind(
  model: model_lib.VLAE, images: np.ndarray, kind: str | None
) -> str:
  """Checks images of a data set against a model."""
  # images [num_images, height, width, channels]
  image_data.check_images(images, 'images')
  _check_shape(model, images)
  kind = image_data.pixel_kind(images, kind)
  law = getattr(model.likelihood, 'pixel_law', None)
  if law is not None:
    pixel_distributions.check_kind(law, kind)
  return kind


def check_pixels(model: model_lib.VLAE, images: Any) -> None:
  """Checks images as a model sees them."""
  # images [num, height, width, channels]
  checks.images('images', images, model.image_shape)
  checks.unit_interval('images', images)


def check_code(model: model_lib.VLAE, name: str = 'model') -> None:
  """Checks that a model has a code to look at."""
  if not math.prod(model.event_shape):
    raise ValueError(
      f'`{name}` must be a model with a code, got one without: its '
      '`latent_size` is 0.'
    )


def _check_shape(model, images):
  if tuple(images.shape[1:]) != tuple(model.image_shape):
    raise ValueError(
      f'`images` must be of the shape of those of `model`, '
      f'{tuple(model.image_shape)}, got {images.shape[1:]}.'
    )
