"""Checkpoints come back equal, or broken ones are passed over."""

import resource

import keras
import numpy as np
import pytest

from vlae_tf.runs import checkpoints


def _variables(value=0.0):
  return [
    keras.Variable(np.full([50, 20], value, 'float32'), name='matrix'),
    keras.Variable(value, name='scalar'),
  ]


def _saved(folder, steps=(1, 2), keep=2):
  """A directory where the checkpoint of step `n` holds numbers `n`."""
  variables = _variables()
  saver = checkpoints.Checkpoints(folder, {'model': variables}, keep)
  for step in steps:
    for variable in variables:
      variable.assign(np.full(variable.shape, step, 'float32'))
    saver.save(step)
  return saver


def _restored(folder):
  variables = _variables(-1.0)
  step = checkpoints.Checkpoints(folder, {'model': variables}).restore()
  for variable in variables:
    np.testing.assert_array_equal(variable, float(step))
  return step


def _data_file(folder, step):
  return folder / f'ckpt-{step}.data-00000-of-00001'


def _index_file(folder, step):
  return folder / f'ckpt-{step}.index'


def test_the_newest_checkpoint_is_restored(tmp_path):
  _saved(tmp_path, [1, 2, 10])
  assert _restored(tmp_path) == 10


def test_no_checkpoint_is_none(tmp_path):
  assert checkpoints.Checkpoints(tmp_path, {}).restore() is None


def test_only_the_last_are_kept(tmp_path):
  saver = _saved(tmp_path, range(5), keep=3)
  assert saver.steps == [2, 3, 4]
  assert len(list(tmp_path.iterdir())) == 6


def test_a_reader_may_want_one_group_alone(tmp_path):
  groups = {'model': _variables(1.0), 'averages': _variables(2.0)}
  checkpoints.Checkpoints(tmp_path, groups).save(7)
  averages = _variables()
  reader = checkpoints.Checkpoints(tmp_path, {'averages': averages})
  assert reader.restore() == 7
  np.testing.assert_array_equal(averages[0], 2.0)


def _truncate(path):
  path.write_bytes(path.read_bytes()[:-100])


def _empty(path):
  path.write_bytes(b'')


def _flip_a_bit(path):
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 1
  path.write_bytes(content)


@pytest.mark.parametrize('file', [_data_file, _index_file])
@pytest.mark.parametrize(
  'damage', [_truncate, _empty, _flip_a_bit, lambda path: path.unlink()]
)
def test_a_broken_checkpoint_costs_one_checkpoint(
  tmp_path, capsys, file, damage
):
  _saved(tmp_path)
  damage(file(tmp_path, 2))
  assert _restored(tmp_path) == 1
  missing = not _index_file(tmp_path, 2).exists()
  warnings = capsys.readouterr().err
  assert missing or 'warning: passed over a broken checkpoint' in warnings


def test_broken_checkpoints_go_when_a_good_one_is_written(tmp_path):
  _saved(tmp_path, [1, 5])
  _truncate(_data_file(tmp_path, 5))
  variables = _variables()
  saver = checkpoints.Checkpoints(tmp_path, {'model': variables})
  assert saver.restore() == 1
  saver.save(2)
  assert saver.steps == [1, 2]


def test_nothing_readable_is_an_error(tmp_path):
  _saved(tmp_path)
  for step in (1, 2):
    _truncate(_data_file(tmp_path, step))
  with pytest.raises(ValueError, match='Cannot read any checkpoint; '):
    _restored(tmp_path)


def test_another_model_is_an_error_that_costs_no_checkpoint(tmp_path, capsys):
  # Passed over, it would be removed by the next that is written.
  saver = _saved(tmp_path)
  reader = checkpoints.Checkpoints(tmp_path, {'other': _variables()})
  with pytest.raises(ValueError, match=r'Cannot use checkpoint .*-2: it is'):
    reader.restore()
  assert saver.steps == [1, 2]
  assert not capsys.readouterr().err


def test_variables_of_one_name_are_refused_at_once(tmp_path):
  twice = [*_variables(), *_variables()]
  with pytest.raises(ValueError, match='`variables` must have paths of their'):
    checkpoints.Checkpoints(tmp_path, {'model': twice})


def test_a_full_disk_is_reported_and_the_last_checkpoint_stays(tmp_path):
  saver = _saved(tmp_path)
  limits = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
  try:
    with pytest.raises(ValueError, match='Cannot write a checkpoint to'):
      saver.save(3)
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
  assert _restored(tmp_path) == 2
  assert len(list(tmp_path.iterdir())) == 4
  saver.save(4)
  assert saver.steps == [2, 4]


def test_bad_keep_is_refused(tmp_path):
  with pytest.raises(ValueError, match='`keep` must be at least 1, got 0'):
    checkpoints.Checkpoints(tmp_path, {}, keep=0)
