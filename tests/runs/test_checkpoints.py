"""A variable gets the value of its name; broken checkpoints are skipped."""

import contextlib
import pathlib
import resource

import keras
import numpy as np
import pytest
import tensorflow as tf
from training import processes

from vlae_tf.runs import checkpoints

TYPES = ('float32', 'float64', 'int64', 'bfloat16')


def _variables(paths, value=0.0, shape=(2, 3), dtype='float32'):
  """Variables of given paths, the numbers of the `i`-th `value + i`."""
  made = []
  for i, path in enumerate(paths):
    *scopes, name = path.split('/')
    with contextlib.ExitStack() as stack:
      for scope in scopes:
        stack.enter_context(keras.name_scope(scope))
      array = np.full(shape, value + i)
      made.append(keras.Variable(array, dtype=dtype, name=name))
    assert made[-1].path == path
  return made


def _values(variables):
  return [float(np.mean(v.numpy())) for v in variables]


def _write_first_format(path, groups):
  """What `tf.train.Checkpoint` made of lists of variables."""

  class Group(tf.Module):
    def __init__(self, values):
      super().__init__()
      self.values = [v.value for v in values]

  checkpoint = tf.train.Checkpoint(**{k: Group(v) for k, v in groups.items()})
  checkpoint.write(path)


def _raises(*words):
  return pytest.raises(
    checkpoints.MismatchError, match='.*'.join(['^it is of', *words])
  )


@pytest.fixture
def path(tmp_path):
  return str(tmp_path / 'ckpt-1')


@pytest.mark.parametrize('dtype', TYPES)
def test_values_come_back_to_the_bit(path, dtype):
  array = 100 * np.random.default_rng(0).standard_normal((5, 3))
  variable = keras.Variable(array, dtype=dtype, name='v')
  checkpoints.write(path, {'model': [variable]})
  other = keras.Variable(np.zeros((5, 3)), dtype=dtype, name='v')
  checkpoints.read(path, {'model': [other]})
  assert other.value.dtype == variable.value.dtype
  np.testing.assert_array_equal(other.numpy(), variable.numpy())
  assert np.any(other.numpy())


@pytest.mark.parametrize(
  'name', ['a[1]', 'a*', 'a?c', 'a{b,c}', 'a\\c', '~a', 'caf\udce9', 'é']
)
def test_a_directory_of_any_name_is_read_again(tmp_path, name):
  # A name that is taken for a pattern matches this one.
  (decoy,) = made = _variables(['v'], 5.0)
  for other in ('a1', 'abc', 'ab'):
    checkpoints.Checkpoints(tmp_path / other, {'m': made}).save(1)
  decoy.assign(decoy.value + 1.0)
  checkpoints.Checkpoints(tmp_path / name, {'m': made}).save(1)
  found = _variables(['v'])
  assert checkpoints.Checkpoints(tmp_path / name, {'m': found}).restore() == 1
  assert _values(found) == [6.0]


def test_an_old_one_that_cannot_be_removed_is_no_error(tmp_path, monkeypatch):
  kept = checkpoints.Checkpoints(tmp_path, {'m': _variables(['v'])}, 1)
  kept.save(1)

  def fail(self, missing_ok=False):
    raise PermissionError(13, 'Permission denied')

  monkeypatch.setattr(pathlib.Path, 'unlink', fail)
  kept.save(2)
  assert kept.steps == [1, 2]


def test_order_does_not_matter(path):
  paths = ['m/a/w', 'm/b/w', 'm/c/w']
  checkpoints.write(path, {'model': _variables(paths)})
  turned = _variables(paths[::-1], -9.0)
  checkpoints.read(path, {'model': turned})
  assert _values(turned) == [2.0, 1.0, 0.0]


def test_groups_are_told_apart(path):
  names = ['m/w']
  groups = {'model': _variables(names, 1.0), 'model_2': _variables(names, 2.0)}
  checkpoints.write(path, groups)
  read = {'model_2': _variables(names), 'model': _variables(names)}
  checkpoints.read(path, read)
  assert [_values(read[name]) for name in ('model', 'model_2')] == [[1], [2]]


