"""Draws from a law that are told as places of draws from another one."""

import math

import numpy as np
import pytest
import scipy.stats

from vlae_tf.compression import places, relative_entropy

_NUM_SEEDS = 4000
# Of many tests, some are below 0.01 by chance.
_CHANCE = 1e-3
_POOL = 2**12
_MEANS = {1: [1.3], 2: [0.6, -0.9], 3: [0.5, -0.4, 0.8]}
_STDDEVS = {1: [0.3], 2: [0.5, 0.6], 3: [0.2, 0.3, 0.25]}


def _pool(seed, d, num_samples=_POOL):
  """Samples of a standard normal, their log-densities, and arrivals."""
  generator = np.random.default_rng(seed)
  z = generator.standard_normal([num_samples, d]).astype(np.float32)
  log_prior = scipy.stats.norm.logpdf(z.astype(np.float64)).sum(-1)
  return z, log_prior, relative_entropy.arrival_times(num_samples, generator)


def _posterior(d):
  return np.array([_MEANS[d]]), np.array([_STDDEVS[d]])


def _kl_bits(mean, stddev):
  """KL of diagonal Gaussians from a standard normal, in closed form."""
  kl = 0.5 * (mean**2 + stddev**2 - 1) - np.log(stddev)
  return float(kl.sum()) / math.log(2)


_MORE = pytest.mark.exhaustive('other numbers of dimensions')


@pytest.fixture(
  scope='module', params=[2, *(pytest.param(d, marks=_MORE) for d in (1, 3))]
)
def told(request):
  """Dimensions; what is selected for each of many shared seeds."""
  d = request.param
  mean, stddev = _posterior(d)
  samples, index, scores, exact = [], [], [], []
  for seed in range(_NUM_SEEDS):
    z, log_prior, arrivals = _pool([d, seed], d)
    weights = relative_entropy.gaussian_log_weights(z, log_prior, mean, stddev)
    (chosen,) = relative_entropy.select(weights, arrivals)
    samples.append(z[chosen])
    index.append(chosen)
    scores.append(arrivals[chosen] / np.exp(weights[0, chosen]))
    largest = relative_entropy.gaussian_max_log_weight(mean, stddev)
    exact.append(relative_entropy.is_exact(weights, arrivals, largest)[0])
  return (
    d,
    np.array(samples),
    np.array(index),
    np.array(scores),
    np.array(exact),
  )


def test_told_samples_are_draws_from_the_posterior(told):
  d, samples, *_ = told
  mean, stddev = (x[0] for x in _posterior(d))
  white = (samples - mean) / stddev
  for axis in range(d):
    assert scipy.stats.kstest(white[:, axis], 'norm').pvalue > _CHANCE
  # The axes are independent, too: a sum of squares and a sum say so.
  squares = scipy.stats.kstest((white**2).sum(-1), 'chi2', (d,))
  assert squares.pvalue > _CHANCE
  total = white.sum(-1) / math.sqrt(d)
  assert scipy.stats.kstest(total, 'norm').pvalue > _CHANCE


def test_least_arrival_over_weight_is_an_arrival_of_rate_one(told):
  *_, scores, _ = told
  assert scipy.stats.kstest(scores, 'expon').pvalue > _CHANCE


def test_mean_cost_is_between_the_divergence_and_its_bound(told):
  d, _, index, _, _ = told
  kl = _kl_bits(*_posterior(d))
  log_ranks = np.log2(index + 1)
  # Theorem 1 of Li and El Gamal, before any code.
  assert log_ranks.mean() < kl + math.log2(math.e) / math.e
  exponent = places.zipf_exponent(log_ranks.mean(), _POOL)
  frequencies = places.octave_frequencies(exponent, _POOL)
  for bits in (
    places.zipf_bits(index, exponent, _POOL),
    places.octave_bits(index, frequencies),
  ):
    assert kl < bits.mean() < kl + math.log2(kl + 1) + 4


def test_exact_selections_stay_if_there_are_more_samples(told):
  d, _, index, _, exact = told
  assert exact.mean() > 0.9
  mean, stddev = _posterior(d)
  for seed in range(20):
    z, log_prior, arrivals = _pool([d, seed], d)
    more, more_log_prior, more_arrivals = _pool([d, seed, 1], d, 8 * _POOL)
    z = np.concatenate([z, more])
    log_prior = np.concatenate([log_prior, more_log_prior])
    arrivals = np.concatenate([arrivals, arrivals[-1] + more_arrivals])
    weights = relative_entropy.gaussian_log_weights(z, log_prior, mean, stddev)
    (chosen,) = relative_entropy.select(weights, arrivals)
    assert chosen == index[seed] or not exact[seed]


def test_only_what_is_not_exact_changes_with_more_samples():
  mean, stddev = _posterior(1)
  largest = relative_entropy.gaussian_max_log_weight(mean, stddev)
  changed: dict[bool, list[bool]] = {True: [], False: []}
  for seed in range(300):
    z, log_prior, arrivals = _pool([9, seed], 1)
    weights = relative_entropy.gaussian_log_weights(z, log_prior, mean, stddev)
    few = weights[:, :8], arrivals[:8]
    (exact,) = relative_entropy.is_exact(*few, largest)
    (before,) = relative_entropy.select(*few)
    (after,) = relative_entropy.select(weights, arrivals)
    changed[bool(exact)].append(before != after)
  assert len(changed[True]) > 50 and not any(changed[True])
  assert sum(changed[False]) > 50


