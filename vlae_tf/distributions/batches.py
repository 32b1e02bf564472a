"""Leading axes of images and of features, which broadcast."""

import math

import tensorflow as tf


def broadcast(images, batch):
  """The static shape of images' leading axes with the law's batch axes."""
  try:
    return tf.broadcast_static_shape(images, batch)
  except ValueError as error:
    raise ValueError(
      f'`image` must have leading axes that broadcast with the batch {batch} '
      f'of the law, got {images}.'
    ) from error


def as_mask(mask, event_shape):
  """A mask `[height, width]` as numbers `[height, width, 1]`."""
  mask = tf.convert_to_tensor(mask)
  if mask.dtype != tf.bool or not mask.shape.is_compatible_with(
    event_shape[:2]
  ):
    raise ValueError(
      f'`given_mask` must be boolean, of shape {event_shape[:2]}, got '
      f'{mask.dtype.name} of shape {mask.shape}.'
    )
  return tf.cast(mask, tf.float32)[..., None]


def flat_batch(x, batch):
  """Broadcasts `x` to batch shape `batch`, and makes that one axis."""
  event = x.shape[-3:]
  # Known axes stay known: samplers are compiled and kept by shape.
  static = tf.get_static_value(batch)
  if static is None or not x.shape.is_fully_defined():
    size, shape = tf.reduce_prod(batch), tf.shape(x)[-3:]
    x = tf.broadcast_to(x, tf.concat([batch, shape], 0))
    x = tf.reshape(x, tf.concat([[size], shape], 0))
    return tf.ensure_shape(x, tf.TensorShape([None]).concatenate(event))
  if list(static) != x.shape[:-3].as_list():
    x = tf.broadcast_to(x, [*static, *event])
  return tf.reshape(x, [math.prod(map(int, static)), *event])
