"""The model that a command is asked about: a run's, or a shared one."""

from typing import NamedTuple

from absl import flags

from vlae_tf import model as model_lib
from vlae_tf import pretrained
from vlae_tf.runs import images, workdirs
from vlae_tf.system import command_line

FLAGS = flags.FLAGS


class Loaded(NamedTuple):
  """A trained model, and what to call it."""

  model: model_lib.VLAE
  name: str


def define_flags() -> None:
  """Defines `--workdir`, `--checkpoint` and `--pretrained`."""
  command_line.define_workdir(required=False)
  command_line.define_checkpoint()
  flags.DEFINE_string(
    'pretrained',
    None,
    'In place of --workdir: a folder that `export --format=pretrained` wrote, '
    f'or a model of the package ({", ".join(pretrained.names())}).',
  )


def check_flags() -> None:
  """Checks that one model is asked for.

  Raises:
    ValueError: None is, or two, or the directory of a run is not there.
  """
  if (FLAGS.workdir is None) == (FLAGS.pretrained is None):
    raise ValueError(
      'one of --workdir, the directory of a run, and --pretrained must be '
      f'given, got {"none" if FLAGS.workdir is None else "both"}.'
    )
  if FLAGS.workdir is not None:
    command_line.check_workdir(FLAGS.workdir)
  elif FLAGS.checkpoint is not None:
    raise ValueError('--checkpoint says nothing of --pretrained.')


def load() -> Loaded:
  """Loads the model that the flags ask for.

  Returns:
    `Loaded`.

  Raises:
    ValueError: It cannot be loaded.
  """
  if FLAGS.pretrained is not None:
    name = images.name_of(FLAGS.pretrained) or ''
    return Loaded(pretrained.from_pretrained(FLAGS.pretrained), name)
  run = workdirs.restore(FLAGS.workdir, FLAGS.checkpoint)
  return Loaded(run.model, images.label(FLAGS.workdir, run))
