"""Objectives that keep a code from collapsing.

#### References

[1]: Diederik P. Kingma et al. Improving Variational Inference with Inverse
     Autoregressive Flow. In _Neural Information Processing Systems_, 2016.
     https://arxiv.org/abs/1606.04934 (Appendix C.8)
[2]: Xi Chen et al. Variational Lossy Autoencoder. In _International
     Conference on Learning Representations_, 2017.
     https://arxiv.org/abs/1611.02731 (Appendix C)
"""

import math

import keras
import tensorflow as tf

from vlae_tf.models.elbo import NegativeELBO
from vlae_tf.models.terms import Step
from vlae_tf.utils import serialization


@serialization.register
class FreeBits(NegativeELBO):
  """`mean(distortion) + max(mean(rate), floor)`, in nats [1].

  The floor is on the total rate: under it the rate has no gradient, and the
  model may use that many nats for nothing.

  >>> free = FreeBits(floor=5.0)
  >>> [float(free.rate_loss(tf.constant(r), step=0)) for r in (3.0, 7.0)]
  [5.0, 7.0]
  """

  def __init__(self, floor: float):
    """Creates the objective.

    Args:
      floor: Nats of the code that cost nothing, at least 0.
    """
    if not 0 <= floor < math.inf:
      raise ValueError(f'`floor` must be at least 0 and finite, got {floor}.')
    self.floor = floor

  def rate_loss(self, mean_rate: tf.Tensor, step: Step) -> tf.Tensor:
    del step
    return tf.maximum(mean_rate, self.floor)

  def rate_weight(self, mean_rate: tf.Tensor, step: Step) -> tf.Tensor:
    del step
    return tf.cast(mean_rate > self.floor, mean_rate.dtype)


@serialization.register
class SoftFreeBits(NegativeELBO):
  """`mean(distortion) + gamma mean(rate)`, `gamma` steered to a rate [2].

  `gamma`, in (0, 1], rises by 10 % after a step whose mean rate is more than
  5 % above the target, and falls by 10 % after one below the target.
  """

  def __init__(self, target: float):
    """Creates the objective and its one variable.

    Args:
      target: Mean rate to hold, in nats, more than 0.
    """
    if not 0 < target < math.inf:
      raise ValueError(
        f'`target` must be more than 0 and finite, got {target}.'
      )
    self.target = target
    self.floor = target
    # Of a global mean, replicas compute the same.
    self.gamma = keras.Variable(
      1.0,
      trainable=False,
      dtype='float32',
      aggregation='only_first_replica',
      name='gamma',
    )
    self.variables = (self.gamma,)

  def rate_loss(self, mean_rate: tf.Tensor, step: Step) -> tf.Tensor:
    return self.rate_weight(mean_rate, step) * mean_rate

  def rate_weight(self, mean_rate: tf.Tensor, step: Step) -> tf.Tensor:
    del step
    return tf.cast(self.gamma.value, mean_rate.dtype)

  def update(self, mean_rate: tf.Tensor) -> None:
    up = tf.where(mean_rate > 1.05 * self.target, 1.1, 1.0)
    factor = tf.where(mean_rate < self.target, 1.0 / 1.1, up)
    gamma = self.gamma.value * tf.cast(factor, tf.float32)
    self.gamma.assign(tf.clip_by_value(gamma, 1e-6, 1.0))
