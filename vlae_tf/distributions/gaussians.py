"""Gaussians over codes of any shape."""

import operator
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions


def diagonal_gaussian(
  mean: tf.Tensor, scale: tf.Tensor, event_ndims: int = 1
) -> tfd.Distribution:
  """`N(mean, diag(scale^2))` over the last axes.

  Args:
    mean: `Tensor` of shape `[..., *event_shape]`.
    scale: `Tensor` of the same shape, positive.
    event_ndims: Number of axes of an event.

  Returns:
    A law of event shape `event_shape`; log-probabilities are in nats.
  """
  if event_ndims == 1 and mean.shape[-1] != 0:
    return tfd.MultivariateNormalDiag(mean, scale)
  return tfd.Independent(tfd.Normal(mean, scale), event_ndims)


def standard_gaussian(
  event_shape: Sequence[int], dtype: str = 'float32'
) -> tfd.Distribution:
  """`N(0, I)` of an event shape, which may have no element."""
  zeros = tf.zeros(event_shape, dtype)
  return diagonal_gaussian(zeros, tf.ones_like(zeros), len(event_shape))


def as_event_shape(size: int | Sequence[int]) -> tuple[int, ...]:
  """A code's shape from that or from its number of dimensions."""
  try:
    shape = tuple(map(operator.index, np.atleast_1d(size)))
  except TypeError:
    shape = ()
  if not shape or min(shape) < 0:
    raise ValueError(
      '`event_shape` must be an integer or a sequence of integers, at least '
      f'0, got {size!r}.'
    )
  return shape
