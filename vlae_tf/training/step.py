"""Optimisation steps, the same on one device and on many."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from vlae_tf.models import config as config_lib
from vlae_tf.training import gradients, parallelism, updates
from vlae_tf.training import state as training_state

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
# What a step says of itself, with its dtype.
SCALARS = {
  'loss': tf.float32,
  'elbo': tf.float32,
  'distortion': tf.float32,
  'rate': tf.float32,
  'gradient_norm': tf.float32,
  'learning_rate': tf.float32,
  'skipped': tf.int64,
  'skipped_in_row': tf.int64,
}


@dataclasses.dataclass(frozen=True)
class Execution:
  """How a step is computed: its numbers stay the same up to rounding."""

  # Images that a replica has in memory at a time; 0 for all.
  microbatch: int = 0
  # One of `XLA_CHOICES`; 'auto' is what was measured to be fastest.
  xla: str = 'auto'
  # Parts of the images in memory that are computed side by side, see
  # `parallelism`.
  parts: int = 1

  def check(self, config: config_lib.Config, num_replicas: int) -> None:
    """Checks the sizes of a batch and its parts."""
    if self.xla not in XLA_CHOICES:
      raise ValueError(f'`xla` must be one of {XLA_CHOICES}, got {self.xla!r}.')
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
    """All that decides the last digits of a step, for `environment.json`."""
    cores = parallelism.num_cores()
    here = dict(cores=cores, replicas=num_replicas)
    return dataclasses.asdict(self) | here


class TrainStep:
  """Gradient, clipping, guard, update and averages for a global batch."""

  # What couples the batch (the free-bits floor, the clipping norm, the test for
  # finiteness) acts on sums over all replicas, so any number of them gives the
  # same step.

  def __init__(
    self,
    strategy: tf.distribute.Strategy,
    state: training_state.TrainingState,
    config: config_lib.Config,
    execution: Execution | None = None,
  ):
    execution = execution or Execution()
    execution.check(config, strategy.num_replicas_in_sync)
    self._strategy = strategy
    self._state = state
    one_cpu = _is_one_cpu(strategy.num_replicas_in_sync)
    compiled = _COMPILED[execution.xla] if one_cpu else ()
    self._gradient = gradients.GlobalGradient(
      state.model,
      config,
      execution.microbatch,
      execution.parts,
      kernels=execution.parts if 'kernels' in compiled else 0,
    )
    if 'gradient' in compiled:
      self._gradient = tf.function(self._gradient, jit_compile=True)
    self._update = updates.GuardedUpdate(
      strategy,
      state.model,
      state.averages,
      state.optimizer,
      state.guard,
      config,
      kernels=execution.parts if 'update' in compiled else 0,
    )

  @tf.function(autograph=False)  # To convert a model takes half of a trace.
  def __call__(
    self, iterator: Iterator, num_steps: tf.Tensor
  ) -> dict[str, tf.Tensor]:
    """Takes several steps."""
    # num_steps []
    # All in the loop: to trace and optimise a step takes seconds.
    metrics = {name: tf.zeros([], dtype) for name, dtype in SCALARS.items()}
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


def _is_one_cpu(num_replicas):
  return num_replicas == 1 and not tf.config.list_logical_devices('GPU')
