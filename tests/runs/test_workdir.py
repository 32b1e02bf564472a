"""A directory is of one experiment and one process, and loses no files."""

import json
import os
import pathlib
import time

import filelock
import numpy as np
import pytest
import toys
from training import processes

from vlae_tf import data as data_lib
from vlae_tf.runs import loading, records
from vlae_tf.runs import workdir as workdir_lib
from vlae_tf.utils import json_files


def _workdir(folder, data_dir=None, **changes):
  """Checks a directory."""
  config = toys.small_config(**changes)
  return workdir_lib.Workdir(folder, config, toys.image_data(), data_dir)


def _claim(folder, data_dir=None, is_fresh=False, **changes):
  _workdir(folder, data_dir, **changes).claim(is_fresh, dict(cores=2))


def _facts(data_dir=None):
  config = toys.small_config()
  return records.facts_of(config, toys.image_data(), data_dir)


def _files(folder):
  return {p: p.read_bytes() for p in folder.rglob('*') if p.is_file()}


@pytest.fixture
def claimed(tmp_path):
  _claim(tmp_path / 'run', '/some/root')
  return tmp_path / 'run'


def test_a_check_writes_nothing(tmp_path):
  _workdir(tmp_path / 'run')
  _workdir(tmp_path)
  assert not list(tmp_path.iterdir())


def test_a_claim_is_found_again(claimed):
  before = _files(claimed)
  _claim(claimed)
  assert _files(claimed) == before
  assert records.read_facts(claimed) == _facts('/some/root')


def test_checkpoints_without_a_config_belong_to_nobody(claimed):
  (claimed / 'checkpoints').mkdir()
  (claimed / 'checkpoints/ckpt-3.index').write_bytes(b'')
  (claimed / 'config.json').unlink()
  before = _files(claimed)
  with pytest.raises(ValueError, match='checkpoints/ but no config'):
    _workdir(claimed, seed=5)
  assert _files(claimed) == before


@pytest.mark.parametrize('name', ['', 'checkpoints', 'best'])
def test_a_file_in_the_place_of_a_directory_is_named(tmp_path, name):
  folder = tmp_path / 'run'
  if name:
    folder.mkdir()
  (folder / name).write_text('mine')
  with pytest.raises(ValueError, match=rf'must be a directory, .*{name}\.$'):
    _workdir(folder)


@pytest.mark.parametrize(
  'text',
  [
    '[]',
    '{}',
    '3',
    'no json',
    '{"image_shape": [8, 8], "sha256": "a"}',
    '{"image_shape": [8, 8, 0], "sha256": "a"}',
    '{"image_shape": [8, 8, "1"], "sha256": "a"}',
    '{"image_shape": [8, 8, 1], "sha256": 3}',
    '{"image_shape": [8, 8, 1], "sha256": "a", "data_dir": 3}',
    '{"image_shape": [8, 8, 1], "sha256": "a", "more": 3}',
  ],
)
def test_damaged_facts_are_named(claimed, text):
  (claimed / 'data.json').write_text(text)
  for use in (records.read_facts, loading.restore, _workdir):
    with pytest.raises(ValueError, match=r'Cannot read .*data\.json'):
      use(claimed)


def test_lost_facts_are_written_anew(claimed):
  (claimed / 'data.json').unlink()
  _claim(claimed)
  assert records.read_facts(claimed) == _facts()


def test_data_that_have_moved_are_found(claimed):
  _claim(claimed, '/new/root')
  assert records.read_facts(claimed).data_dir == '/new/root'


def test_the_same_images_may_have_another_path(tmp_path):
  _claim(tmp_path, dataset='/a/images.npz', is_fresh=True)
  before = json_files.read(tmp_path / 'config.json')
  _claim(tmp_path, dataset='/b/images.npz')
  there = json_files.read(tmp_path / 'config.json')
  assert there == before | {'dataset': '/b/images.npz'} != before
  with pytest.raises(ValueError, match=r'dataset: .* there, .omniglot. here'):
    _workdir(tmp_path, dataset='omniglot')


def test_other_images_of_the_same_path_are_refused(tmp_path):
  path = tmp_path / 'images.npz'
  config = toys.small_config(dataset=str(path))

  def check():
    data = data_lib.load(path)
    return workdir_lib.Workdir(tmp_path / 'run', config, data)

  images = toys.image_data().train
  np.savez(path, images)
  check().claim(True, {})
  np.savez(path, images[::-1])
  with pytest.raises(ValueError, match='trained on other images: their sha256'):
    check()


