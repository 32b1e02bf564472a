"""Terms of the variational bound, and the training objectives made of them.

#### References

[1]: Chen et al. Variational Lossy Autoencoder. ICLR 2017, arXiv:1611.02731
     (Appendix C).
[2]: Higgins et al. beta-VAE: Learning Basic Visual Concepts with a Constrained
     Variational Framework. ICLR 2017.
[3]: Kingma et al. Improving Variational Inference with Inverse Autoregressive
     Flow. NIPS 2016, arXiv:1606.04934 (Appendix C.8).
[4]: Burda et al. Importance Weighted Autoencoders. ICLR 2016, arXiv:1509.00519.
[5]: Bowman et al. Generating Sentences from a Continuous Space. CoNLL 2016,
     arXiv:1511.06349.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable, TypeAlias

import keras
import tensorflow as tf

from vlae_tf.models.config import check, Config, OBJECTIVES
from vlae_tf.utils import checks, fields, serialization

# Number of steps taken before, on which weights may depend.
Step: TypeAlias = int | tf.Tensor


class Terms(NamedTuple):
  """The two terms of the negative ELBO of each image, in nats [1, Eq. 4].

  >>> terms = Terms(distortion=tf.constant([80.0]), rate=tf.constant([9.0]))
  >>> terms.elbo.numpy()
  array([-89.], dtype=float32)
  """

  distortion: tf.Tensor  # [batch], -log p(x|z)
  rate: tf.Tensor  # [batch], log q(z|x) - log p(z)

  @property
  def elbo(self) -> tf.Tensor:
    """Evidence lower bound on log p(x), in nats, shape `[batch]`."""
    return -self.distortion - self.rate


def over_replicas(tensors: Any) -> Any:
  """Sums over the replicas of a `tf.distribute` strategy; no gradient."""
  tensors = tf.nest.map_structure(tf.stop_gradient, tensors)
  replicas = tf.distribute.get_replica_context()
  if replicas is None or replicas.num_replicas_in_sync == 1:
    return tensors
  return replicas.all_reduce(tf.distribute.ReduceOp.SUM, tensors)


def rows_of_replica(
  num: tf.Tensor,
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
  """Size of the global batch, and a slicer of this replica's `num` rows."""
  replicas = tf.distribute.get_replica_context()
  if replicas is None or replicas.num_replicas_in_sync == 1:
    return num, lambda x: x
  index = tf.range(replicas.num_replicas_in_sync)
  own = tf.cast(replicas.replica_id_in_sync_group, tf.int32)
  # In float32, which every device can sum.
  counts = tf.where(index == own, tf.cast(num, tf.float32), 0.0)
  counts = tf.cast(over_replicas(counts), tf.int32)
  start = tf.reduce_sum(tf.where(index < own, counts, 0))
  return tf.reduce_sum(counts), lambda x: x[start : start + num]


