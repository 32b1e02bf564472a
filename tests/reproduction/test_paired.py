"""Paired differences and their standard error have a closed form."""

import numpy as np
import pytest
from scipy import stats

from vlae_tf.reproduction import tables


def _write(path, values):
  np.savez(path, log_prob=np.float32(values), rate=np.zeros(len(values)))
  return path


def test_the_error_is_that_of_the_differences(tmp_path):
  rng = np.random.default_rng(0)
  hard = 100 * rng.normal(size=200)  # What both find hard falls out.
  ours, theirs = hard + rng.normal(size=200), hard + rng.normal(size=200)
  files = [
    _write(tmp_path / f'{name}.npz', -np.float32(nll))
    for name, nll in (('ours', ours), ('theirs', theirs))
  ]
  mean, error, num = tables.difference(*files)
  expected = np.float32(ours).astype(float) - np.float32(theirs)
  assert num == 200
  assert mean == pytest.approx(expected.mean(), rel=1e-9)
  assert error == pytest.approx(stats.sem(expected), rel=1e-9)
  assert error < 0.05 * stats.sem(ours)


def test_a_constant_difference_has_no_error(tmp_path):
  ours = _write(tmp_path / 'a.npz', [-3.0, -5.0, -7.0])
  theirs = _write(tmp_path / 'b.npz', [-2.0, -4.0, -6.0])
  assert tables.difference(ours, theirs) == (1.0, 0.0, 3)


def test_other_numbers_of_images_are_an_error(tmp_path):
  ours = _write(tmp_path / 'a.npz', [-3.0, -5.0])
  theirs = _write(tmp_path / 'b.npz', [-3.0, -5.0, -1.0])
  with pytest.raises(ValueError, match=r'the same images, got 2 in .*a.npz'):
    tables.difference(ours, theirs)


def test_a_file_without_likelihoods_is_named(tmp_path):
  good, path = _write(tmp_path / 'a.npz', [-1.0]), tmp_path / 'b.npz'
  for make in (
    lambda: path.write_bytes(b'no archive'),
    lambda: np.savez(path, other=np.zeros(1)),
    lambda: np.savez(path, log_prob=np.zeros([1, 1])),
  ):
    make()
    with pytest.raises(ValueError, match=r'b\.npz'):
      tables.difference(good, path)


def test_more_codes_of_some_images_correct_the_mean(tmp_path):
  rng = np.random.default_rng(0)
  ours, theirs = (rng.normal(80, 20, 400) for _ in range(2))
  numbers = np.arange(0, 400, 4)
  ours_better = ours[numbers] - rng.normal(0.8, 0.1, 100)
  files = [tmp_path / 'ours.npz', tmp_path / 'theirs.npz']
  np.savez(
    files[0],
    log_prob=-ours,
    better_numbers=numbers,
    better_log_prob=-ours_better,
  )
  np.savez(files[1], log_prob=-theirs)  # Exact, as of a model without a code.
  mean, error, _ = tables.difference(*files)
  change = (ours_better - ours[numbers]).mean()
  assert mean == pytest.approx((ours - theirs).mean() + change)
  assert error == pytest.approx(stats.sem(ours - theirs), rel=0.05)
  other = dict(better_numbers=numbers + 1, better_log_prob=-theirs[numbers])
  np.savez(files[1], log_prob=-theirs, **other)
  with pytest.raises(ValueError, match='more samples of the same images'):
    tables.difference(*files)