def test_the_names_in_a_file_are_those_that_are_promised(path):
  variables = _variables(['m/a/w'])
  checkpoints.write(path, {'averages': variables, 'model': variables})
  reader = tf.train.load_checkpoint(path)
  assert reader.get_variable_to_shape_map() == {
    'format_version': [],
    'averages/m/a/w': [2, 3],
    'model/m/a/w': [2, 3],
  }
  assert reader.get_tensor('format_version') == 2


def test_of_a_broken_checkpoint_nothing_is_taken(path):
  there, here = _variables(['a', 'b'], 5.0), _variables(['a', 'b'], -1.0)
  checkpoints.write(path, {'model': there})
  file = pathlib.Path(f'{path}.data-00000-of-00001')
  content = bytearray(file.read_bytes())
  content[content.index(there[1].numpy().tobytes())] ^= 1
  file.write_bytes(content)
  with pytest.raises(Exception, match='Checksum does not match'):
    checkpoints.read(path, {'model': here})
  assert _values(here) == [-1.0, 0.0]


LAYERS = [f'm/layer_{i}/w' for i in range(9)]


@pytest.mark.parametrize(
  ('there', 'here', 'words'),
  [
    (LAYERS[1:], LAYERS, 'model/m/layer_0/w not in it, nothing in it alone'),
    (LAYERS, LAYERS[1:], 'nothing not in it, model/m/layer_0/w in it alone'),
    (['m/v'], ['m/w'], 'model/m/w not in it, model/m/v in it alone'),
  ],
)
def test_variables_that_are_missing_or_too_many(path, there, here, words):
  checkpoints.write(path, {'model': _variables(there)})
  variables = _variables(here, -1.0)
  before = _values(variables)
  with _raises(f'another model: {words}'):
    checkpoints.read(path, {'model': variables})
  assert _values(variables) == before


def test_of_many_names_a_few_are_said(path):
  checkpoints.write(path, {'model': []})
  here = _variables([f'm/{k}/w' for k in 'abcde'])
  with _raises('model/m/a/w, model/m/b/w, model/m/c/w and 2 more not in it'):
    checkpoints.read(path, {'model': here})


WRITERS = {'by name': checkpoints.write, 'first': _write_first_format}


@pytest.mark.parametrize('write', WRITERS.values(), ids=WRITERS.keys())
@pytest.mark.parametrize(
  ('changes', 'words'),
  [
    (dict(shape=(3, 2)), r'is float32 \[3, 2\] in it, float32 \[2, 3\] here'),
    (dict(shape=()), r'is float32 \[\] in it'),
    (dict(dtype='float64'), 'is float64 .* in it, float32'),
  ],
)
def test_other_shapes_and_types_are_refused(path, write, changes, words):
  write(path, {'model': _variables(['a', 'b'], 5.0, **changes)})
  here = _variables(['a', 'b'], -1.0)
  with _raises(words):
    checkpoints.read(path, {'model': here})
  assert _values(here) == [-1.0, 0.0]


def test_a_later_format_is_refused(path, monkeypatch):
  with monkeypatch.context() as patch:
    patch.setattr(checkpoints, 'FORMAT_VERSION', 3)
    checkpoints.write(path, {'model': _variables(['w'])})
  with _raises('format 3, and this version .* up to 2: install a later'):
    checkpoints.read(path, {'model': _variables(['w'])})


def test_the_first_format_is_read_by_position(path):
  groups = {
    'model': _variables(['m/a', 'm/b'], 1.0),
    'state': _variables([f's{i}' for i in range(12)], 10.0),
  }
  _write_first_format(path, groups)
  # The names were others.
  here = {
    'state': _variables([f't{i}' for i in range(12)]),
    'model': _variables(['n/a', 'n/b']),
  }
  checkpoints.read(path, here)
  assert _values(here['model']) == [1.0, 2.0]
  assert _values(here['state']) == [10.0 + i for i in range(12)]


@pytest.mark.parametrize('count', [1, 3])
def test_another_number_of_variables_in_the_first_format(path, count):
  _write_first_format(path, {'model': _variables(['a', 'b'])})
  third = 'model/values/2/.ATTRIBUTES/VARIABLE_VALUE'
  second = third.replace('2', '1')
  with _raises(f'{third} not in it' if count == 3 else f'{second} in it alone'):
    checkpoints.read(path, {'model': _variables('abc'[:count])})


