"""What training minimises: the distortion and a weighted rate.

An objective is an object with `rate_weight(mean_rate)`, the derivative of its
loss by the batch-mean rate, and `loss(terms)`. It sees the mean over the
*global* batch, so that replicas and microbatches leave it as it is.

#### References

[1]: Diederik P. Kingma et al. Improving Variational Inference with Inverse
     Autoregressive Flow. In _Neural Information Processing Systems_, 2016.
     https://arxiv.org/abs/1606.04934 (Appendix C.8)
"""

import tensorflow as tf


class NegativeELBO:
  """`mean(distortion) + mean(rate)`, in nats."""

  def value(self, mean_distortion, mean_rate):
    """The loss from the means over the global batch, in nats."""
    return mean_distortion + mean_rate

  def rate_weight(self, mean_rate):
    """Weight of the rate's gradient, shape `[]`."""
    return tf.ones_like(mean_rate)

  def loss(self, terms):
    """The loss of a batch of `Terms`, in nats, with its gradient."""
    rate = tf.reduce_mean(terms.rate)
    weighted = tf.stop_gradient(self.rate_weight(rate)) * rate
    surrogate = tf.reduce_mean(terms.distortion) + weighted
    value = self.value(tf.reduce_mean(terms.distortion), rate)
    # The value of the objective with the gradient of the weighted sum.
    return surrogate + tf.stop_gradient(value - surrogate)


class FreeBits(NegativeELBO):
  """`mean(distortion) + max(mean(rate), floor)`, in nats [1].

  The floor is on the total rate: under it the rate has no gradient, and the
  model may use that many nats for nothing.
  """

  def __init__(self, floor):
    """Creates the objective.

    Args:
      floor: Nats of the code that cost nothing, at least 0.
    """
    if not floor >= 0:
      raise ValueError(f'`floor` must be at least 0, got {floor}.')
    self.floor = floor

  def value(self, mean_distortion, mean_rate):
    return mean_distortion + tf.maximum(mean_rate, self.floor)

  def rate_weight(self, mean_rate):
    return tf.cast(mean_rate > self.floor, mean_rate.dtype)
