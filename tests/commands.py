"""Runs the package's commands in fresh processes that start fast.

A fork server imports TensorFlow once; each command is then a fork of it, with
file descriptors, arguments and flags of its own.
"""

import contextlib
import multiprocessing
import os
import runpy
import sys
import tempfile
from typing import NamedTuple

_context = multiprocessing.get_context('forkserver')
_context.set_forkserver_preload(
  [
    'vlae_tf.system.command_line',
    'keras',
    'tensorflow_datasets',
    'sklearn.datasets',
  ]
)


class Result(NamedTuple):
  """What a finished command left."""

  status: int
  stdout: str
  stderr: str


def run(command, *args, timeout=300, **environment):
  """Runs `python -m vlae_tf.COMMAND args...`."""
  with tempfile.TemporaryDirectory() as folder:
    paths = [os.path.join(folder, name) for name in ('out', 'err')]
    process = _context.Process(
      target=_execute, args=(command, args, paths, environment)
    )
    process.start()
    process.join(timeout)
    assert process.exitcode is not None, f'{command} ran longer than {timeout}'
    texts = []
    for path in paths:
      with open(path, encoding='utf-8') as file:
        texts.append(file.read())
  return Result(process.exitcode, *texts)


def _execute(command, args, paths, environment):
  for target, path in zip((1, 2), paths):
    os.dup2(os.open(path, os.O_CREAT | os.O_WRONLY), target)
  os.environ.update(environment)
  sys.argv = [command, *map(str, args)]
  sys.stdout = os.fdopen(1, 'w', closefd=False)
  sys.stderr = os.fdopen(2, 'w', closefd=False)
  with contextlib.ExitStack() as stack:
    stack.callback(sys.stderr.flush)
    stack.callback(sys.stdout.flush)
    runpy.run_module(f'vlae_tf.{command}', run_name='__main__')
