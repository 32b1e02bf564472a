"""Commands end when whoever runs them is told to, and not before."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
import source_tree

from vlae_tf.reproduction import processes

# Says who it is, and on a signal that it has saved, as `train` does.
_WAITER = """
import os, signal, sys, time
def save(number, frame):
  print('saved', number, flush=True)
  sys.exit(128 + number)
signal.signal(signal.SIGTERM, save)
signal.signal(signal.SIGINT, save)
print('process', os.getpid(), flush=True)
time.sleep(60)
"""
_FAILER = """
import sys
print('step 1')
print('error: `a` must be b.', file=sys.stderr)
sys.exit(3)
"""
_TELLER = """
import time
print('once')
print('step 1/2', flush=True)
time.sleep(1)
print('step 2/2 ETA 0:00', flush=True)
time.sleep(1)
"""
_RUN = """
import pathlib, sys
from vlae_tf.reproduction import processes
processes.run(['waiter'], pathlib.Path(sys.argv[1]))
print('went on')
"""


@pytest.fixture
def modules(tmp_path, monkeypatch):
  """Some modules that `python -m` finds."""
  texts = {'waiter': _WAITER, 'failer': _FAILER, 'teller': _TELLER, 'idle': ''}
  for name, text in texts.items():
    (tmp_path / f'{name}.py').write_text(text)
  paths = f'{tmp_path}{os.pathsep}{source_tree.ROOT}'
  monkeypatch.setenv('PYTHONPATH', paths)
  return tmp_path


def _started(log):
  """A process that runs the waiter, and the waiter's number."""
  process = subprocess.Popen(
    [sys.executable, '-c', _RUN, str(log)],
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    # Whoever runs the tests in the background may ignore it.
    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
  )
  _await(lambda: log.exists() and 'process' in log.read_text())
  return process, int(log.read_text().split()[1])


def _await(condition, seconds=60):
  end = time.monotonic() + seconds
  while not condition():
    assert time.monotonic() < end
    time.sleep(0.02)


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_handed_on_and_its_end_awaited(modules, number):
  log = modules / 'log'
  process, _ = _started(log)
  process.send_signal(number)
  assert process.communicate(timeout=60) == ('', '')
  assert process.returncode == 128 + number
  assert log.read_text().splitlines()[1:] == [f'saved {int(number)}']


@pytest.mark.skipif(sys.platform != 'linux', reason='Linux alone does so')
def test_nothing_goes_on_without_whoever_ran_it(modules):
  log = modules / 'log'
  process, child = _started(log)
  process.kill()
  process.communicate(timeout=60)
  _await(lambda: not pathlib.Path(f'/proc/{child}/cmdline').exists())
  assert log.read_text().splitlines()[1:] == [f'saved {int(signal.SIGTERM)}']


def test_a_failure_is_its_last_line(modules):
  log = modules / 'new' / 'log'
  with pytest.raises(ValueError) as error:
    processes.run(['failer'], log)
  assert str(error.value) == f'status 3: `a` must be b ({log})'
  assert log.read_text().splitlines()[0] == 'step 1'


def test_one_that_ends_well_says_nothing(modules):
  before = signal.getsignal(signal.SIGTERM)
  log = modules / 'log'
  log.write_text('earlier\n')
  processes.run(['idle'], log)
  assert log.read_text() == 'earlier\n'
  assert signal.getsignal(signal.SIGTERM) is before


def test_what_it_is_at_is_told(modules, monkeypatch):
  monkeypatch.setattr(processes, '_SECONDS_BETWEEN_LOOKS', 0.05)
  log, told = modules / 'log', []
  log.write_text('of an earlier one\n')
  processes.run(['teller'], log, told.append)
  # Until it says something, nobody else speaks for it.
  assert list(dict.fromkeys(told)) == ['step 1/2', 'step 2/2 ETA 0:00']
