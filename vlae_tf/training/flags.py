"""Flags of `train` that do not change the experiment."""

import dataclasses
from typing import Any, cast

from absl import flags

from vlae_tf.training import step as train_step
from vlae_tf.training import strategies
from vlae_tf.training.trainer import Limits


def define() -> None:
  """Defines them."""
  flags.DEFINE_string(
    'workdir', None, 'Directory of the run; runs/DATASET by default.'
  )
  flags.DEFINE_string(
    'start_from',
    None,
    'Trained model from which a new run starts: directory of a run, folder of '
    'a shared model, or name of a model of the package; fresh weights by '
    'default.',
  )
  flags.DEFINE_enum(
    'strategy', 'auto', list(strategies.STRATEGIES), 'Devices to train on.'
  )
  for each in dataclasses.fields(Limits):
    help, default = each.metadata['help'], cast(Any, each.default)
    if each.name == 'max_minutes':
      flags.DEFINE_float(each.name, default, help, lower_bound=0)
    else:
      flags.DEFINE_integer(each.name, default, help, lower_bound=1)
  flags.DEFINE_integer(
    'microbatch',
    0,
    'Images that a replica has in memory at a time; 0 for all.',
    lower_bound=0,
  )
  flags.DEFINE_integer(
    'parts',
    0,
    'Parts of a batch to compute in parallel; 0 to choose by the cores.',
    lower_bound=0,
  )
  flags.DEFINE_enum(
    'xla', 'auto', train_step.XLA_CHOICES, 'Parts of a step that XLA compiles.'
  )


def limits(values: flags.FlagValues) -> Limits:
  """The `Limits` of parsed flags."""
  names = [f.name for f in dataclasses.fields(Limits)]
  given: dict[str, Any] = {name: values[name].value for name in names}
  return Limits(**given)


def execution(
  values: flags.FlagValues, batch_size: int
) -> train_step.Execution:
  """The `Execution` of parsed flags; sets the threads of TensorFlow."""
  parts = values.parts
  if strategies.is_one_cpu(values.strategy):
    cores = strategies.num_cores()
    parts = parts or strategies.parts_of(values.microbatch or batch_size, cores)
    strategies.set_threads(parts, cores)
  return train_step.Execution(values.microbatch, values.xla, parts or 1)
