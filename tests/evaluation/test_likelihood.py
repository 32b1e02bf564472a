"""Importance-sampled likelihoods against closed forms."""

import math

import numpy as np
import pytest
import tensorflow as tf
import toys

from vlae_tf.evaluation import likelihood

pytestmark = pytest.mark.usefixtures('all_eagerly')


def log_weights(toy, images, num_samples):
  """Log-weights `[num_samples, num]`, each sample from a separate call."""
  vlae = toy.model()
  index = tf.range(len(images))
  # Compiled once for all seeds, which are tensors.
  estimate = tf.function(
    lambda seed: likelihood.estimate(vlae, images, index, 1, seed).log_prob
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
    error = likelihood.standard_error(exact - bound)
    assert (exact - bound).mean() > -4 * error
  assert means[-1] - means[0] > 0.05  # The toy's posterior is not exact.


@pytest.mark.usefixtures('compiled')
def test_many_samples_give_the_exact_likelihood():
  toy = toys.LinearGaussian()
  images = toy.sample(50)
  evaluator = likelihood.Evaluator(toy.model(), 5000)
  estimate = evaluator.estimate(images, np.arange(50))[0].numpy()
  difference = estimate - toy.log_prob(images)
  assert abs(difference.mean()) < 4 * likelihood.standard_error(difference)
  assert np.abs(difference).max() < 0.15


def test_codes_beyond_a_chunk_are_new_ones():
  """Four times as many halve the spread, also over several blocks."""
  toy = toys.LinearGaussian()
  images = toy.sample(200)
  spreads = []
  for num_samples in (250, 1000):
    evaluator = likelihood.Evaluator(toy.model(), num_samples)
    elbo = evaluator.estimate(images, np.arange(200))[1].numpy()
    # Less the exact likelihood, it is the same for all images but for noise.
    spreads.append(np.std(elbo - toy.log_prob(images)))
  assert num_samples > likelihood.LANES
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
  assert abs(gap.mean() - divergence) < 4 * likelihood.standard_error(gap)


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
  assert shape[0] <= likelihood.LANES
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
  made = likelihood.Estimates(
    log_prob=np.array([-10.0, -14.0]),
    elbo=np.array([-11.0, -17.0]),
    rate=np.array([4.0, 6.0]),
    distortion=np.array([7.0, 11.0]),
  )
  summary = made.summary((2, 3, 1), num_samples=3)
  assert summary['num_images'] == 2 and summary['num_samples'] == 3
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
  """Parallel batches give the bits of sequential ones, in order."""
  toy = toys.LinearGaussian()
  model, images = _built(toy), _grey(toy, 23)
  one, two = (
    likelihood.Evaluator(model, num_samples, seed=2, streams=n)(images)
    for n in (1, 3)
  )
  for name in likelihood.Estimates._fields:
    np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_an_image_scores_the_same_whatever_is_scored_with_it():
  toy = toys.LinearGaussian()
  model, images = _built(toy), _grey(toy, 9)
  evaluator = likelihood.Evaluator(model, 5)
  whole = evaluator(images)
  numbers = [7, 2, 4]
  some = likelihood.joined([*evaluator.parts(images, numbers=numbers)])
  np.testing.assert_allclose(
    some.log_prob, whole.log_prob[numbers], rtol=1e-6, atol=1e-6
  )


def test_blocks_are_the_largest_divisors_that_fit():
  for num in [*range(1, 60), 255, 256, 257, 300, 509, 1000, 4096, 65536]:
    size = likelihood.largest_divisor(num, 256)
    divisors = [n for n in range(1, num + 1) if num % n == 0]
    assert size == max(n for n in divisors if n <= 256)
    assert int(likelihood.largest_divisor(tf.constant(num), 256)) == size


_MORE = pytest.mark.exhaustive('more sizes')


@pytest.mark.parametrize(
  'num_images, num_samples',
  [(1, 300), *(pytest.param(*x, marks=_MORE) for x in ((5, 7), (9, 1)))],
)
def test_tensors_give_what_integers_give(num_images, num_samples):
  model = toys.LinearGaussian().model()
  images = tf.constant(toys.LinearGaussian().sample(num_images))
  index = tf.range(num_images)
  evaluator = likelihood.Evaluator(model, num_samples, seed=3)
  expected = evaluator.estimate(images, index)
  compute = tf.function(
    lambda *args: likelihood.estimate_in_groups(model, images, index, *args)
  )
  found = compute(tf.constant(num_samples), tf.constant(3))
  for name in likelihood.Estimates._fields:
    np.testing.assert_allclose(
      getattr(found, name), getattr(expected, name), rtol=1e-5, atol=1e-5
    )


def test_groups_decode_no_more_codes_than_lanes_at_once(monkeypatch):
  """However many images and samples there are."""
  toy, seen = toys.LinearGaussian(), []
  model = toy.model()
  inner = model.likelihood
  model.likelihood = lambda z: seen.append(z.shape[:-1]) or inner(z)
  monkeypatch.setattr(likelihood, 'LANES', 8)
  images = tf.constant(toy.sample(11))
  for num_samples in (1, 9, 24):
    found = likelihood.estimate_in_groups(
      model, images, tf.range(11), num_samples
    )
    assert found.log_prob.shape == (11,)
  assert max(shape.num_elements() for shape in seen) <= 8


_SETTINGS = dict(split='test', num_samples=3, weights='abc')


def _part(first, num):
  numbers = np.arange(first, first + num, dtype='float32')
  return likelihood.Estimates(*(numbers + 100 * k for k in range(4)))


def _assert_numbers(found, num):
  for name in likelihood.Estimates._fields:
    expected = getattr(_part(0, num), name)
    np.testing.assert_array_equal(getattr(found, name), expected)


@pytest.fixture
def path(tmp_path):
  """Path of the score."""
  return tmp_path / 'eval' / 'test.json'


def _written(path, num=5, settings=_SETTINGS):
  partial = likelihood.PartialScore(path, settings, seconds=0)
  partial.add(_part(0, num))


def test_images_are_scored_once(path):
  _written(path)
  again = likelihood.PartialScore(path, _SETTINGS)
  assert again.num_images == 5
  again.add(_part(5, 2))
  _assert_numbers(again.finish(), 7)
  assert [p.name for p in path.parent.iterdir()] == ['test.npz']
  with np.load(path.with_suffix('.npz')) as found:
    np.testing.assert_array_equal(found['rate'], _part(0, 7).rate)
  assert likelihood.PartialScore(path, _SETTINGS).num_images == 0


def test_what_is_not_due_is_not_written(path):
  partial = likelihood.PartialScore(path, _SETTINGS, seconds=1000)
  partial.add(_part(0, 5))
  assert not path.parent.exists()


@pytest.mark.parametrize('name', _SETTINGS)
def test_other_scores_are_passed_over(path, name, capsys):
  _written(path, settings=_SETTINGS | {name: 'other'})
  assert likelihood.PartialScore(path, _SETTINGS).num_images == 0
  assert 'is of another evaluation' in capsys.readouterr().err


def test_broken_files_are_passed_over(path, capsys):
  _written(path)
  part = path.with_suffix('.part.npz')
  for data in (b'', b'PK\x03\x04', part.read_bytes()[:-40]):
    part.write_bytes(data)
    assert likelihood.PartialScore(path, _SETTINGS).num_images == 0
    assert 'cannot be read' in capsys.readouterr().err


def test_other_weights_have_another_digest():
  model = toys.small_model()
  before = likelihood.digest(model)
  assert likelihood.digest(toys.small_model()) == before
  weight = model.trainable_variables[3]
  weight.assign(weight + 1e-6)
  assert likelihood.digest(model) != before