def test_log_weights_are_those_of_scipy():
  random = np.random.RandomState(0)
  # More samples than a block has, in many dimensions, and narrow posteriors.
  z = random.randn(40_000, 16).astype(np.float32)
  log_prior = random.randn(40_000)
  mean, stddev = random.randn(3, 16), np.exp(random.uniform(-5, 1, [3, 16]))
  found = relative_entropy.gaussian_log_weights(z, log_prior, mean, stddev)
  assert found.dtype == np.float32 and found.shape == (3, 40_000)
  for row in range(3):
    law = scipy.stats.norm(mean[row], stddev[row])
    expected = law.logpdf(z.astype(np.float64)).sum(-1) - log_prior
    np.testing.assert_allclose(found[row], expected, rtol=1e-6)


def test_largest_log_weight_is_that_of_a_fine_grid():
  grid = np.linspace(-30, 30, 600_001)
  for mean, stddev in ((0.7, 0.4), (-1.0, 0.95), (0.0, 1.0), (2.0, 0.1)):
    weights = scipy.stats.norm.logpdf(grid, mean, stddev)
    weights -= scipy.stats.norm.logpdf(grid)
    found = relative_entropy.gaussian_max_log_weight([mean], [stddev])
    assert found == pytest.approx(weights.max(), abs=1e-6)
  for mean, stddev in ((0.0, 1.1), (0.2, 1.0)):
    found = relative_entropy.gaussian_max_log_weight([mean, 0], [stddev, 0.5])
    assert found == np.inf


def test_largest_log_weight_of_axes_is_a_sum():
  mean, stddev = np.array([[0.7, -1.0]]), np.array([[0.4, 0.9]])
  both = relative_entropy.gaussian_max_log_weight(mean, stddev)
  each = relative_entropy.gaussian_max_log_weight(mean.T, stddev.T)
  np.testing.assert_allclose(both, [each.sum()])


def test_select_is_a_loop():
  random = np.random.RandomState(0)
  log_weights = random.randn(4, 50)
  arrivals = np.cumsum(random.rand(50))
  found = relative_entropy.select(log_weights, arrivals)
  for row, chosen in zip(log_weights, found):
    ratios = [t / math.exp(w) for t, w in zip(arrivals, row)]
    assert chosen == ratios.index(min(ratios))


def test_arrivals_are_those_of_a_process_of_rate_one():
  arrivals = relative_entropy.arrival_times(5000, np.random.default_rng(0))
  gaps = np.diff(arrivals, prepend=0)
  assert scipy.stats.kstest(gaps, 'expon').pvalue > _CHANCE
  again = relative_entropy.arrival_times(5000, np.random.default_rng(0))
  np.testing.assert_array_equal(arrivals, again)


def test_coverage_of_equal_weights_is_all_of_it():
  found = relative_entropy.coverage(np.zeros([2, 8]))
  np.testing.assert_allclose(found.mass, [1, 1])
  np.testing.assert_allclose(found.effective_size, [8, 8])
  lone = relative_entropy.coverage(np.log([1e-30, 4.0, 1e-30, 1e-30]))
  assert lone.mass == pytest.approx(1) and lone.effective_size == pytest.approx(
    1
  )


def test_coverage_tells_posteriors_that_no_sample_is_near():
  z, log_prior, _ = _pool(0, 2)
  # The last one is 8 standard deviations of the prior away.
  mean = np.array([[0.0, 0.0], [0.5, 0.5], [8.0, 0.0]])
  stddev = np.array([[1.0, 1.0], [0.5, 0.5], [0.1, 0.1]])
  weights = relative_entropy.gaussian_log_weights(z, log_prior, mean, stddev)
  mass, size = relative_entropy.coverage(weights)
  assert mass[0] == pytest.approx(1) and size[0] == pytest.approx(_POOL)
  # Closed form: E_p[w]^2 / E_p[w^2], which is the product of both axes'.
  axis = math.exp(0.5**2 / (2 - 0.5**2)) / (0.5 * math.sqrt(2 - 0.5**2))
  assert mass[1] == pytest.approx(1, abs=0.1)
  assert size[1] == pytest.approx(_POOL / axis**2, rel=0.1)
  assert mass[2] < 1e-3 and size[2] < 2


_Z, _ROW = np.zeros([5, 2]), np.zeros([1, 2])


@pytest.mark.parametrize(
  ('z', 'log_prior', 'mean', 'stddev', 'message'),
  [
    (_Z, np.zeros(4), _ROW, _ROW + 1, r'must be of shapes.*\(4,\)'),
    (_Z[0], np.zeros(2), _ROW, _ROW + 1, r'must be of shapes.*\(\(2,\), '),
    (_Z, np.zeros(5), _ROW[0], _ROW[0] + 1, r'must be of shapes'),
    (_Z, np.zeros(5), _ROW, np.ones([2, 2]), r'must be of shapes'),
    (_Z, np.zeros(5), _ROW, _ROW, r'`stddev` must be positive, got 0'),
    (_Z, np.zeros(5), _ROW, _ROW * np.nan, r'`stddev` must be positive'),
  ],
)
def test_what_does_not_fit_is_refused(z, log_prior, mean, stddev, message):
  with pytest.raises(ValueError, match=message):
    relative_entropy.gaussian_log_weights(z, log_prior, mean, stddev)
