"""NLL of few codes, corrected by many codes of some, against simulations."""

import json

import numpy as np
import pytest

from reproduction import made
from vlae_tf.evaluation import likelihood
from vlae_tf.reproduction import records

_NUM, _SOME = 60, 15
_NUMBERS = np.arange(_SOME) * _NUM // _SOME


def _write(workdir, log_prob, codes, **changes):
  """A score as `evaluate` leaves it, and what it says of each image."""
  score = made.score(-np.mean(log_prob), len(log_prob), codes, **changes)
  (workdir / 'eval').mkdir(exist_ok=True)
  name = f'test_{len(log_prob)}_images_{codes}_codes'
  name += '_spread' if changes.get('spread') else ''
  arrays = dict.fromkeys(likelihood.Estimates._fields, log_prob)
  np.savez(workdir / f'eval/{name}.npz', settings=json.dumps(score), **arrays)
  return score


def _values():
  rng = np.random.default_rng(0)
  few = -rng.normal(80, 20, _NUM)
  return few, few[_NUMBERS] + rng.normal(0.8, 0.2, _SOME)


def test_the_mean_difference_of_some_corrects_the_mean_of_all(tmp_path):
  """That of the most codes, where there are several."""
  few, many = _values()
  scores = [
    _write(tmp_path, few, 32),
    _write(tmp_path, many, 4096, spread=True),
    _write(tmp_path, few[_NUMBERS] + 0.1, 256, spread=True),
  ]
  found = records.corrected(tmp_path, scores, has_latent=True)
  change = (many - few[_NUMBERS]).mean()
  assert found['nll'] == pytest.approx(-few.mean() - change)
  assert found['change'] == pytest.approx(-change)
  told = [found[name] for name in ('num_samples', 'num_samples_of_all')]
  assert told == [4096, 32] and found['num_corrected'] == _SOME


@pytest.mark.parametrize(
  'changes', [dict(spread=False), dict(codes=32), dict(codes=8)]
)
def test_what_is_not_better_corrects_nothing(tmp_path, changes):
  few, many = _values()
  changes = dict(codes=4096, spread=True) | changes
  scores = [_write(tmp_path, few, 32), _write(tmp_path, many, **changes)]
  assert records.corrected(tmp_path, scores, has_latent=True) is None


def test_values_of_another_score_are_left_out(tmp_path, capfd):
  few, many = _values()
  scores = [
    _write(tmp_path, few, 32),
    _write(tmp_path, many, 4096, spread=True) | dict(nll=1.0),
  ]
  assert records.corrected(tmp_path, scores, has_latent=True) is None
  assert 'does not belong to the score beside it' in capfd.readouterr().err


def test_the_error_is_that_of_repeated_draws_of_images():
  rng = np.random.default_rng(0)
  means, errors = [], []
  for _ in range(4000):
    few = rng.normal(80, 20, _NUM)
    # The harder an image, the more it gains.
    many = few - 0.05 * few + rng.normal(0, 3, _NUM)
    mean, error = likelihood.corrected_mean(few, _NUMBERS, many[_NUMBERS])
    means.append(mean)
    errors.append(error)
  assert np.mean(means) == pytest.approx(0.95 * 80, abs=0.2)
  assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(
    np.std(means), rel=0.05
  )
