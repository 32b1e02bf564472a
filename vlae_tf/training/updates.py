"""One guarded update: clip, test, apply or skip, average, count."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from vlae_tf.models import config as config_lib
from vlae_tf.models import vlae as model_lib
from vlae_tf.training import nan_guard, parallelism


class GuardedUpdate:
  """Applies a global gradient to all replicas alike, or to none."""

  # In cross-replica context, on gradients that are already summed: the norm
  # that is clipped and the test for finiteness are those of the whole batch.

  def __init__(  # noqa: PLR0913
    self,
    strategy: tf.distribute.Strategy,
    model: model_lib.VLAE,
    averages: model_lib.VLAE,
    optimizer: keras.optimizers.Optimizer,
    guard: nan_guard.Guard,
    config: config_lib.Config,
    kernels: int = 0,
  ):
    self._strategy = strategy
    self._optimizer = optimizer
    self._guard = guard
    self._config = config
    self._weights = [v.value for v in model.trainable_variables]
    self._averages = [v.value for v in averages.trainable_variables]
    sizes = [v.shape.num_elements() for v in self._weights]
    self._takes = [
      _Take(self._update_some, indices, compiled=kernels > 0)
      for indices in parallelism.balanced(sizes, max(1, kernels))
    ]

  def __call__(
    self, gradients: Sequence[tf.Tensor], loss: tf.Tensor
  ) -> tf.Tensor:
    """Makes the step."""
    # loss [] -> []
    local = self._strategy.experimental_local_results
    scale = 1.0 / self._guard.loss_scale
    norm = scale * tf.linalg.global_norm([local(g)[0] for g in gradients])
    if self._config.gradient_clip_norm:
      scale *= tf.minimum(1.0, self._config.gradient_clip_norm / norm)
    is_good = tf.math.is_finite(norm) & tf.math.is_finite(loss)
    tf.cond(is_good, lambda: self._apply(gradients, scale), lambda: None)
    self._guard.count(is_good)
    # A skipped step is a step: the next one has other images and other noise.
    self._optimizer.iterations.assign_add(1)
    return norm

  def _apply(self, gradients, scale):
    rate = tf.convert_to_tensor(self._optimizer.learning_rate)
    step = tf.cast(self._optimizer.iterations.value + 1, tf.float32)
    # Early on, an average over as many steps as there were.
    decay = tf.minimum(self._config.polyak_decay, step / (step + 10.0))
    for take in self._takes:
      take(gradients, scale, rate, decay)

  def _update_some(self, indices, gradients, scale, rate, decay):
    """Updates and averages some of the weights."""

    def update(weight, gradient, average):
      self._optimizer.update_step(gradient * scale, weight, rate)
      average.assign_sub((1.0 - decay) * (average - weight))

    for k, gradient in zip(indices, gradients):
      args = (gradient, self._averages[k])
      self._strategy.extended.update(
        self._weights[k], update, args=args, group=False
      )


class _Take:
  """The update of some of the weights, by XLA or not."""

  def __init__(self, update, indices, compiled):
    self._indices = indices

    def run(gradients, scale, rate, decay):
      update(indices, gradients, scale, rate, decay)

    self._run = tf.function(run, jit_compile=True) if compiled else run

  def __call__(self, gradients, *scalars):
    self._run([gradients[k] for k in self._indices], *scalars)
