"""The terms of the bound, and what an objective makes of them.

#### References

[1]: Xi Chen et al. Variational Lossy Autoencoder. In _International
     Conference on Learning Representations_, 2017.
     https://arxiv.org/abs/1611.02731
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable, TypeAlias

import keras
import tensorflow as tf

# Steps taken before: what prices may depend on.
Step: TypeAlias = int | tf.Tensor


class Terms(NamedTuple):
  """The two parts of an image's code length, in nats [1, Eq. 4].

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
  """Which rows of a global batch are those of this replica."""
  # num []
  replicas = tf.distribute.get_replica_context()
  if replicas is None or replicas.num_replicas_in_sync == 1:
    return num, lambda x: x
  place = tf.range(replicas.num_replicas_in_sync)
  own = tf.cast(replicas.replica_id_in_sync_group, tf.int32)
  # In float32, which every device can sum.
  counts = tf.where(place == own, tf.cast(num, tf.float32), 0.0)
  counts = tf.cast(over_replicas(counts), tf.int32)
  start = tf.reduce_sum(tf.where(place < own, counts, 0))
  return tf.reduce_sum(counts), lambda x: x[start : start + num]


@runtime_checkable
class Objective(Protocol):
  """What training minimises: a distortion and a function of the mean rate.

  It sees means over the *global* batch, so that replicas and microbatches
  leave it as it is. `NegativeELBO` has all of this, for a sub-class to change
  what differs.
  """

  @property
  def num_samples(self) -> int:
    """Codes of each image in a step."""
    ...

  @property
  def floor(self) -> float:
    """Mean rate that it holds up by itself, in nats; 0 for none."""
    ...

  @property
  def variables(self) -> Sequence[keras.Variable]:
    """Its state, which checkpoints hold."""
    ...

  def parts(self, terms: Terms) -> tuple[tf.Tensor, tf.Tensor]:
    """Distortion and rate of each image, whose sums carry the gradient.

    Args:
      terms: `Terms` of shape `[num_samples, batch]`, or `[batch]` for one.

    Returns:
      A pair of `Tensor`s of shape `[batch]`, in nats.
    """
    ...

  def bound(self, terms: Terms) -> tf.Tensor:
    """The bound on log p(x) that is reported, in nats, `[batch]`."""
    ...

  def rate_loss(self, mean_rate: tf.Tensor, step: Step) -> tf.Tensor:
    """What the mean rate costs, in nats, shape `[]`."""
    ...

  def rate_weight(self, mean_rate: tf.Tensor, step: Step) -> tf.Tensor:
    """Weight of the rate's gradient, the cost's derivative, shape `[]`."""
    ...

  def value(
    self, mean_distortion: tf.Tensor, mean_rate: tf.Tensor, step: Step = 0
  ) -> tf.Tensor:
    """The loss from the means over the global batch, in nats, `[]`."""
    ...

  def update(self, mean_rate: tf.Tensor) -> None:
    """Moves its state, once a step."""
    ...

  def loss(self, terms: Terms, step: Step = 0) -> tf.Tensor:
    """The loss of a global batch, in nats, whose state stays as it is.

    Args:
      terms: `Terms` of this replica's images.
      step: Steps taken before.

    Returns:
      A `Tensor` of shape `[]`. Over the replicas, values and gradients sum to
      those of the whole batch.
    """
    ...
