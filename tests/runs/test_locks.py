"""A second process in a directory is told who is there."""

import os
import pathlib
import time

import pytest
from training import processes

from vlae_tf.runs import locks


def hold(workdir):
  """Holds a directory until it is killed; run in a process of its own."""
  with locks.held(workdir):
    pathlib.Path(workdir, 'ready').touch()
    time.sleep(600)


@pytest.fixture
def other(tmp_path):
  """A process that holds the directory `run`."""
  other = processes.Running((hold, (tmp_path / 'run',)), tmp_path / 'log')
  other.wait_for((tmp_path / 'run/ready').exists)
  yield other
  other.process.kill()


def test_a_second_process_is_refused_until_the_first_is_killed(other, tmp_path):
  for use in (locks.check, lambda path: locks.held(path).__enter__()):
    with pytest.raises(ValueError, match=f'process {other.process.pid} on'):
      use(tmp_path / 'run')
  other.process.kill()
  other.process.join()
  assert (tmp_path / 'run' / locks.NAME).exists()
  locks.check(tmp_path / 'run')
  with locks.held(tmp_path / 'run'):
    pass
  assert not (tmp_path / 'run' / locks.NAME).exists()


def test_a_process_may_hold_a_directory_twice(tmp_path):
  path = tmp_path / locks.NAME
  with locks.held(tmp_path):
    with locks.held(os.path.relpath(tmp_path)):
      locks.check(tmp_path)
    assert path.exists()
  assert not path.exists()


def test_a_check_of_a_free_directory_makes_nothing(tmp_path):
  locks.check(tmp_path / 'run')
  locks.check(tmp_path)
  assert not list(tmp_path.iterdir())
