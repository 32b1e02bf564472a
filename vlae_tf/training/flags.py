"""Flags of `train` that say how, not what, a run computes."""

from absl import flags

from vlae_tf.training import limits as limits_lib
from vlae_tf.training import parallelism, strategies
from vlae_tf.training import step as train_step


def define() -> None:
  """Defines them."""
  flags.DEFINE_string(
    'workdir', None, 'Directory of the run; runs/DATASET by default.'
  )
  flags.DEFINE_string(
    'start_from',
    None,
    'Trained model whose weights a new run starts from: directory of a run, '
    'folder of a shared model, or a name that comes with the package; fresh '
    'weights by default.',
  )
  flags.DEFINE_enum(
    'strategy', 'auto', list(strategies.STRATEGIES), 'Where to compute.'
  )
  _define_limits()
  flags.DEFINE_integer(
    'microbatch',
    0,
    'Images that a replica has in memory at a time; 0 for all.',
    lower_bound=0,
  )
  flags.DEFINE_integer(
    'parts',
    0,
    'Parts of a batch to compute side by side; 0 to choose by the cores.',
    lower_bound=0,
  )
  flags.DEFINE_enum('xla', 'auto', train_step.XLA_CHOICES, 'What XLA compiles.')


def _define_limits():
  flags.DEFINE_integer('max_steps', None, 'Step to stop at.', lower_bound=1)
  flags.DEFINE_float(
    'max_minutes', None, 'Minutes to stop after.', lower_bound=0
  )
  flags.DEFINE_integer(
    'checkpoint_every_steps', 1000, 'Steps between checkpoints.', lower_bound=1
  )
  flags.DEFINE_integer(
    'keep', 2, 'Last checkpoints to keep, besides the best.', lower_bound=1
  )
  flags.DEFINE_integer(
    'steps_per_call', 10, 'Steps between two reports.', lower_bound=1
  )
  flags.DEFINE_integer(
    'max_skipped_in_row',
    20,
    'Updates in a row that may be skipped as not finite.',
    lower_bound=1,
  )


def limits(values: flags.FlagValues) -> limits_lib.Limits:
  """The `Limits` that parsed flags describe."""
  return limits_lib.Limits(
    max_steps=values.max_steps,
    max_minutes=values.max_minutes,
    checkpoint_every_steps=values.checkpoint_every_steps,
    keep=values.keep,
    steps_per_call=values.steps_per_call,
    max_skipped_in_row=values.max_skipped_in_row,
  )


def execution(
  values: flags.FlagValues, batch_size: int
) -> train_step.Execution:
  """The `Execution` that parsed flags describe; before TensorFlow computes."""
  parts = values.parts
  if strategies.is_one_cpu(values.strategy):
    cores = parallelism.num_cores()
    parts = parts or parallelism.parts_of(
      values.microbatch or batch_size, cores
    )
    parallelism.set_threads(parts, cores)
  return train_step.Execution(values.microbatch, values.xla, parts or 1)
