"""Checks that files and images are of a model."""

from typing import Any

import numpy as np

from vlae_tf.compression import exact_model
from vlae_tf.formats import layout


def check_header(
  exact: exact_model.ExactModel, header: layout.Header, path: Any
) -> None:
  """Checks that a file is of this model and of this arithmetic."""
  if header.arithmetic != exact_model.ARITHMETIC:
    raise ValueError(
      f'{path} needs arithmetic {header.arithmetic} for its probabilities, '
      f'and this version of vlae_tf has {exact_model.ARITHMETIC}: install '
      'the one that wrote it.'
    )
  own = exact.fingerprint
  shape = tuple(exact.model.image_shape)
  if header.fingerprint != own or tuple(header.image_shape) != shape:
    raise ValueError(
      f'{path} was written by another model, or by another checkpoint of '
      f'it: its fingerprint is {header.fingerprint.hex()} and its images '
      f'are {list(header.image_shape)}, those of this one {own.hex()} and '
      f'{list(shape)}.'
    )


def check_images(exact: exact_model.ExactModel, images: Any) -> None:
  """Checks that images are such as a model codes."""
  model = exact.model
  levels = 'levels' in model.likelihood.pixel_law.kinds
  dtype = np.dtype(np.uint8 if levels else bool)
  shape = tuple(model.image_shape)
  if (
    not isinstance(images, np.ndarray)
    or images.dtype != dtype
    or images.shape[1:] != shape
    or not len(images)
  ):
    raise ValueError(
      f'`images` must be {dtype.name} of shape [num, '
      f'{", ".join(map(str, shape))}], as the model has them, got '
      f'{getattr(images, "dtype", type(images).__name__)} of shape '
      f'{list(np.shape(images))}.'
    )