def test_builds_with_other_paths_are_refused():
  ours, theirs = _variables(['m/dense/w']), _variables(['m/dense_1/w'])
  checkpoints.check_same_paths(ours, _variables(['m/dense/w']))
  with pytest.raises(
    ValueError, match=r'got m/dense/w .* m/dense_1/w .* Give every layer a name'
  ):
    checkpoints.check_same_paths(ours, theirs)


def _mirrored(path):
  """Writes and reads variables of two replicas."""
  cpu = tf.config.list_physical_devices('CPU')[0]
  two = [tf.config.LogicalDeviceConfiguration()] * 2
  tf.config.set_logical_device_configuration(cpu, two)
  strategy = tf.distribute.MirroredStrategy(['CPU:0', 'CPU:1'])
  with strategy.scope():
    variables, others = _variables(['a', 'b'], 3.0), _variables(['a', 'b'])
  checkpoints.write(path, {'model': variables})
  checkpoints.read(path, {'model': others})
  for value, variable in zip((3.0, 4.0), others):
    copies = strategy.experimental_local_results(variable.value)
    assert len(copies) == 2
    for copy in copies:
      np.testing.assert_array_equal(copy, np.full((2, 3), value))


def test_variables_of_several_replicas(path, tmp_path):
  run = processes.Running((_mirrored, (path,)), tmp_path / 'log')
  result = run.finish()
  assert result.status == 0, result
  alone = _variables(['a', 'b'])
  checkpoints.read(path, {'model': alone})
  assert _values(alone) == [3.0, 4.0]


def _two_variables(value=0.0):
  return [
    keras.Variable(np.full([50, 20], value, 'float32'), name='matrix'),
    keras.Variable(value, name='scalar'),
  ]


def _saved(folder, steps=(1, 2), keep=2):
  """A directory where the checkpoint of step `n` holds numbers `n`."""
  variables = _two_variables()
  saver = checkpoints.Checkpoints(folder, {'model': variables}, keep)
  for step in steps:
    for variable in variables:
      variable.assign(np.full(variable.shape, step, 'float32'))
    saver.save(step)
  return saver


def _restored(folder):
  variables = _two_variables(-1.0)
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


def test_skipped_updates_push_out_no_checkpoint_from_before_them(tmp_path):
  saver = _saved(tmp_path, [10, 20, 30])
  for step in (40, 50, 60):  # The updates from 32 on were skipped.
    saver.save(step, skipped=step - 31)
    assert saver.steps == [20, 30, step]
  assert saver.kept(60 - 29) == 'The checkpoint of step 30 is kept.'
  assert saver.kept(19) == 'There is no earlier checkpoint.'
  saver.save(70)
  assert saver.steps == [60, 70]


@pytest.mark.parametrize('bad', [np.nan, np.inf])
def test_weights_that_are_not_finite_cost_one_checkpoint(tmp_path, capsys, bad):
  saver = _saved(tmp_path, [1])
  groups = {'model': _two_variables(bad)}
  checkpoints.write(str(tmp_path / 'ckpt-2'), groups)
  assert saver.steps == [1, 2]
  assert _restored(tmp_path) == 1
  assert 'ckpt-2: weights are NaN or infinite' in capsys.readouterr().err


def test_a_reader_may_want_one_group_alone(tmp_path):
  groups = {'model': _two_variables(1.0), 'averages': _two_variables(2.0)}
  checkpoints.Checkpoints(tmp_path, groups).save(7)
  averages = _two_variables()
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
  variables = _two_variables()
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
  reader = checkpoints.Checkpoints(tmp_path, {'other': _two_variables()})
  with pytest.raises(ValueError, match=r'Cannot use checkpoint .*-2: it is'):
    reader.restore()
  assert saver.steps == [1, 2]
  assert not capsys.readouterr().err


def test_variables_of_one_name_are_refused_at_once(tmp_path):
  twice = [*_two_variables(), *_two_variables()]
  with pytest.raises(ValueError, match='`variables` must have unique paths'):
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
