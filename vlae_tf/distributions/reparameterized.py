"""Draws of a law as a function of standard normal noise.

The bound, its gradient and every estimate of it draw codes here, so that what
they draw and what they take for its density are the same law. A law that is
not known here is refused; `draw.register` teaches one more.

#### References

[1]: Diederik P. Kingma, Max Welling. Auto-Encoding Variational Bayes. In
     _International Conference on Learning Representations_, 2014.
     https://arxiv.org/abs/1312.6114 (section 2.4)
"""

import functools
import math
from typing import NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions
# What TFP makes of them where a part, as a bijector of ours, is no
# `CompositeTensor`: their base classes. Both are registered, as AutoGraph
# complains of how Python looks for the nearest class.
_Independent = tfd.Independent.__base__
_Transformed = tfd.TransformedDistribution.__base__


class Draw(NamedTuple):
  """A draw of a law, and what the law says of it."""

  value: tf.Tensor  # [..., *batch_shape, *event_shape]
  log_prob: tf.Tensor  # [..., *batch_shape], in nats


@functools.singledispatch
def draw(law: tfd.Distribution, noise: tf.Tensor) -> Draw:
  """Makes draws of a law from given noise, differentiably [1].

  >>> of_law = draw(tfd.Normal(loc=1.0, scale=2.0), tf.constant([-0.5, 1.0]))
  >>> of_law.value.numpy()
  array([0., 3.], dtype=float32)

  Args:
    law: `tfd.Distribution` of one of the registered classes.
    noise: Standard normal `Tensor` of shape `[..., *batch_shape,
      *event_shape]`, each number of its own.

  Returns:
    A `Draw`.

  Raises:
    ValueError: How to draw from the law is not known.
  """
  del noise
  known = sorted(
    {c.__name__.lstrip('_') for c in draw.registry if c is not object}
  )
  raise ValueError(
    '`posterior` must be a law that can be drawn from standard normal noise, '
    f'one of {", ".join(known)} or registered with '
    f'`reparameterized.draw.register`, got {type(law).__name__}.'
  )


@draw.register
def _(law: tfd.MultivariateNormalDiag, noise: tf.Tensor) -> Draw:
  return _with_log_prob(law, law.mean() + law.stddev() * noise)


@draw.register
def _(law: tfd.MultivariateNormalLinearOperator, noise: tf.Tensor) -> Draw:
  return _with_log_prob(law, law.mean() + law.scale.matvec(noise))


@draw.register
def _(law: tfd.Normal, noise: tf.Tensor) -> Draw:
  return _with_log_prob(law, law.loc + law.scale * noise)


@draw.register
def _(law: tfd.Laplace, noise: tf.Tensor) -> Draw:
  # The quantile at Phi(noise), from the nearer tail, which keeps its digits.
  tail = tfd.Normal(tf.zeros([], noise.dtype), 1.0).log_cdf(-tf.abs(noise))
  distance = -math.log(2.0) - tail
  return _with_log_prob(law, law.loc + law.scale * tf.sign(noise) * distance)


@draw.register(_Independent)
@draw.register(tfd.Independent)
def _(law: tfd.Independent, noise: tf.Tensor) -> Draw:
  return _with_log_prob(law, draw(law.distribution, noise).value)


@draw.register(_Transformed)
@draw.register(tfd.TransformedDistribution)
def _(law: tfd.TransformedDistribution, noise: tf.Tensor) -> Draw:
  base = draw(law.distribution, noise)
  ndims = law.distribution.event_shape.rank
  volume = law.bijector.forward_log_det_jacobian(base.value, ndims)
  # No inversion: for an autoregressive flow one of both directions is slow.
  return Draw(law.bijector.forward(base.value), base.log_prob - volume)


def _with_log_prob(law: tfd.Distribution, value: tf.Tensor) -> Draw:
  return Draw(value, law.log_prob(value))


@functools.singledispatch
def log_prob_of_dimensions(
  law: tfd.Distribution, value: tf.Tensor
) -> tf.Tensor | None:
  """Log-density of each number of an event, where these are independent."""
  # value [..., *batch_shape, *event_shape]
  del law, value
  return None


@log_prob_of_dimensions.register
def _(law: tfd.MultivariateNormalDiag, value: tf.Tensor) -> tf.Tensor:
  return tfd.Normal(law.mean(), law.stddev()).log_prob(value)


@log_prob_of_dimensions.register(_Independent)
@log_prob_of_dimensions.register(tfd.Independent)
def _(law: tfd.Independent, value: tf.Tensor) -> tf.Tensor | None:
  inner = law.distribution
  return inner.log_prob(value) if inner.event_shape.rank == 0 else None
