"""Entry points of the commands: quiet imports and one-line endings.

A command is a module with `define_flags` and `main`. Importing it and
TensorFlow takes seconds; this module needs nothing but Python.
"""

import contextlib
import functools
import importlib
import io
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from typing import NoReturn

# Exit statuses, as shells give them for these signals.
_INTERRUPTED = 128 + signal.SIGINT
_CLOSED_PIPE = 128 + signal.SIGPIPE


def import_tensorflow() -> None:
  """Imports TensorFlow and TFP silently, configured for commands."""
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  # The samplers' products are small. By default XLA on a CPU hands every
  # product to a thread pool, which took a third of the time at batch size 1.
  # The user's flags come last and so win.
  os.environ['XLA_FLAGS'] = ' '.join(
    ['--xla_cpu_multi_thread_eigen=false', os.environ.get('XLA_FLAGS', '')]
  )
  # While it is imported, TensorFlow prints to file descriptor 2 whatever its
  # log level.
  sys.stderr.flush()
  stderr, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
  os.dup2(null, 2)
  try:
    importlib.import_module('tensorflow')
    importlib.import_module('tensorflow_probability')
  finally:
    sys.stderr.flush()
    os.dup2(stderr, 2)
    os.close(stderr)
    os.close(null)


def launch(name: str) -> NoReturn:
  """Runs a command and ends the process."""
  _open_streams()
  try:
    status = _run(name)
  except BrokenPipeError:
    status = _CLOSED_PIPE
  except BaseException as error:
    # Libraries raise other exceptions from Ctrl-C.
    cause: BaseException | None = error
    while cause and not isinstance(cause, KeyboardInterrupt):
      cause = cause.__cause__ or cause.__context__
    if cause is None:
      raise
    status = _INTERRUPTED
    with contextlib.suppress(OSError):
      print('interrupted', file=sys.stderr)
  failure = _flush(sys.stdout, 1)
  if isinstance(failure, BrokenPipeError):
    status = _CLOSED_PIPE
  elif failure:
    status = 1
    with contextlib.suppress(OSError):
      print(f'error: cannot write standard output: {failure}', file=sys.stderr)
  _flush(sys.stderr, 2)
  sys.exit(status)


def _flush(stream, number):
  """Flushes a standard stream; the error, if it cannot be written."""
  try:
    stream.flush()
  except OSError as error:
    # At exit, Python would try once more, and change the status.
    os.dup2(os.open(os.devnull, os.O_WRONLY), number)
    return error
  return None


def _run(name):
  """The exit status of a command."""
  try:
    temporary = tempfile.gettempdir()  # TensorFlow's imports need one.
  except FileNotFoundError as error:
    print(f'error: {error} (TMPDIR names another)', file=sys.stderr)
    return 1
  try:
    if os.path.expanduser('~') == '~':
      # Keras would take it for the name of a directory.
      os.environ.setdefault('KERAS_HOME', os.path.join(temporary, '.keras'))
    import_tensorflow()
    importlib.import_module('vlae_tf.utils.keras_backend')
  except ImportError as error:
    print(f'error: {error}', file=sys.stderr)
    return 1
  module = importlib.import_module(name)
  command_line = importlib.import_module('vlae_tf.utils.command_line')
  try:
    command_line.run(module.main, module.define_flags, module.__doc__)
  except SystemExit as end:
    return end.code
  return 0


def _open_streams():
  """Opens closed standard streams: a file would take their numbers."""
  while (spare := os.open(os.devnull, os.O_RDWR)) < 3:
    pass
  os.close(spare)
  sys.stdout = sys.stdout or open(1, 'w', closefd=False)
  sys.stderr = sys.stderr or open(2, 'w', closefd=False)
  for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, io.TextIOWrapper):
      with contextlib.suppress(OSError):  # It was redirected meanwhile.
        # For paths in another encoding.
        stream.reconfigure(errors='backslashreplace')


def __getattr__(name: str) -> Callable[[], NoReturn]:
  """The entry point of a command, `launcher.train`."""
  if name.startswith('_'):
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
  return functools.partial(launch, f'vlae_tf.{name}')