@runtime_checkable
class Objective(Protocol):
  """A training objective: a distortion plus a function of the mean rate.

  Its methods get means over the *global* batch, so that the result does not
  depend on the division into replicas and microbatches. Derive one from
  `NegativeELBO`, which has the defaults, and override what differs.

  `num_samples` is the number of samples of the latent per image in a step,
  `floor` the mean rate that is enforced, in nats (0 for none), and `variables`
  are the state that checkpoints save.
  """

  num_samples: int = 1
  floor: float = 0.0
  variables: Sequence[keras.Variable] = ()

  def parts(self, terms: Terms) -> tuple[tf.Tensor, tf.Tensor]:
    """Distortion and rate `[batch]`, in nats, from which gradients are taken.

    The terms have shape `[num_samples, batch]`, or `[batch]` for one sample.
    """
    flat = [tf.reshape(t, [-1, tf.shape(t)[-1]]) for t in terms]
    distortion, rate = [tf.reduce_mean(t, 0) for t in flat]
    return distortion, rate

  def bound(self, terms: Terms) -> tf.Tensor:
    """The reported lower bound on log p(x), in nats, `[batch]`."""
    distortion, rate = self.parts(terms)
    return -distortion - rate

  def rate_loss(self, mean_rate: tf.Tensor, step: Step) -> tf.Tensor:
    """Contribution of the mean rate to the loss, in nats, shape `[]`."""
    return self.rate_weight(mean_rate, step) * mean_rate

  def rate_weight(self, mean_rate: tf.Tensor, step: Step) -> tf.Tensor:
    """Derivative of `rate_loss` by the mean rate, shape `[]`."""
    return tf.ones_like(mean_rate)

  def value(
    self, mean_distortion: tf.Tensor, mean_rate: tf.Tensor, step: Step = 0
  ) -> tf.Tensor:
    """The loss from the means over the global batch, in nats, `[]`."""
    return mean_distortion + self.rate_loss(mean_rate, step)

  def update(self, mean_rate: tf.Tensor) -> None:
    """Updates the state, once a step."""
    del mean_rate

  def loss(self, terms: Terms, step: Step = 0) -> tf.Tensor:
    """This replica's share of the loss of a global batch, in nats, `[]`.

    `terms` are of this replica's images. Values and gradients sum over the
    replicas to those of the global batch; no state changes.
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
class NegativeELBO(Objective):
  """`mean(distortion) + mean(rate)`, in nats."""

  def __init__(self) -> None:
    # Inherited from a protocol, it would accept any arguments.
    pass


@serialization.register
class Beta(NegativeELBO):
  """`mean(distortion) + beta mean(rate)` [2], `beta` at least 0."""

  def __init__(self, beta: float):
    fields.check('beta', beta, 0 <= beta < math.inf, 'at least 0 and finite')
    self.beta = beta

  def rate_weight(self, mean_rate: tf.Tensor, step: Step) -> tf.Tensor:
    return self.beta * tf.ones_like(mean_rate)


@serialization.register
class FreeBits(NegativeELBO):
  """`mean(distortion) + max(mean(rate), floor)`, in nats [3].

  The floor, at least 0, is on the total rate: below it, there is no gradient.

  >>> free = FreeBits(floor=5.0)
  >>> [float(free.rate_loss(tf.constant(r), step=0)) for r in (3.0, 7.0)]
  [5.0, 7.0]
  """

  def __init__(self, floor: float):
    fields.check('floor', floor, 0 <= floor < math.inf, 'at least 0 and finite')
    self.floor = floor

  def rate_loss(self, mean_rate: tf.Tensor, step: Step) -> tf.Tensor:
    return tf.maximum(mean_rate, self.floor)

  def rate_weight(self, mean_rate: tf.Tensor, step: Step) -> tf.Tensor:
    return tf.cast(mean_rate > self.floor, mean_rate.dtype)


@serialization.register
class SoftFreeBits(NegativeELBO):
  """`mean(distortion) + gamma mean(rate)`, `gamma` adapted to a rate [1].

  `gamma`, in (0, 1], rises by 10 % after a step with a mean rate more than 5 %
  above the target, in nats, and falls by 10 % after one below the target.
  """

  def __init__(self, target: float):
    fields.check(
      'target', target, 0 < target < math.inf, 'more than 0 and finite'
    )
    self.target = self.floor = target
    # It follows a global mean, so that all replicas compute the same.
    self.gamma = keras.Variable(
      1.0,
      trainable=False,
      dtype='float32',
      aggregation='only_first_replica',
      name='gamma',
    )
    self.variables = (self.gamma,)

  def rate_weight(self, mean_rate: tf.Tensor, step: Step) -> tf.Tensor:
    return tf.cast(self.gamma.value, mean_rate.dtype)

  def update(self, mean_rate: tf.Tensor) -> None:
    up = tf.where(mean_rate > 1.05 * self.target, 1.1, 1.0)
    factor = tf.where(mean_rate < self.target, 1.0 / 1.1, up)
    gamma = self.gamma.value * tf.cast(factor, tf.float32)
    self.gamma.assign(tf.clip_by_value(gamma, 1e-6, 1.0))


@serialization.register
class ImportanceWeighted(NegativeELBO):
  """`-mean(log mean{ p(x, z[k]) / q(z[k]|x) })`, a tighter bound [4].

  Its gradient weights the terms of each sample by the normalised importance
  weight, so that it has the same two parts as the gradient of the ELBO.

  >>> terms = Terms(tf.constant([[3.0], [1.0]]), rate=tf.ones([2, 1]))
  >>> bound = ImportanceWeighted(num_samples=2).bound(terms)
  >>> float(bound[0]) > float(tf.reduce_mean(terms.elbo))
  True
  """

  def __init__(self, num_samples: int):
    self.num_samples = checks.integer('num_samples', num_samples, 1)

  def parts(self, terms: Terms) -> tuple[tf.Tensor, tf.Tensor]:
    shape = [-1, tf.shape(terms.rate)[-1]]
    distortion, rate = [tf.reshape(t, shape) for t in terms]
    share = tf.stop_gradient(tf.nn.softmax(-distortion - rate, axis=0))
    distortion, rate = [tf.reduce_sum(share * t, 0) for t in (distortion, rate)]
    # The sum of the parts is the negative bound: Jensen's gap, without
    # gradient, is added to the distortion.
    gap = -self.bound(terms) - distortion - rate
    return distortion + tf.stop_gradient(gap), rate

  def bound(self, terms: Terms) -> tf.Tensor:
    elbo = tf.reshape(terms.elbo, [-1, tf.shape(terms.rate)[-1]])
    num_samples = tf.cast(tf.shape(elbo)[0], elbo.dtype)
    return tf.reduce_logsumexp(elbo, 0) - tf.math.log(num_samples)


@serialization.register
class WarmUp(NegativeELBO):
  """KL warm-up: the weight of the rate grows linearly from 0 to full [5].

  `rate_loss = min(1, step / steps) inner.rate_loss`, `steps` at least 1.

  >>> float(WarmUp(NegativeELBO(), steps=100).rate_loss(tf.constant(8.0), 25))
  2.0
  """

  def __init__(self, inner: Objective, steps: int):
    fields.check('steps', steps, steps >= 1, 'at least 1')
    self.inner, self.steps = inner, steps
    self.variables = inner.variables
    self.num_samples = inner.num_samples
    self.floor = inner.floor

  def _fraction(self, step):
    return tf.minimum(tf.cast(step, tf.float32) / float(self.steps), 1.0)

  def parts(self, terms: Terms) -> tuple[tf.Tensor, tf.Tensor]:
    return self.inner.parts(terms)

  def bound(self, terms: Terms) -> tf.Tensor:
    return self.inner.bound(terms)

  def rate_loss(self, mean_rate: tf.Tensor, step: Step) -> tf.Tensor:
    return self._fraction(step) * self.inner.rate_loss(mean_rate, step)

  def rate_weight(self, mean_rate: tf.Tensor, step: Step) -> tf.Tensor:
    return self._fraction(step) * self.inner.rate_weight(mean_rate, step)

  def update(self, mean_rate: tf.Tensor) -> None:
    self.inner.update(mean_rate)


OBJECTIVES.register('free_bits', 'a floor under the mean rate')(
  lambda config, floor: FreeBits(floor) if floor else NegativeELBO()
)
OBJECTIVES.register(
  'soft_free_bits', 'a weight of the rate that is adapted to a target rate'
)(lambda config, floor: SoftFreeBits(floor))
OBJECTIVES.register('beta', 'a fixed weight of the rate')(
  lambda config, floor: Beta(config.beta)
)
OBJECTIVES.register('iwae', 'the importance-weighted bound')(
  lambda config, floor: ImportanceWeighted(config.importance_samples)
)


@check
def _check(config: Config) -> None:
  if config.objective != 'soft_free_bits':
    return
  if not config.latent_size:
    raise ValueError(
      '`latent_size` must be at least 1 with --objective=soft_free_bits, got '
      '0: without a latent there is no rate.'
    )
  bits, needs = config.free_bits, 'more than 0 with --objective=soft_free_bits'
  fields.check('free_bits', bits, bits > 0, needs)


def create(config: Config, image_shape: Sequence[int]) -> Objective:
  """The objective of a config."""
  # Without a latent there is no rate to maintain.
  free_bits = config.free_bits if config.latent_size else 0.0
  floor = free_bits * math.prod(image_shape)
  objective = OBJECTIVES[config.objective](config, floor)
  if config.kl_warmup_steps:
    objective = WarmUp(objective, config.kl_warmup_steps)
  return objective
