"""Runs the package's commands: in this process, or in one of their own.

`run` calls a command's `main` here, with its flags parsed from the arguments.
`spawn` starts it in a fork of a server that has imported TensorFlow, for what
belongs to a process: signals, threads, devices, standard streams.
"""

import contextlib
import importlib
import io
import multiprocessing
import os
import runpy
import signal
import sys
import tempfile
import time
from typing import NamedTuple
from unittest import mock

from absl import app, flags
from absl.testing import flagsaver

import vlae_tf
from vlae_tf.utils import command_line, console, launcher

_context = multiprocessing.get_context('forkserver')
_context.set_forkserver_preload(
  [
    'tensorflow',
    'tensorflow_probability',
    'keras',
    'tensorflow_datasets',
    'sklearn.datasets',
  ]
)


class Result(NamedTuple):
  """Exit status and output of a command that has ended."""

  status: int
  stdout: str
  stderr: str


def run(command, *args, **environment):
  """Runs `python -m vlae_tf.COMMAND args...` in this process.

  Args:
    command: Name of the command.
    *args: Arguments.
    **environment: Variables to set.

  Returns:
    A `Result`.
  """
  module = importlib.import_module(f'vlae_tf.{command}')
  # Where a function of the package has this name, it is not to be the module.
  vars(vlae_tf).pop(command, None)
  out, err = io.StringIO(), io.StringIO()
  argv = [command, *map(str, args)]
  with contextlib.ExitStack() as stack:
    enter = stack.enter_context
    enter(mock.patch.object(sys, 'argv', argv))
    enter(mock.patch.dict(os.environ, environment))
    # The threads of this process were chosen when TensorFlow started.
    enter(mock.patch('tensorflow.config.threading', mock.MagicMock()))
    # It also forgets the flags that are defined inside.
    enter(_without_flags_of_commands())
    enter(flagsaver.flagsaver())
    stack.callback(console.be_quiet, False)
    enter(contextlib.redirect_stdout(out))
    enter(contextlib.redirect_stderr(err))
    status = 0
    try:
      command_line.run(module.main, module.define_flags, module.__doc__)
    except SystemExit as end:
      status = end.code or 0
  return Result(status, out.getvalue(), err.getvalue())


# Once and for all: a command that ends would take them with it.
app.define_help_flags()
_outside: list[set[str]] = []  # Flags that no command has defined.


@contextlib.contextmanager
def _without_flags_of_commands():
  """Hides the flags of a command that runs another in this process."""
  known = flags.FLAGS
  outside = _outside[0] if _outside else set(known)
  outer = {name: known[name] for name in set(known) - outside}
  for name in outer:
    delattr(known, name)
  _outside.append(outside)
  try:
    yield
  finally:
    _outside.pop()
    for name, flag in outer.items():
      known[name] = flag


def spawn(
  command, *args, timeout=900, prepare=None, interrupt_at=None, **environment
):
  """Runs `python -m vlae_tf.COMMAND args...` in a process of its own.

  Args:
    command: Name of the command, or of another module for the launcher.
    *args: Arguments.
    timeout: Seconds.
    prepare: Function of a module, called in the process before all else.
    interrupt_at: What has to stand on its standard output for Ctrl-C.
    **environment: Variables to set.

  Returns:
    A `Result`.
  """
  with tempfile.TemporaryDirectory() as folder:
    paths = [os.path.join(folder, name) for name in ('out', 'err')]
    process = _context.Process(
      target=_execute, args=(command, args, paths, environment, prepare)
    )
    process.start()
    if interrupt_at:
      _await(paths[0], interrupt_at, timeout)
      os.kill(process.pid, signal.SIGINT)
    process.join(timeout)
    if process.exitcode is None:
      process.kill()
      raise TimeoutError(f'{command} ran longer than {timeout} s')
    return Result(process.exitcode, *map(_read, paths))


def _await(path, text, timeout):
  end = time.monotonic() + timeout
  while text not in _read(path):
    assert time.monotonic() < end, _read(path)
    time.sleep(0.02)


def _read(path):
  if not os.path.exists(path):
    return ''
  with open(path, encoding='utf-8') as file:
    return file.read()


def _execute(command, args, paths, environment, prepare=None):
  for target, path in zip((1, 2), paths):
    os.dup2(os.open(path, os.O_CREAT | os.O_WRONLY), target)
  os.environ.update(environment)
  # Whoever runs the tests in the background may ignore it.
  signal.signal(signal.SIGINT, signal.default_int_handler)
  sys.argv = [command, *map(str, args)]
  sys.stdout = os.fdopen(1, 'w', closefd=False)
  sys.stderr = os.fdopen(2, 'w', closefd=False)
  with contextlib.ExitStack() as stack:
    stack.callback(sys.stderr.flush)
    if prepare:
      prepare()
    else:
      stack.callback(sys.stdout.flush)
    if '.' in command:
      launcher.launch(command)
    runpy.run_module(f'vlae_tf.{command}', run_name='__main__')
