"""Relative entropy coding of `benchmarks/relative_entropy.py`."""

import fractions
import importlib
import math
import sys

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
import source_tree
import toys

from vlae_tf import data

pytestmark = pytest.mark.usefixtures('all_eagerly')

sys.path.append(str(source_tree.ROOT / 'benchmarks'))
relative_entropy = importlib.import_module('relative_entropy')

_NUM_SEEDS = 4000
# Of many tests, some are below 0.01 by chance.
_CHANCE = 1e-3
_POOL = 2**12
_SHAPE = (6, 5, 1)
_MEANS = {1: [1.3], 2: [0.6, -0.9], 3: [0.5, -0.4, 0.8]}
_STDDEVS = {1: [0.3], 2: [0.5, 0.6], 3: [0.2, 0.3, 0.25]}
_SIZES = [1, 2, 3, 8, 100, 2**12]


def _pool(seed, d):
  """Samples of a standard normal, their log-densities, and arrivals."""
  generator = np.random.default_rng(seed)
  z = generator.standard_normal([_POOL, d]).astype(np.float32)
  log_prior = scipy.stats.norm.logpdf(z.astype(np.float64)).sum(-1)
  return z, log_prior, relative_entropy.arrival_times(_POOL, generator)


def _kl_bits(mean, stddev):
  """KL of a diagonal Gaussian from a standard normal, in closed form."""
  kl = 0.5 * (mean**2 + stddev**2 - 1) - np.log(stddev)
  return float(kl.sum()) / math.log(2)


_MORE = pytest.mark.exhaustive('other numbers of dimensions')


@pytest.fixture(
  scope='module', params=[2, *(pytest.param(d, marks=_MORE) for d in (1, 3))]
)
def selected(request):
  """A posterior; what is selected for each of many shared seeds."""
  d = request.param
  mean, stddev = np.array(_MEANS[d]), np.array(_STDDEVS[d])
  samples, index, scores = [], [], []
  for seed in range(_NUM_SEEDS):
    z, log_prior, arrivals = _pool([d, seed], d)
    weights = relative_entropy.gaussian_log_weights(
      z, log_prior, mean[None], stddev[None]
    )
    (chosen,) = relative_entropy.select(weights, arrivals)
    samples.append(z[chosen])
    index.append(chosen)
    scores.append(arrivals[chosen] / np.exp(weights[0, chosen]))
  return mean, stddev, np.array(samples), np.array(index), np.array(scores)


def test_selected_samples_are_draws_from_the_posterior(selected):
  mean, stddev, samples, *_ = selected
  white, d = (samples - mean) / stddev, len(mean)
  for axis in range(d):
    assert scipy.stats.kstest(white[:, axis], 'norm').pvalue > _CHANCE
  # The axes are independent: a sum of squares and a sum show it.
  squares = scipy.stats.kstest((white**2).sum(-1), 'chi2', (d,))
  assert squares.pvalue > _CHANCE
  total = white.sum(-1) / math.sqrt(d)
  assert scipy.stats.kstest(total, 'norm').pvalue > _CHANCE


def test_least_arrival_over_weight_is_an_arrival_of_rate_one(selected):
  *_, scores = selected
  assert scipy.stats.kstest(scores, 'expon').pvalue > _CHANCE


def test_mean_cost_is_between_the_divergence_and_its_bound(selected):
  mean, stddev, _, index, _ = selected
  kl = _kl_bits(mean, stddev)
  # Theorem 1 of Li and El Gamal, before any code.
  assert np.log2(index + 1).mean() < kl + math.log2(math.e) / math.e
  bits = relative_entropy.index_bits(index, _POOL)
  assert kl < bits.mean() < kl + math.log2(kl + 1) + 4


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


def test_effective_size_is_that_of_the_closed_form():
  equal = relative_entropy.effective_size(np.zeros([2, 8]))
  np.testing.assert_allclose(equal, [8, 8])
  z, log_prior, _ = _pool(0, 2)
  # The last one is 8 standard deviations of the prior away.
  mean = np.array([[0.0, 0.0], [0.5, 0.5], [8.0, 0.0]])
  stddev = np.array([[1.0, 1.0], [0.5, 0.5], [0.1, 0.1]])
  weights = relative_entropy.gaussian_log_weights(z, log_prior, mean, stddev)
  size = relative_entropy.effective_size(weights)
  # E_p[w]^2 / E_p[w^2], the product of both axes'.
  axis = math.exp(0.5**2 / (2 - 0.5**2)) / (0.5 * math.sqrt(2 - 0.5**2))
  assert size[0] == pytest.approx(_POOL)
  assert size[1] == pytest.approx(_POOL / axis**2, rel=0.1)
  assert size[2] < 2


