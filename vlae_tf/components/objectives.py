"""What training minimises, each class an `Objective`, see `terms`.

#### References

[1]: Diederik P. Kingma et al. Improving Variational Inference with Inverse
     Autoregressive Flow. In _Neural Information Processing Systems_, 2016.
     https://arxiv.org/abs/1606.04934 (Appendix C.8)
[2]: Xi Chen et al. Variational Lossy Autoencoder. In _International
     Conference on Learning Representations_, 2017.
     https://arxiv.org/abs/1611.02731 (Appendix C)
[3]: Irina Higgins et al. beta-VAE: Learning Basic Visual Concepts with a
     Constrained Variational Framework. In _International Conference on
     Learning Representations_, 2017.
[4]: Samuel R. Bowman et al. Generating Sentences from a Continuous Space. In
     _Conference on Computational Natural Language Learning_, 2016.
     https://arxiv.org/abs/1511.06349
[5]: Yuri Burda, Roger Grosse, Ruslan Salakhutdinov. Importance Weighted
     Autoencoders. In _International Conference on Learning Representations_,
     2016. https://arxiv.org/abs/1509.00519
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from vlae_tf.components.terms import Objective, Step, Terms
from vlae_tf.system import registry, serialization

OBJECTIVES = registry.Registry('objective')


@serialization.register
class NegativeELBO:
  """`mean(distortion) + mean(rate)`, in nats."""

  num_samples: int = 1
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
    """The loss of a whole batch of `Terms`, in nats, with its gradient."""
    distortion, rate = [tf.reduce_mean(p) for p in self.parts(terms)]
    surrogate = (
      distortion + tf.stop_gradient(self.rate_weight(rate, step)) * rate
    )
    value = self.value(distortion, rate, step)
    self.update(tf.stop_gradient(rate))
    # The value of the objective with the gradient of the weighted sum.
    return surrogate + tf.stop_gradient(value - surrogate)


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
    if not floor >= 0:
      raise ValueError(f'`floor` must be at least 0, got {floor}.')
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
    if not target > 0:
      raise ValueError(f'`target` must be more than 0, got {target}.')
    self.target = target
    self.gamma = keras.Variable(
      1.0, trainable=False, dtype='float32', name='gamma'
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


@serialization.register
class Beta(NegativeELBO):
  """`mean(distortion) + beta mean(rate)` [3], the ELBO where `beta` is 1."""

  def __init__(self, beta: float):
    """Creates the objective.

    Args:
      beta: Price of a nat of the code, at least 0.
    """
    if not beta >= 0:
      raise ValueError(f'`beta` must be at least 0, got {beta}.')
    self.beta = beta

  def rate_loss(self, mean_rate: tf.Tensor, step: Step) -> tf.Tensor:
    del step
    return self.beta * mean_rate

  def rate_weight(self, mean_rate: tf.Tensor, step: Step) -> tf.Tensor:
    del step
    return self.beta * tf.ones_like(mean_rate)


@serialization.register
class WarmUp(NegativeELBO):
  """Another objective whose price of the rate grows from 0 to full [4].

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


@serialization.register
class ImportanceWeighted(NegativeELBO):
  """`-mean(log mean{ p(x, z[k]) / q(z[k]|x) })`, a tighter bound [5].

  Its gradient weights each code's terms by that code's share of the sum, so it
  comes in the same two parts as the ELBO's.

  >>> terms = Terms(tf.constant([[3.0], [1.0]]), rate=tf.ones([2, 1]))
  >>> bound = ImportanceWeighted(num_samples=2).bound(terms)
  >>> float(bound[0]) > float(tf.reduce_mean(terms.elbo))
  True
  """

  def __init__(self, num_samples: int):
    """Creates the objective.

    Args:
      num_samples: Codes of each image, at least 1.
    """
    if num_samples < 1:
      raise ValueError(f'`num_samples` must be at least 1, got {num_samples}.')
    self.num_samples = num_samples

  def parts(self, terms: Terms) -> tuple[tf.Tensor, tf.Tensor]:
    """As `NegativeELBO.parts`; their sum is worth the negative bound."""
    shape = [-1, tf.shape(terms.rate)[-1]]
    distortion, rate = [tf.reshape(t, shape) for t in terms]
    share = tf.stop_gradient(tf.nn.softmax(-distortion - rate, axis=0))
    distortion, rate = [tf.reduce_sum(share * t, 0) for t in (distortion, rate)]
    # Jensen's gap, a constant to the gradient, is put to the distortion.
    gap = -self.bound(terms) - distortion - rate
    return distortion + tf.stop_gradient(gap), rate

  def bound(self, terms: Terms) -> tf.Tensor:
    elbo = tf.reshape(terms.elbo, [-1, tf.shape(terms.rate)[-1]])
    codes = tf.cast(tf.shape(elbo)[0], elbo.dtype)
    return tf.reduce_logsumexp(elbo, 0) - tf.math.log(codes)


@OBJECTIVES.register('free_bits', 'a floor under the mean rate')
def _free_bits(config, floor):
  del config
  return FreeBits(floor) if floor else NegativeELBO()


@OBJECTIVES.register('soft_free_bits', 'a price that steers the mean rate')
def _soft_free_bits(config, floor):
  del config
  return SoftFreeBits(floor)


@OBJECTIVES.register('beta', 'a fixed price of the rate')
def _beta(config, floor):
  del floor
  return Beta(config.beta)


@OBJECTIVES.register('iwae', 'the importance-weighted bound')
def _iwae(config, floor):
  del floor
  return ImportanceWeighted(config.importance_samples)


def create(config: Any, image_shape: Sequence[int]) -> Objective:
  """The objective of a config.

  Args:
    config: `Config`.
    image_shape: `(height, width, channels)`; `config.free_bits` are nats of
      each of their product.

  Returns:
    An `Objective`.
  """
  # Without a code there is no rate to hold up.
  free_bits = config.free_bits if config.latent_size else 0.0
  floor = free_bits * math.prod(image_shape)
  objective = OBJECTIVES[config.objective](config, floor)
  if config.kl_warmup_steps:
    objective = WarmUp(objective, config.kl_warmup_steps)
  return objective
