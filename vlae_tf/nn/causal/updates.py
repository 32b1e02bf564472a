"""What decides the pixels of a front, and what it is told of them."""

from typing import Any, NamedTuple, Protocol

import tensorflow as tf


class Front(NamedTuple):
  """Pixels that do not depend on each other and are decided together.

  Tensors of a front, such as its noise, have shape `[rows * batch, ...]`, the
  images of the batch side by side: entry `row * batch + b` is of image `b`.
  Fronts come in an order in which all that a pixel depends on is earlier, and
  every pixel is inside exactly one of them. A row may lie outside the image:
  its noise is arbitrary, its parameters mean nothing, and what is decided there
  is ignored. In fronts before the first column all rows do.

  Attributes:
    column: int32 scalar, number of the front; negative before the first.
    pixel: int32 `[rows]`, raster index of each row's pixel; `height * width`
      where that is outside.
    inside: bool `[rows]`, whether the row's pixel is in the image.
  """

  column: tf.Tensor
  pixel: tf.Tensor
  inside: tf.Tensor


class Update(Protocol):
  """Decides the pixels of one front, for instance draws or decodes them."""

  def __call__(
    self, noise: Any, params: tf.Tensor, state: Any, front: Front
  ) -> tuple[tf.Tensor, Any]:
    """Decides the pixels of a front; called once for each, in their order."""
    # noise [rows * batch, k]; params [rows * batch, num_params] -> [rows *
    # batch, channels]


def gather(x: tf.Tensor, front: Front) -> tf.Tensor:
  """What images have at the pixels of a front."""
  # x [batch, height, width, k] -> [rows * batch, k]
  x = tf.transpose(x, [1, 2, 0, 3])
  pixels = tf.reshape(x, [-1, *x.shape[2:]])
  # One more pixel, of zeros, stands for all that is outside the image.
  pixels = tf.pad(pixels, [[0, 1], [0, 0], [0, 0]])
  return tf.reshape(tf.gather(pixels, front.pixel), [-1, x.shape[3]])
