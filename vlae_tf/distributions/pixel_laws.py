"""Laws of one pixel given its parameters.

A pixel law is an object with

*  `num_params(channels)`: the number of parameters that a network must give,
*  `distribution(params)`: `[..., num_params] -> tfd.Distribution` with event
   shape `[channels]`,
*  `quantile(params, uniforms)`: a draw from it, made from uniform noise of
   shape `[..., channels]`,
*  equality with those that compute the same: samplers are compiled for it once.
"""

import dataclasses

import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions


@dataclasses.dataclass(frozen=True)
class BernoulliPixel:
  """Independent Bernoulli channels; the parameters are logits."""

  def num_params(self, channels):
    return channels

  def distribution(self, params):
    return tfd.Independent(
      tfd.Bernoulli(logits=params, dtype=params.dtype),
      reinterpreted_batch_ndims=1,
    )

  def quantile(self, params, uniforms):
    return tf.cast(uniforms < tf.sigmoid(params), params.dtype)
