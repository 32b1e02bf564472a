"""The first steps of a run under a strategy, for comparison."""

import keras
import numpy as np
import tensorflow as tf
import toys

from vlae_tf.training import step as train_step
from vlae_tf.training import strategies
from vlae_tf.training import trainer as trainer_lib


def record(path, workdir, strategy='one_device', cpus=1, steps=10, changes=()):
  """Trains for some steps and saves metrics and weights.

  Args:
    path: `.npz` file to write.
    workdir: Directory of the run.
    strategy: Name of a strategy.
    cpus: Logical CPU devices to split the processor into.
    steps: Number of steps.
    changes: Changes of the small config, a dictionary.
  """
  device = tf.config.list_physical_devices('CPU')[0]
  tf.config.set_logical_device_configuration(
    device, [tf.config.LogicalDeviceConfiguration()] * cpus
  )
  trainer = trainer_lib.Trainer(
    toys.small_config(**dict(changes)),
    toys.image_data(),
    workdir,
    strategy=strategies.create(strategy),
    limits=trainer_lib.Limits(max_steps=steps, steps_per_call=1),
    execution=train_step.Execution(xla='none'),
  )
  seen = []
  trainer.run([_Recorder(seen)])
  groups = trainer.state.groups()
  arrays = {
    f'{name}/{i}': v.numpy()
    for name, group in groups.items()
    for i, v in enumerate(group)
  }
  np.savez(path, metrics=np.array(seen), **arrays)


class _Recorder(keras.callbacks.Callback):
  def __init__(self, seen):
    super().__init__()
    self._seen = seen

  def on_train_batch_end(self, batch, logs=None):
    names = ('loss', 'elbo', 'rate', 'gradient_norm', 'skipped')
    self._seen.append([logs[name] for name in names])
