"""What the commands share: quiet start, flags, and errors of one line."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable

from absl import app, flags, logging

from vlae_tf.system import presets

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
# The samplers' products are small. On a CPU, XLA hands every product to a
# library of threads, unless told not to: at batch 1 that took a third of the
# time. What the user sets comes last and so wins.
os.environ['XLA_FLAGS'] = ' '.join(
  ['--xla_cpu_multi_thread_eigen=false', os.environ.get('XLA_FLAGS', '')]
)


@contextlib.contextmanager
def _held_stderr():
  """Holds back file descriptor 2; shows it after all if something fails."""
  sys.stderr.flush()
  saved = os.dup(2)
  with tempfile.TemporaryFile() as held:
    os.dup2(held.fileno(), 2)
    try:
      yield
    except BaseException:
      held.seek(0)
      os.write(saved, held.read())
      raise
    finally:
      sys.stderr.flush()
      os.dup2(saved, 2)
      os.close(saved)


# TensorFlow greets on standard error while it is imported, whatever its log
# level; a command's standard error is for what concerns its user.
with _held_stderr():
  import tensorflow as tf  # noqa: F401
  import tensorflow_probability  # noqa: F401


logging.set_verbosity(logging.WARNING)


def define_workdir() -> None:
  """Defines `--workdir`, which every command but `train` reads alone."""
  flags.DEFINE_string('workdir', None, 'Directory of the run.', required=True)


def define_data_dir() -> None:
  """Defines `--data_dir`."""
  flags.DEFINE_string(
    'data_dir',
    None,
    'Root of data sets; else $VLAE_TF_DATA_DIR, else ~/vlae_tf_data.',
  )


def define_preset() -> None:
  """Defines `--preset`, for commands that take all flags of an experiment."""
  flags.DEFINE_enum(
    'preset', None, presets.names(), 'A known experiment; later flags win.'
  )


def run(main: Callable[[], None]) -> None:
  """Runs a command: parses its flags and turns `ValueError` into one line.

  Args:
    main: Function without arguments.
  """
  _list_flags_in_help()
  app.run(lambda _: _guarded(main), flags_parser=_parse)


def _list_flags_in_help():
  """Has `--help` list our flags; absl's shows those of one module alone."""
  for module, defined in flags.FLAGS.flags_by_module_dict().items():
    if module.startswith('vlae_tf.'):
      for flag in defined:
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)


def _parse(argv):
  known = [name for name in ('preset', 'flagfile') if name in flags.FLAGS]
  try:
    rest = flags.FLAGS([argv[0], *presets.expand(argv[1:], known)])[1:]
    if rest:
      raise flags.Error(f'unexpected argument {rest[0]!r}')
  except (flags.Error, ValueError) as error:
    _fail(f'{error} (--help lists the flags)')
  if flags.FLAGS.help or flags.FLAGS.helpshort or flags.FLAGS.helpfull:
    return argv
  return argv[:1]


def _guarded(main):
  try:
    main()
  except ValueError as error:
    _fail(error)


def _fail(error):
  message = ' '.join(str(error).split())
  print(f'error: {message}', file=sys.stderr)
  sys.exit(1)
