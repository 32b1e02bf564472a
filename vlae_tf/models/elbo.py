"""The evidence lower bound as what is minimised, at any price of the rate.

#### References

[1]: Irina Higgins et al. beta-VAE: Learning Basic Visual Concepts with a
     Constrained Variational Framework. In _International Conference on
     Learning Representations_, 2017.
"""

import math
from collections.abc import Sequence

import keras
import tensorflow as tf

from vlae_tf.models.terms import over_replicas, Step, Terms
from vlae_tf.utils import serialization


@serialization.register
class NegativeELBO:
  """`mean(distortion) + mean(rate)`, in nats."""

  num_samples: int = 1
  floor: float = 0.0
  variables: Sequence[keras.Variable] = ()

  def parts(self, terms: Terms) -> tuple[tf.Tensor, tf.Tensor]:
    """Distortion and rate of each image, means over its codes."""
    flat = [tf.reshape(t, [-1, tf.shape(t)[-1]]) for t in terms]
    distortion, rate = [tf.reduce_mean(t, 0) for t in flat]
    return distortion, rate

  def bound(self, terms: Terms) -> tf.Tensor:
    """The bound on log p(x) that is reported, in nats, `[batch]`."""
    distortion, rate = self.parts(terms)
    return -distortion - rate

  def rate_loss(self, mean_rate: tf.Tensor, step: Step) -> tf.Tensor:
    """What the mean rate costs, in nats, shape `[]`."""
    del step
    return mean_rate

  def rate_weight(self, mean_rate: tf.Tensor, step: Step) -> tf.Tensor:
    """Weight of the rate's gradient, shape `[]`."""
    del step
    return tf.ones_like(mean_rate)

  def value(
    self, mean_distortion: tf.Tensor, mean_rate: tf.Tensor, step: Step = 0
  ) -> tf.Tensor:
    """The loss from the means over the global batch, in nats."""
    return mean_distortion + self.rate_loss(mean_rate, step)

  def update(self, mean_rate: tf.Tensor) -> None:
    """Moves the objective's state, once a step."""
    del mean_rate

  def loss(self, terms: Terms, step: Step = 0) -> tf.Tensor:
    """This replica's share of the loss of a global batch, in nats.

    What couples the batch, the weight of the rate, is that of the mean over
    the images of all replicas.

    Args:
      terms: `Terms` of this replica's images.
      step: Steps taken before.

    Returns:
      A `Tensor` of shape `[]`: equal parts of the value, and of the gradient
      what these images give. Of the only replica, both as a whole.
    """
    distortion, rate = self.parts(terms)
    share = tf.distribute.get_strategy().num_replicas_in_sync
    num = tf.cast(tf.shape(rate)[0], rate.dtype)
    *sums, total = over_replicas(
      [tf.reduce_sum(distortion), tf.reduce_sum(rate), num]
    )
    mean_distortion, mean_rate = [s / total for s in sums]
    weight = tf.stop_gradient(self.rate_weight(mean_rate, step))
    surrogate = tf.reduce_sum(distortion + weight * rate) / total
    value = self.value(mean_distortion, mean_rate, step) / share
    # The value of the objective with the gradient of the weighted sum.
    return surrogate + tf.stop_gradient(value - surrogate)


@serialization.register
class Beta(NegativeELBO):
  """`mean(distortion) + beta mean(rate)` [1], the ELBO where `beta` is 1."""

  def __init__(self, beta: float):
    """Creates the objective.

    Args:
      beta: Price of a nat of the code, at least 0.
    """
    if not 0 <= beta < math.inf:
      raise ValueError(f'`beta` must be at least 0 and finite, got {beta}.')
    self.beta = beta

  def rate_loss(self, mean_rate: tf.Tensor, step: Step) -> tf.Tensor:
    del step
    return self.beta * mean_rate

  def rate_weight(self, mean_rate: tf.Tensor, step: Step) -> tf.Tensor:
    del step
    return self.beta * tf.ones_like(mean_rate)
