"""Optimisation steps, the same on one device and on many."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from vlae_tf.models.config import Config
from vlae_tf.training import strategies
from vlae_tf.training.gradients import GlobalGradient, in_groups
from vlae_tf.training.state import TrainingState
from vlae_tf.utils import fields

# What XLA compiles, by the value of `--xla`; with several replicas, nothing.
# The default is what was fastest on two CPU cores, where the convolutions in
# 'gradient' took four times as long.
_COMPILED = {
  'auto': ('kernels', 'update'),
  'none': (),
  'kernels': ('kernels',),
  'update': ('update',),
  'all': ('gradient', 'update'),
}
XLA_CHOICES = tuple(_COMPILED)
# Metrics of a step, float32 and int64.
_VALUES = (
  *('loss', 'elbo', 'distortion', 'rate'),
  *('gradient_norm', 'learning_rate'),
)
_COUNTS = ('skipped', 'skipped_in_row')


@dataclasses.dataclass(frozen=True)
class Execution:
  """How a step is computed; its numbers are the same up to rounding."""

  microbatch: int = fields.field(
    0, 'Images that a replica has in memory at a time; 0 for all.', lower=0
  )
  xla: str = fields.field(
    'auto', 'Parts of a step that XLA compiles.', choices=XLA_CHOICES
  )
  # Parts of the images in memory that are computed in parallel, see
  # `strategies.parts_of`.
  parts: int = 1

  def check(self, config: Config, num_replicas: int) -> None:
    fits = self.xla in XLA_CHOICES
    fields.check('xla', self.xla, fits, f'one of {XLA_CHOICES}')
    if self.xla not in ('auto', 'none') and not _is_one_cpu(num_replicas):
      raise ValueError(
        "`xla` must be 'auto' or 'none' with GPUs or several replicas, where "
        f'nothing is compiled by it yet, got {self.xla!r}.'
      )
    if config.batch_size % num_replicas:
      raise ValueError(
        '`batch_size` must be divisible by the number of replicas, got '
        f'{config.batch_size} for {num_replicas}. Take a multiple of '
        f'{num_replicas}, or fewer devices (CUDA_VISIBLE_DEVICES).'
      )
    part = config.batch_size // num_replicas
    if self.microbatch < 0 or (self.microbatch and part % self.microbatch):
      raise ValueError(
        f'`microbatch` must divide the {part} images of a replica, got '
        f'{self.microbatch}.'
      )
    in_memory = self.microbatch or part
    if self.parts < 1 or in_memory % self.parts:
      raise ValueError(
        f'`parts` must divide the {in_memory} images in memory, got '
        f'{self.parts}.'
      )

  def described(self, num_replicas: int) -> dict[str, Any]:
    """Everything that affects rounding, for `environment.json`."""
    cores = strategies.num_cores()
    return dataclasses.asdict(self) | dict(cores=cores, replicas=num_replicas)


def _is_one_cpu(num_replicas):
  return num_replicas == 1 and not tf.config.list_logical_devices('GPU')


class TrainStep:
  """Gradient, clipping, guard, update and averages for a global batch."""

  # What couples the batch (the free-bits floor, the clipping norm, the test for
  # finiteness) acts on sums over all replicas, so any number of them gives the
  # same step.

  def __init__(
    self,
    strategy: tf.distribute.Strategy,
    state: TrainingState,
    config: Config,
    execution: Execution | None = None,
  ):
    execution = execution or Execution()
    execution.check(config, strategy.num_replicas_in_sync)
    self._strategy = strategy
    self._state = state
    one_cpu = _is_one_cpu(strategy.num_replicas_in_sync)
    compiled = _COMPILED[execution.xla] if one_cpu else ()
    self._gradient = GlobalGradient(
      state.model,
      config,
      execution.microbatch,
      execution.parts,
      kernels=execution.parts if 'kernels' in compiled else 0,
    )
    if 'gradient' in compiled:
      self._gradient = tf.function(self._gradient, jit_compile=True)
    self._config = config
    self._weights = [v.value for v in state.model.trainable_variables]
    self._averages = [v.value for v in state.averages.trainable_variables]
    sizes = [v.shape.num_elements() for v in self._weights]
    kernels = execution.parts if 'update' in compiled else 0
    self._updates = in_groups(self._update_group, sizes, kernels)

  @tf.function(autograph=False)  # To convert a model takes half of a trace.
  def __call__(
    self, iterator: Iterator, num_steps: tf.Tensor
  ) -> dict[str, tf.Tensor]:
    """Takes `num_steps` steps; the metrics of the last one."""
    # All in the loop: to trace and optimise a step takes seconds.
    metrics = dict.fromkeys(_VALUES, tf.zeros([]))
    metrics |= dict.fromkeys(_COUNTS, tf.zeros([], tf.int64))
    _, metrics = tf.while_loop(
      lambda k, _: k < num_steps,
      lambda k, _: (k + 1, self._step(next(iterator))),
      (tf.zeros_like(num_steps), metrics),
    )
    return metrics

  def _step(self, batch):
    state, objective = self._state, self._state.model.objective
    step = tf.convert_to_tensor(state.optimizer.iterations.value)
    rate = tf.convert_to_tensor(state.optimizer.learning_rate)
    gradient, means = self._strategy.run(
      self._gradient, (batch, step, state.guard.loss_scale)
    )
    # Equal on all replicas: a global sum.
    means = self._strategy.experimental_local_results(means)[0]
    loss = objective.value(means[0], means[1], step)
    norm = self._update(gradient, loss)
    objective.update(means[1])
    return {
      'loss': loss,
      'elbo': means[2],
      'distortion': means[0],
      'rate': means[1],
      'gradient_norm': norm,
      'learning_rate': rate,
      'skipped': tf.convert_to_tensor(state.guard.skipped.value),
      'skipped_in_row': tf.convert_to_tensor(state.guard.skipped_in_row.value),
    }

  def _update(self, gradients, loss):
    """Takes the step, or none; the norm of the gradient before clipping."""
    # In cross-replica context, on gradients that are already summed: the norm
    # that is clipped and the test for finiteness are those of the whole batch.
    local = self._strategy.experimental_local_results
    guard = self._state.guard
    scale = 1.0 / guard.loss_scale
    norm = scale * tf.linalg.global_norm([local(g)[0] for g in gradients])
    if self._config.gradient_clip_norm:
      scale *= tf.minimum(1.0, self._config.gradient_clip_norm / norm)
    is_good = tf.math.is_finite(norm) & tf.math.is_finite(loss)
    tf.cond(is_good, lambda: self._apply(gradients, scale), lambda: None)
    guard.count(is_good)
    # A skipped step is a step: the next one has other images and other noise.
    self._state.optimizer.iterations.assign_add(1)
    return norm

  def _apply(self, gradients, scale):
    optimizer = self._state.optimizer
    rate = tf.convert_to_tensor(optimizer.learning_rate)
    step = tf.cast(optimizer.iterations.value + 1, tf.float32)
    # Early on, an average over as many steps as there were.
    decay = tf.minimum(self._config.polyak_decay, step / (step + 10.0))
    for group, update in self._updates:
      update([gradients[k] for k in group], scale, rate, decay)

  def _update_group(self, group, gradients, scale, rate, decay):
    def update(weight, gradient, average):
      self._state.optimizer.update_step(gradient * scale, weight, rate)
      average.assign_sub((1.0 - decay) * (average - weight))

    for k, gradient in zip(group, gradients):
      args = (gradient, self._averages[k])
      self._strategy.extended.update(
        self._weights[k], update, args=args, group=False
      )
