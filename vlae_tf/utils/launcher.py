"""Starts a command: quietly, and Ctrl-C is one line from the first moment on.

A command is a module with `define_flags` and `main`. It takes seconds to import
it and TensorFlow; this module needs nothing but Python.
"""

import contextlib
import functools
import importlib
import io
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

INTERRUPTED = 128 + signal.SIGINT  # What shells give for Ctrl-C.
_CLOSED_PIPE = 128 + signal.SIGPIPE
_PATIENCE = 1.0  # Seconds that Ctrl-C may wait.


class _Process:
  """What happens to the signals and streams of this process."""

  def __init__(self) -> None:
    self.stderr = 2  # Where the user reads, also while 2 is held back.
    self.interrupted = False

  def watch(self, handler) -> None:
    """Handles SIGINT, unless whoever started the process ignores it."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
      signal.signal(signal.SIGINT, handler)

  def leave_at_once(self, number: int, frame: FrameType | None) -> None:
    """A handler for when there is nothing to clean up."""
    del number, frame
    self.say_interrupted()
    os._exit(INTERRUPTED)

  def raise_interrupt(self, number: int, frame: FrameType | None) -> None:
    """A handler for when there is; a second signal is obeyed at once."""
    del number, frame
    self.interrupted = True
    self.watch(self.leave_at_once)
    raise KeyboardInterrupt

  def hurry(self) -> None:
    """Starts a thread that ends the process if Ctrl-C would have to wait."""
    # Python calls handlers between two of its own instructions; a call of
    # TensorFlow that compiles takes many seconds.
    self.wakeup = socket.socketpair()
    self.wakeup[1].setblocking(False)
    signal.set_wakeup_fd(self.wakeup[1].fileno(), warn_on_full_buffer=False)
    threading.Thread(target=self._hurry, daemon=True).start()

  def _hurry(self):
    while number := self.wakeup[0].recv(1):
      time.sleep(_PATIENCE)
      # Not so if it was called, or if a training run has its own.
      is_waiting = signal.getsignal(signal.SIGINT) == self.raise_interrupt
      if is_waiting and number[0] == signal.SIGINT:
        self.leave_at_once(signal.SIGINT, None)

  def say_interrupted(self) -> None:
    """Says it once."""
    if self.stderr >= 0:
      with contextlib.suppress(OSError):
        os.write(self.stderr, b'interrupted\n')
    self.stderr = -1

  @contextlib.contextmanager
  def holding_stderr(self) -> Iterator[None]:
    """Holds back file descriptor 2; shows it after all if something fails."""
    sys.stderr.flush()
    self.stderr = os.dup(2)
    with tempfile.TemporaryFile() as held:
      os.dup2(held.fileno(), 2)
      try:
        yield
      except BaseException:
        held.seek(0)
        os.write(self.stderr, held.read())
        raise
      finally:
        sys.stderr.flush()
        os.dup2(self.stderr, 2)
        os.close(self.stderr)
        self.stderr = 2


_process = _Process()


def import_tensorflow() -> None:
  """Imports TensorFlow and TFP without their greetings, set for commands."""
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  # The samplers' products are small. On a CPU, XLA hands every product to a
  # library of threads, unless told not to: at batch 1 that took a third of the
  # time. What the user sets comes last and so wins.
  os.environ['XLA_FLAGS'] = ' '.join(
    ['--xla_cpu_multi_thread_eigen=false', os.environ.get('XLA_FLAGS', '')]
  )
  # TensorFlow greets on standard error while it is imported, whatever its log
  # level; a command's standard error is for what concerns its user.
  with _process.holding_stderr():
    importlib.import_module('tensorflow')
    importlib.import_module('tensorflow_probability')


def launch(name: str) -> NoReturn:
  """Runs a command and ends the process."""
  _open_streams()
  _process.watch(_process.leave_at_once)
  try:
    status = _run(name)
  except BrokenPipeError:
    status = _CLOSED_PIPE
  except BaseException:
    # Some libraries make another error of a `KeyboardInterrupt`.
    if not _process.interrupted:
      raise
    status = INTERRUPTED
  if status == INTERRUPTED:
    _process.say_interrupted()
  _process.watch(_process.leave_at_once)
  sys.exit(_flush_stdout() or status)


def _flush_stdout():
  """Writes what is left; returns the exit status if that fails."""
  status: int | str
  try:
    sys.stdout.flush()
    return None
  except BrokenPipeError:
    # Whoever read has seen enough.
    status = _CLOSED_PIPE
  except OSError as error:
    status = f'error: standard output cannot be written: {error}'
  # Python would try once more, and show a traceback.
  os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
  return status


def _run(name):
  """The exit status of a command, or what to print before a status of 1."""
  try:
    importlib.import_module('vlae_tf.utils.keras_backend')
  except ImportError as error:
    return f'error: {error}'
  import_tensorflow()
  module = importlib.import_module(name)
  command_line = importlib.import_module('vlae_tf.utils.command_line')
  _process.watch(_process.raise_interrupt)
  _process.hurry()
  try:
    command_line.run(module.main, module.define_flags, module.__doc__)
  except SystemExit as end:
    return end.code
  return 0


def _open_streams():
  """Opens standard streams that are closed: a file would take their numbers."""
  # What cannot be encoded, such as a path in another encoding, is escaped.
  for number in range(3):
    try:
      os.fstat(number)
    except OSError:
      os.open(os.devnull, os.O_RDWR)
  sys.stdout = sys.stdout or open(1, 'w', closefd=False)
  sys.stderr = sys.stderr or open(2, 'w', closefd=False)
  for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, io.TextIOWrapper):
      with contextlib.suppress(OSError):  # It was redirected meanwhile.
        stream.reconfigure(errors='backslashreplace')


# What `pip install` makes commands of.
train = functools.partial(launch, 'vlae_tf.train')
evaluate = functools.partial(launch, 'vlae_tf.evaluate')
sample = functools.partial(launch, 'vlae_tf.sample')
embed = functools.partial(launch, 'vlae_tf.embed')
probe = functools.partial(launch, 'vlae_tf.probe')
anomaly = functools.partial(launch, 'vlae_tf.anomaly')
rate_distortion = functools.partial(launch, 'vlae_tf.rate_distortion')
retention = functools.partial(launch, 'vlae_tf.retention')
report = functools.partial(launch, 'vlae_tf.report')
reproduce = functools.partial(launch, 'vlae_tf.reproduce')
window_sweep = functools.partial(launch, 'vlae_tf.window_sweep')
receptive_field = functools.partial(launch, 'vlae_tf.receptive_field')
doctor = functools.partial(launch, 'vlae_tf.doctor')
export = functools.partial(launch, 'vlae_tf.export')
compress = functools.partial(launch, 'vlae_tf.compress')
decompress = functools.partial(launch, 'vlae_tf.decompress')
