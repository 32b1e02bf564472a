"""Out-of-distribution detection by likelihood and likelihood ratio."""

import math

import numpy as np
import pytest
import toys

from vlae_tf import data
from vlae_tf.evaluation import anomaly


def _values(num, centre, seed):
  # Rounded, so that some are equal.
  return np.random.default_rng(seed).normal(centre, 1, num).round(1)


def test_the_area_is_the_fraction_of_pairs_in_the_right_order():
  own, other = _values(40, 0, 0), _values(30, 0.7, 1)
  pairs = [(b > a) + 0.5 * (b == a) for a in own for b in other]
  assert any(p == 0.5 for p in pairs)
  assert anomaly.auroc(own, other)[0] == pytest.approx(np.mean(pairs))
  assert anomaly.auroc(other, own)[0] == pytest.approx(1 - np.mean(pairs))


def test_the_standard_error_is_the_spread_of_other_samples():
  def area(seed):
    return anomaly.auroc(_values(60, 0, [1, seed]), _values(90, 1, [2, seed]))

  areas, errors = np.array([area(seed) for seed in range(400)]).T
  assert np.mean(errors) == pytest.approx(np.std(areas), rel=0.1)


def test_what_is_told_apart_has_no_error_and_one_value_has_none():
  assert anomaly.auroc(np.array([1.0, 2.0]), np.array([3.0, 4.0])) == (1, 0)
  area, error = anomaly.auroc(np.array([1.0]), np.array([3.0, 4.0]))
  assert area == 1 and math.isnan(error)


def _model(toy):
  model = toy.model()
  model.build((None, *toy.image_shape))
  return model


def test_scores_are_bits_of_the_exact_likelihood_and_of_the_ratio():
  toy, other = toys.LinearGaussian(), toys.LinearGaussian(seed=1, noise=0.9)
  images = np.random.default_rng(0).random((6, *toy.image_shape), np.float32)
  scorer = anomaly.Scorer(_model(toy), 4000, background=_model(other))
  counted = []
  found = scorer(images, counted.append)
  assert sum(counted) == 2 * 6 == len(scorer.models) * len(images)
  seen = data.fixed_binarization(images, 'test')
  bits = -toy.log_prob(seen) / math.log(2) / 6
  background = -other.log_prob(seen) / math.log(2) / 6
  np.testing.assert_allclose(found['nll'], bits, atol=0.02)
  np.testing.assert_allclose(found['ratio'], background - bits, atol=0.04)
  alone = anomaly.Scorer(_model(toy), 4000)(images)
  assert {*alone} == {'nll'}
  np.testing.assert_array_equal(alone['nll'], found['nll'])


def test_likelier_images_and_higher_ratios_are_less_anomalous():
  own = {'nll': np.array([1.0, 2.0]), 'ratio': np.array([5.0, 6.0])}
  other = {'nll': np.array([3.0, 4.0]), 'ratio': np.array([7.0, 8.0])}
  found = anomaly.separations(own, other)
  assert found['nll'] == (1.5, 3.5, 1, 0)
  assert found['ratio'] == (5.5, 7.5, 0, 0)
  lines = anomaly.table(found, 'mine', 'others').splitlines()
  assert (
    lines[0].split()
    == (
      'score, mean in bits/dim mine others AUROC (+- DeLong) anomalous if'
    ).split()
  )
  assert lines[1].split() == (
    '-log p(x) 1.5000 3.5000 1.0000 +- 0.0000 higher'.split()
  )
  assert lines[2].split()[-4:] == '0.0000 +- 0.0000 lower'.split()
  arrays = anomaly.arrays(own, other)
  assert arrays['nll'].tolist() == [1, 2, 3, 4]
  assert arrays['is_other'].tolist() == [False, False, True, True]
  assert arrays['index'].tolist() == [0, 1, 0, 1]


def test_models_and_images_of_other_shapes_are_refused():
  model = toys.small_model()
  with pytest.raises(
    ValueError, match=r'`background` must .* \(6, 5, 1\), got one of \(4, 4, 1'
  ):
    anomaly.Scorer(model, background=toys.small_model((4, 4, 1)))
  with pytest.raises(
    ValueError, match=r'`against` must .* \(6, 5, 1\), got \(4, 4, 1\)'
  ):
    anomaly.Scorer(model).check(np.zeros([2, 4, 4, 1], bool), name='against')
