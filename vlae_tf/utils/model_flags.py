"""Flags of the model that a command is asked about."""

from absl import flags

from vlae_tf.utils import command_line


def define_preset() -> None:
  """Defines `--preset`, another name of `--pretrained`, behind `define`."""
  flags.DEFINE_alias('preset', 'pretrained')


def define() -> None:
  """Defines `--workdir`, `--checkpoint` and `--pretrained`."""
  command_line.define_workdir(required=False)
  command_line.define_checkpoint()
  flags.DEFINE_string(
    'pretrained',
    None,
    'In place of --workdir: a folder that `export --format=pretrained` wrote, '
    'or the name of a model of the package, such as omniglot.',
  )


def check() -> None:
  """Checks that one model is asked for, of those of `define`."""
  given_ = command_line.given('workdir', 'pretrained')
  if len(given_) != 1:
    raise ValueError(
      'one of --workdir, the directory of a run, and --pretrained must be '
      f'given, got {"both" if given_ else "none"}.'
    )
  if given_ == ['--workdir']:
    command_line.check_workdir(flags.FLAGS.workdir)
  elif command_line.given('checkpoint'):
    raise ValueError('--checkpoint says nothing of --pretrained.')
