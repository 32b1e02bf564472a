"""Distributions of latents: Gaussians, and reparameterised draws.

The objective, its gradient and all estimates draw latents by `draw`, so that
draws and densities are of the same distribution. `draw.register` adds a class
of distributions.

#### References

[1]: Kingma and Welling. Auto-Encoding Variational Bayes. ICLR 2014,
     arXiv:1312.6114 (section 2.4).
"""

import functools
import math
import operator
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions
# Their base classes, which TFP makes where a part, as a bijector of this
# package, is no `CompositeTensor`. Both are registered, as AutoGraph complains
# of how Python looks for the nearest class.
_Independent = tfd.Independent.__base__
_Transformed = tfd.TransformedDistribution.__base__


def diagonal_gaussian(
  mean: tf.Tensor, scale: tf.Tensor, event_ndims: int = 1
) -> tfd.Distribution:
  """`N(mean, diag(scale^2))`, with events in the last `event_ndims` axes."""
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
  """The shape of a latent, from it or from its number of dimensions."""
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


class Draw(NamedTuple):
  """A reparameterised draw, and its log-density."""

  value: tf.Tensor  # [..., *batch_shape, *event_shape]
  log_prob: tf.Tensor  # [..., *batch_shape], in nats


@functools.singledispatch
def draw(p: tfd.Distribution, noise: tf.Tensor) -> Draw:
  """Draws from a distribution as a differentiable function of noise [1].

  >>> found = draw(tfd.Normal(loc=1.0, scale=2.0), tf.constant([-0.5, 1.0]))
  >>> found.value.numpy()
  array([0., 3.], dtype=float32)

  The noise is standard normal, of shape `[..., *batch_shape, *event_shape]`.
  """
  known = sorted(
    {c.__name__.lstrip('_') for c in draw.registry if c is not object}
  )
  raise ValueError(
    '`posterior` must be a distribution with reparameterised draws, one of '
    f'{", ".join(known)} or registered with `reparameterized.draw.register`, '
    f'got {type(p).__name__}.'
  )


@draw.register
def _(p: tfd.MultivariateNormalDiag, noise: tf.Tensor) -> Draw:
  return _with_log_prob(p, p.mean() + p.stddev() * noise)


@draw.register
def _(p: tfd.MultivariateNormalLinearOperator, noise: tf.Tensor) -> Draw:
  return _with_log_prob(p, p.mean() + p.scale.matvec(noise))


@draw.register
def _(p: tfd.Normal, noise: tf.Tensor) -> Draw:
  return _with_log_prob(p, p.loc + p.scale * noise)


@draw.register
def _(p: tfd.Laplace, noise: tf.Tensor) -> Draw:
  # The quantile at Phi(noise), from the nearer tail, which keeps its digits.
  tail = tfd.Normal(tf.zeros([], noise.dtype), 1.0).log_cdf(-tf.abs(noise))
  distance = -math.log(2.0) - tail
  return _with_log_prob(p, p.loc + p.scale * tf.sign(noise) * distance)


@draw.register(_Independent)
@draw.register(tfd.Independent)
def _(p: tfd.Independent, noise: tf.Tensor) -> Draw:
  return _with_log_prob(p, draw(p.distribution, noise).value)


@draw.register(_Transformed)
@draw.register(tfd.TransformedDistribution)
def _(p: tfd.TransformedDistribution, noise: tf.Tensor) -> Draw:
  base = draw(p.distribution, noise)
  ndims = p.distribution.event_shape.rank
  volume = p.bijector.forward_log_det_jacobian(base.value, ndims)
  # No inversion: for an autoregressive flow one of both directions is slow.
  return Draw(p.bijector.forward(base.value), base.log_prob - volume)


def _with_log_prob(p: tfd.Distribution, value: tf.Tensor) -> Draw:
  return Draw(value, p.log_prob(value))


@functools.singledispatch
def log_prob_of_dimensions(
  p: tfd.Distribution, value: tf.Tensor
) -> tf.Tensor | None:
  """Log-density of each element of an event, where these are independent."""
  # value [..., *batch_shape, *event_shape]
  return None


@log_prob_of_dimensions.register
def _(p: tfd.MultivariateNormalDiag, value: tf.Tensor) -> tf.Tensor:
  return tfd.Normal(p.mean(), p.stddev()).log_prob(value)


@log_prob_of_dimensions.register(_Independent)
@log_prob_of_dimensions.register(tfd.Independent)
def _(p: tfd.Independent, value: tf.Tensor) -> tf.Tensor | None:
  inner = p.distribution
  return inner.log_prob(value) if inner.event_shape.rank == 0 else None