@pytest.mark.parametrize('num_samples', [3, 100, 2**12])
@pytest.mark.parametrize('share', [0.05, 0.3, 0.6, 0.8])
def test_exponent_is_the_cheapest(num_samples, share):
  """Oracle: SciPy's minimum of the mean cost."""
  mean = share * math.log2(num_samples)

  def cost(exponent):
    total = sum(k**-exponent for k in range(1, num_samples + 1))
    return exponent * mean + math.log2(total)

  found = scipy.optimize.minimize_scalar(
    cost, bounds=(0, 32), method='bounded', options={'xatol': 1e-9}
  )
  exponent = relative_entropy.zipf_exponent(mean, num_samples)
  assert cost(exponent) <= found.fun + 1e-9
  assert exponent == pytest.approx(found.x, abs=1e-3)


@pytest.mark.parametrize('num_samples', _SIZES)
@pytest.mark.parametrize('exponent', [0.0, 1.1, 30.0])
def test_frequencies_are_the_distribution_in_integers(num_samples, exponent):
  found = relative_entropy.octave_frequencies(exponent, num_samples)
  assert found.dtype == np.int64 and found.min() >= 1
  assert found.sum() == 2**16
  shares = [0.0] * len(found)
  for index in range(num_samples):
    shares[index.bit_length()] += (index + 1) ** -exponent
  exact = 2**16 * np.array(shares) / sum(shares)
  assert np.abs(found - exact).max() < 2 * len(found)


@pytest.mark.parametrize('num_samples', [2, 8, 2**12])
def test_octaves_cost_bits_of_a_distribution(num_samples):
  frequencies = relative_entropy.octave_frequencies(1.1, num_samples)
  bits = relative_entropy.octave_bits(np.arange(num_samples), frequencies)
  assert math.fsum(2.0**-bits) == pytest.approx(1)
  for index in (0, 1, num_samples - 1):
    length = index.bit_length()
    share = fractions.Fraction(int(frequencies[length]), 2**16)
    expected = max(length - 1, 0) - math.log2(share)
    assert bits[index] == pytest.approx(expected)


@pytest.mark.parametrize('exponent', [0.9, 1.1, 1.3])
def test_octaves_cost_little_more_than_the_zipf_distribution(exponent):
  p = np.arange(1.0, 2**16 + 1) ** -exponent
  p /= p.sum()
  frequencies = relative_entropy.octave_frequencies(exponent, 2**16)
  bits = relative_entropy.octave_bits(np.arange(2**16), frequencies)
  assert 0 < p @ (bits + np.log2(p)) < 0.05


@pytest.fixture(scope='module')
def model():
  return toys.small_model(_SHAPE, prior='gaussian', encoder_widths='4')


def test_shared_draws_are_draws_of_the_posterior(model):
  image = toys.binary_images(1, _SHAPE)
  images = np.repeat(image, 400, 0)
  found = relative_entropy.SharedDraws(model, 5000, seed=1).select(images)
  posterior = model.posterior(image)
  mean, stddev = (x.numpy()[0] for x in (posterior.mean(), posterior.stddev()))
  assert (found.effective_size > 100).all()
  deviation = (found.z.mean(0) - mean) / stddev
  assert (np.abs(deviation) < 4.5 / math.sqrt(400) + 0.1).all()
  np.testing.assert_allclose(found.z.std(0), stddev, rtol=0.2)
  kl = _kl_bits(mean, stddev)
  bits = relative_entropy.index_bits(found.index, 5000)
  assert kl < bits.mean() < kl + math.log2(kl + 1) + 4
  again = relative_entropy.SharedDraws(model, 5000, seed=1).select(image)
  np.testing.assert_array_equal(again.z[0], found.z[0])


def test_the_row_is_one_of_rate_and_distortion(model):
  images = np.random.default_rng(0).integers(0, 2, (44, *_SHAPE)).astype(bool)
  bounds = {'train': (0, 30), 'validation': (30, 34), 'test': (34, 44)}
  parts = {name: images[slice(*ends)] for name, ends in bounds.items()}
  labels = {name: x[:, 2, 2, 0].astype(int) for name, x in parts.items()}
  given = data.ImageData('mine', **parts, labels=labels)
  found = relative_entropy.measure(model, given, 8, num_samples=64, seed=5)
  row, facts = found['row'], found['shared_draws']
  assert row['way'] == 'shared' and row['gross_bits'] is None
  assert 0 < row['bits'] and 0 < row['hamming_draw'] < 30
  assert 0 <= row['accuracy_draw'] <= 1
  assert facts['num_samples'] == 64 and 0 <= facts['enough'] <= 1
