"""Scores go on where they were, and with nothing of other scores."""

import numpy as np
import pytest
import toys

from vlae_tf.evaluation import estimates, partial_scores

_SETTINGS = dict(split='test', num_samples=3, weights='abc')


def _part(first, num):
  numbers = np.arange(first, first + num, dtype='float32')
  columns = (numbers + 100 * k for k in range(len(estimates.COLUMNS)))
  return estimates.Estimates(*columns, num_samples=3)


def _check(found, num):
  for name in estimates.COLUMNS:
    expected = getattr(_part(0, num), name)
    np.testing.assert_array_equal(getattr(found, name), expected)


@pytest.fixture
def path(tmp_path):
  """Of a score that is to come."""
  return tmp_path / 'eval' / 'test.json'


def _written(path, num=5, settings=_SETTINGS):
  partial = partial_scores.PartialScore(path, settings, seconds=0)
  partial.add(_part(0, num))


def test_images_are_scored_once(path):
  _written(path)
  again = partial_scores.PartialScore(path, _SETTINGS)
  assert again.num_images == 5
  again.add(_part(5, 2))
  _check(again.finish(), 7)
  assert [p.name for p in path.parent.iterdir()] == ['test.npz']
  with np.load(path.with_suffix('.npz')) as found:
    np.testing.assert_array_equal(found['rate'], _part(0, 7).rate)
  assert partial_scores.PartialScore(path, _SETTINGS).num_images == 0


def test_what_is_not_due_is_not_written(path):
  partial = partial_scores.PartialScore(path, _SETTINGS, seconds=1000)
  partial.add(_part(0, 5))
  assert not path.parent.exists()


@pytest.mark.parametrize('name', _SETTINGS)
def test_other_scores_are_passed_over(path, name, capsys):
  _written(path, settings=_SETTINGS | {name: 'other'})
  assert partial_scores.PartialScore(path, _SETTINGS).num_images == 0
  assert 'is of another evaluation' in capsys.readouterr().err


def test_broken_files_are_passed_over(path, capsys):
  _written(path)
  part = path.with_suffix('.part.npz')
  for data in (b'', b'PK\x03\x04', part.read_bytes()[:-40]):
    part.write_bytes(data)
    assert partial_scores.PartialScore(path, _SETTINGS).num_images == 0
    assert 'cannot be read' in capsys.readouterr().err


def test_other_weights_have_another_digest():
  model = toys.small_model()
  before = partial_scores.digest(model)
  assert partial_scores.digest(toys.small_model()) == before
  weight = model.trainable_variables[3]
  weight.assign(weight + 1e-6)
  assert partial_scores.digest(model) != before