def test_a_run_of_an_earlier_version_may_have_any_period(claimed):
  with pytest.raises(ValueError, match='validate_every_epochs: 1'):
    _workdir(claimed, validate_every_epochs=10)
  path = claimed / 'config.json'
  fields = json.loads(path.read_text())
  del fields['validate_every_epochs']
  path.write_text(json.dumps(fields))
  _workdir(claimed, validate_every_epochs=10)


def test_a_fresh_start_keeps_what_was_left(claimed, capsys):
  (claimed / 'metrics.jsonl').write_text('lines')
  (claimed / 'best').mkdir()
  (claimed / 'best/ckpt-7.index').write_bytes(b'7')
  for _ in range(2):
    _claim(claimed, is_fresh=True)
  assert (claimed / 'metrics.jsonl.aside-1').read_text() == 'lines'
  assert (claimed / 'best.aside-1/ckpt-7.index').exists()
  (line,) = capsys.readouterr().err.splitlines()
  assert 'holds no checkpoint to go on from' in line
  assert 'best is now best.aside-1' in line


def hold(folder):
  """Holds a directory until it is killed; run in a process of its own."""
  with _workdir(folder).locked():
    pathlib.Path(folder, 'ready').touch()
    time.sleep(600)


@pytest.fixture
def other(tmp_path):
  """A process that holds the directory `run`."""
  other = processes.Running((hold, (tmp_path / 'run',)), tmp_path / 'log')
  other.wait_for((tmp_path / 'run/ready').exists)
  yield other
  other.process.kill()


def test_a_second_process_is_refused_until_the_first_is_killed(other, tmp_path):
  for _ in range(2):
    with pytest.raises(ValueError, match=f'process {other.process.pid} on'):
      _workdir(tmp_path / 'run')
  other.process.kill()
  other.process.join()
  with _workdir(tmp_path / 'run').locked():
    pass


def test_a_directory_that_is_locked_meanwhile_is_refused(tmp_path):
  workdir = _workdir(tmp_path)
  with filelock.FileLock(tmp_path / workdir_lib.LOCK):
    with pytest.raises(
      ValueError, match='two processes at a time, but another'
    ):
      workdir.lock()
  workdir.lock()


def _is_locked(folder):
  # Another object, as another process would have.
  try:
    with filelock.FileLock(folder / workdir_lib.LOCK, timeout=0):
      return False
  except filelock.Timeout:
    return True


def test_a_process_may_hold_a_directory_twice(tmp_path):
  first, second = _workdir(tmp_path), _workdir(os.path.relpath(tmp_path))
  first.lock()
  second.lock()
  _workdir(tmp_path)
  assert _is_locked(tmp_path)
  del first, second
  assert not _is_locked(tmp_path)


def test_the_end_of_training_unlocks(tmp_path):
  workdir = _workdir(tmp_path)
  workdir.lock()
  with workdir.locked():
    assert _is_locked(tmp_path)
  assert not _is_locked(tmp_path)


def test_a_directory_without_locks_is_named(tmp_path, monkeypatch):
  def fail(self):
    raise OSError(37, 'No locks available')

  monkeypatch.setattr(filelock.FileLock, '_acquire', fail)
  with pytest.raises(ValueError, match=r'Cannot lock .*No locks available'):
    _workdir(tmp_path).lock()


def test_a_path_that_cannot_be_made_is_named(tmp_path):
  (tmp_path / 'file').touch()
  with pytest.raises(ValueError, match=r'Cannot lock .*file/run'):
    _workdir(tmp_path / 'file' / 'run').lock()


def test_a_start_removes_what_killed_ones_left(tmp_path):
  whole = ['ckpt-4.data-00000-of-00001', 'ckpt-4.index']
  for name in ('', 'checkpoints', 'best', 'eval'):
    half = tmp_path / name / '.writing-12'
    half.mkdir(parents=True)
    (half / 'ckpt-6.index').touch()
    (tmp_path / name / '.writing-a').touch()
    for file in (*whole, 'ckpt-2.data-00000-of-00001'):
      (tmp_path / name / file).touch()
  records.write_config(tmp_path, toys.small_config())
  _workdir(tmp_path).lock()
  for name in ('checkpoints', 'best'):
    assert sorted(os.listdir(tmp_path / name)) == whole
  assert not list(tmp_path.glob('.writing-*'))
  # Evaluation, which holds no lock of the run, may be writing there.
  assert (tmp_path / 'eval' / '.writing-12').exists()
