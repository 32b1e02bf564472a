"""An objective whose price of the rate grows at the beginning.

#### References

[1]: Samuel R. Bowman et al. Generating Sentences from a Continuous Space. In
     _Conference on Computational Natural Language Learning_, 2016.
     https://arxiv.org/abs/1511.06349
"""

import tensorflow as tf

from vlae_tf.models.elbo import NegativeELBO
from vlae_tf.models.terms import Objective, Step, Terms
from vlae_tf.utils import serialization


@serialization.register
class WarmUp(NegativeELBO):
  """Another objective whose price of the rate grows from 0 to full [1].

  `rate_loss = min(1, step / steps) inner.rate_loss`.

  >>> float(WarmUp(NegativeELBO(), steps=100).rate_loss(tf.constant(8.0), 25))
  2.0
  """

  def __init__(self, inner: Objective, steps: int):
    """Creates the objective.

    Args:
      inner: Objective in force after the warm-up.
      steps: Steps of the warm-up, at least 1.
    """
    if not steps >= 1:
      raise ValueError(f'`steps` must be at least 1, got {steps}.')
    self.inner, self.steps = inner, steps
    self.variables = inner.variables
    self.num_samples = inner.num_samples
    self.floor = inner.floor

  def _part_done(self, step):
    return tf.minimum(tf.cast(step, tf.float32) / float(self.steps), 1.0)

  def parts(self, terms: Terms) -> tuple[tf.Tensor, tf.Tensor]:
    return self.inner.parts(terms)

  def bound(self, terms: Terms) -> tf.Tensor:
    return self.inner.bound(terms)

  def rate_loss(self, mean_rate: tf.Tensor, step: Step) -> tf.Tensor:
    return self._part_done(step) * self.inner.rate_loss(mean_rate, step)

  def rate_weight(self, mean_rate: tf.Tensor, step: Step) -> tf.Tensor:
    return self._part_done(step) * self.inner.rate_weight(mean_rate, step)

  def update(self, mean_rate: tf.Tensor) -> None:
    self.inner.update(mean_rate)
