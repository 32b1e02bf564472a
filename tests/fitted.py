"""What `fit` does to a model on one device or several, for comparison."""

import keras
import numpy as np
import tensorflow as tf
import toys

from vlae_tf.models import builder

_IMAGE_SHAPE = (4, 4, 1)
_SMALLEST = dict(prior='gaussian', encoder_widths='4', decoder='factorised')


def record(path, objectives, replicas, eagerly):
  """Fits models for two steps and saves what came of it.

  Args:
    path: `.npz` file to write.
    objectives: Changes of the small config, a dictionary of dictionaries.
    replicas: Logical CPU devices, each a replica; without a strategy if 1.
    eagerly: Whether steps run as Python; in graphs they take long to trace.
  """
  device = tf.config.list_physical_devices('CPU')[0]
  tf.config.set_logical_device_configuration(
    device, [tf.config.LogicalDeviceConfiguration()] * replicas
  )
  strategy = tf.distribute.get_strategy()
  if replicas > 1:
    strategy = tf.distribute.MirroredStrategy(
      [d.name for d in tf.config.list_logical_devices('CPU')]
    )
  tf.config.run_functions_eagerly(eagerly)
  results = {}
  for name, changes in objectives.items():
    for key, value in _fit(strategy, changes).items():
      results[f'{name}/{key}'] = value
  np.savez(path, **results)


def _fit(strategy, changes):
  # Of eleven images, the last batch is divided into three and two. Of the first
  # Keras wants equal parts.
  images = toys.binary_images(11, _IMAGE_SHAPE)
  keras.utils.set_random_seed(0)
  with strategy.scope():
    config = toys.small_config(**_SMALLEST, **changes)
    vlae = builder.build_model(config, _IMAGE_SHAPE)
    # With the noise that `fit` will begin with.
    rates = vlae.with_parts()(images[:6]).rate
    vlae.compile(keras.optimizers.Adamax(0.01), jit_compile=False)
  history = vlae.fit(images, batch_size=6, shuffle=False, verbose=0).history
  score = vlae.evaluate(images, batch_size=6, verbose=0, return_dict=True)
  results = {f'fit_{k}': v[0] for k, v in history.items()}
  results['first_rates'] = rates.numpy()
  results |= {f'evaluate_{k}': v for k, v in score.items()}
  state = [*vlae.variables, *vlae.objective.variables]
  return results | {v.path: v.numpy() for v in state}
