"""Importance-sampled likelihoods against closed forms."""

import math

import numpy as np
import pytest
import tensorflow as tf
import toys

from vlae_tf.evaluation import estimates, importance, likelihood

pytestmark = pytest.mark.usefixtures('all_eagerly')


def log_weights(toy, images, num_samples):
  """Log-weights of single codes, `[num_samples, num]`, each its own call."""
  vlae = toy.model()
  index = tf.range(len(images))
  # Compiled once for all seeds, which are tensors.
  estimate = tf.function(
    lambda seed: importance.estimate(vlae, images, index, 1, seed).log_prob
  )
  columns = [estimate(tf.constant(1000 * k)) for k in range(num_samples)]
  return np.stack(columns)


def _built(toy):
  vlae = toy.model()
  vlae.build((None, *toy.image_shape))
  return vlae


def _grey(toy, num):
  return np.random.default_rng(0).random((num, *toy.image_shape), np.float32)


def test_bounds_rise_with_samples_to_the_exact_likelihood():
  toy = toys.LinearGaussian()
  images = toy.sample(2000)
  exact = toy.log_prob(images)
  weights = log_weights(toy, images, 16)
  bounds = []
  for k in (1, 2, 4, 8, 16):
    # Nested groups: the mean over groups of k of the same 16 samples.
    groups = weights.reshape(16 // k, k, -1)
    bound = np.logaddexp.reduce(groups, axis=1) - math.log(k)
    bounds.append(bound.mean(axis=0))
  means = [b.mean() for b in bounds]
  assert means == sorted(means)
  for bound in bounds:
    error = estimates.standard_error(exact - bound)
    assert (exact - bound).mean() > -4 * error
  assert means[-1] - means[0] > 0.05  # The toy's posterior is not exact.


@pytest.mark.usefixtures('compiled')
def test_many_samples_give_the_exact_likelihood():
  toy = toys.LinearGaussian()
  images = toy.sample(50)
  evaluator = likelihood.Evaluator(toy.model(), 5000)
  estimate = evaluator.estimate(images, np.arange(50))[0].numpy()
  difference = estimate - toy.log_prob(images)
  assert abs(difference.mean()) < 4 * estimates.standard_error(difference)
  assert np.abs(difference).max() < 0.15


def test_codes_beyond_a_chunk_are_new_ones():
  """Four times as many halve the spread, also where they are many chunks."""
  toy = toys.LinearGaussian()
  images = toy.sample(200)
  spreads = []
  for num_samples in (250, 1000):
    evaluator = likelihood.Evaluator(toy.model(), num_samples)
    elbo = evaluator.estimate(images, np.arange(200))[1].numpy()
    # Less the exact likelihood, it is the same for all images but for noise.
    spreads.append(np.std(elbo - toy.log_prob(images)))
  assert num_samples > importance.LANES
  assert 0.4 < spreads[1] / spreads[0] < 0.6


def test_elbo_is_exact_minus_divergence():
  toy = toys.LinearGaussian()
  images = toy.sample(200)
  evaluator = likelihood.Evaluator(toy.model(), 2000)
  elbo = evaluator.estimate(images, np.arange(200))[1].numpy()
  # KL(q || exact posterior) is the same for all images: covariances alone.
  precision = np.eye(2) + toy.weight.T @ toy.weight / toy.noise**2
  covariance = np.diag(toy.scale**2)
  divergence = 0.5 * (
    np.trace(precision @ covariance)
    - 2
    - np.log(np.linalg.det(precision @ covariance))
  )
  gap = toy.log_prob(images) - elbo
  assert abs(gap.mean() - divergence) < 4 * estimates.standard_error(gap)


def test_estimates_do_not_depend_on_the_batch():
  toy = toys.LinearGaussian()
  images = toy.sample(6)
  evaluator = likelihood.Evaluator(toy.model(), 300)
  whole = np.stack(evaluator.estimate(images, np.arange(6)))
  parts = [
    np.stack(evaluator.estimate(images[i : i + 2], np.arange(i, i + 2)))
    for i in (0, 2, 4)
  ]
  np.testing.assert_allclose(whole, np.concatenate(parts, 1), rtol=1e-5)


def test_seed_decides_the_estimate():
  toy = toys.LinearGaussian()
  vlae, images = _built(toy), _grey(toy, 9)
  first, again = (likelihood.Evaluator(vlae, 8, 3)(images) for _ in range(2))
  other = likelihood.Evaluator(vlae, 8, 4)(images)
  np.testing.assert_array_equal(first.log_prob, again.log_prob)
  assert (first.log_prob != other.log_prob).any()


_MANY = pytest.mark.exhaustive('more numbers')


@pytest.mark.usefixtures('compiled')
@pytest.mark.parametrize(
  'num_samples',
  [1, 256, 257, *(pytest.param(n, marks=_MANY) for n in (7, 1000))],
)
def test_no_more_codes_than_lanes_are_decoded_at_once(num_samples):
  seen = []
  toy = toys.LinearGaussian()
  vlae = toy.model()
  inner = vlae.likelihood
  vlae.likelihood = lambda z: seen.append(z.shape) or inner(z)
  evaluator = likelihood.Evaluator(vlae, num_samples)
  evaluator.estimate(toy.sample(1), np.arange(1))
  (shape,) = seen
  assert shape[0] <= importance.LANES
  assert num_samples % shape[0] == 0


def test_terms_add_up_to_the_bound():
  vlae = toys.small_model(**toys.SMALLEST)
  images = toys.binary_images(5).astype(bool)
  result = likelihood.Evaluator(vlae, 4)(images)
  np.testing.assert_allclose(
    result.elbo, -result.rate - result.distortion, rtol=1e-6
  )
  assert (result.log_prob >= result.elbo).all()


def test_summary_has_the_units_it_says():
  made = estimates.Estimates(
    log_prob=np.array([-10.0, -14.0]),
    elbo=np.array([-11.0, -17.0]),
    rate=np.array([4.0, 6.0]),
    distortion=np.array([7.0, 11.0]),
    num_samples=3,
  )
  summary = made.summary((2, 3, 1))
  assert summary['nll'] == 12.0
  assert summary['nll_stderr'] == pytest.approx(2.0)
  assert summary['gap'] == 2.0
  assert summary['elbo'] == -14.0
  assert summary['rate_stderr'] == pytest.approx(1.0)
  assert summary['distortion_stderr'] == pytest.approx(2.0)
  assert summary['rate_bits'] == pytest.approx(5 / math.log(2))
  assert summary['bits_per_dim'] == pytest.approx(12 / math.log(2) / 6)
  bits = [summary[f'{name}_bits_per_dim'] * 6 for name in ('elbo', 'rate')]
  assert bits == pytest.approx(
    [-summary['elbo'] / math.log(2), 5 / math.log(2)]
  )


def test_number_of_samples_must_be_positive():
  with pytest.raises(ValueError, match='`num_samples` must be at least 1'):
    likelihood.Evaluator(toys.small_model(), 0)


@pytest.mark.parametrize('num_samples', [3, pytest.param(300, marks=_MANY)])
def test_streams_change_nothing(num_samples):
  """Batches side by side give the digits of one after the other, in order."""
  toy = toys.LinearGaussian()
  model, images = _built(toy), _grey(toy, 23)
  one, two = (
    likelihood.Evaluator(model, num_samples, seed=2, streams=n)(images)
    for n in (1, 3)
  )
  for name in estimates.COLUMNS:
    np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_an_image_scores_the_same_whatever_is_scored_with_it():
  toy = toys.LinearGaussian()
  model, images = _built(toy), _grey(toy, 9)
  evaluator = likelihood.Evaluator(model, 5)
  whole = evaluator(images)
  numbers = [7, 2, 4]
  some = estimates.joined([*evaluator.parts(images, numbers=numbers)])
  np.testing.assert_allclose(
    some.log_prob, whole.log_prob[numbers], rtol=1e-6, atol=1e-6
  )
