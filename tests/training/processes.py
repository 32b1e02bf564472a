"""Functions and commands in processes of their own, to wait for or to kill."""

import os
import pathlib
import time

import commands


class Running:
  """A process whose output goes to files."""

  def __init__(self, target, folder, environment=()):
    """Starts it.

    Args:
      target: `(function, arguments)`, the function at the top of a module.
      folder: Directory for its output.
      environment: Environment variables, a dictionary.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    self._paths = [str(folder / name) for name in ('out', 'err')]
    for path in self._paths:
      pathlib.Path(path).write_bytes(b'')
    self.process = commands._context.Process(
      target=_call, args=(*target, self._paths, dict(environment))
    )
    self.process.start()

  def finish(self, timeout=900):
    """Waits for it; a `commands.Result`."""
    self.process.join(timeout)
    if self.process.exitcode is None:
      self.process.kill()
      raise AssertionError(f'too slow: {self.output()}')
    return commands.Result(self.process.exitcode, *self.output())

  def output(self):
    """What it wrote so far: standard output and standard error."""
    return [pathlib.Path(p).read_text(encoding='utf-8') for p in self._paths]

  def wait_for(self, condition, timeout=900):
    """Waits until a function of no arguments is true."""
    deadline = time.monotonic() + timeout
    while not condition():
      assert self.process.is_alive(), self.output()
      assert time.monotonic() < deadline, self.output()
      time.sleep(0.02)


def _call(function, args, paths, environment):
  for target, path in zip((1, 2), paths):
    os.dup2(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND), target)
  os.environ.update(environment)
  function(*args)


def command(name, args, folder, environment=()):
  """Starts `python -m vlae_tf.NAME ARGS...`."""
  paths = [str(pathlib.Path(folder) / n) for n in ('out', 'err')]
  target = (commands._execute, (name, tuple(args), paths, {}))
  return Running(target, folder, environment)
