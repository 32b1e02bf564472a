"""Draws from given noise have the distribution that their density says."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from scipy import stats

from vlae_tf.distributions import autoregressive_shift, reparameterized
from vlae_tf.nn import made

tfb = tfp.bijectors
tfd = tfp.distributions

_LOC = tf.constant([0.3, -1.0, 2.0])
_SCALE = tf.constant([0.5, 1.0, 3.0])


def _flow():
  """An inverse autoregressive flow on a Gaussian."""
  network = made.MADE(3, (6, 6), output_scale=1.0)
  network.build((None, 3))
  rng = np.random.default_rng(0)
  for variable in network.variables:
    variable.assign(rng.normal(size=variable.shape))
  shift = autoregressive_shift.AutoregressiveShift(network, network.unroll)
  base = reparameterized.diagonal_gaussian(_LOC, _SCALE)
  scaled = tfb.Chain([tfb.Scale(2.0), tfb.Invert(shift)])
  return tfd.TransformedDistribution(base, scaled)


DISTRIBUTIONS = {
  'diagonal': lambda: reparameterized.diagonal_gaussian(_LOC, _SCALE),
  'independent': lambda: tfd.Independent(tfd.Normal(_LOC, _SCALE), 1),
  'full': lambda: tfd.MultivariateNormalTriL(
    _LOC, [[1.0, 0, 0], [0.5, 2.0, 0], [-1.0, 0.3, 0.7]]
  ),
  'laplace': lambda: tfd.Independent(tfd.Laplace(_LOC, _SCALE), 1),
  'flow': _flow,
}


@pytest.mark.parametrize('name', DISTRIBUTIONS)
def test_density_is_that_of_the_noise_over_the_volume(name):
  dist = DISTRIBUTIONS[name]()
  noise = tf.random.stateless_normal([6, 3], [0, 1])
  with tf.GradientTape() as tape:
    tape.watch(noise)
    code = reparameterized.draw(dist, noise)
  volume = np.linalg.slogdet(tape.batch_jacobian(code.value, noise))[1]
  of_noise = tf.reduce_sum(tfd.Normal(0.0, 1.0).log_prob(noise), -1)
  np.testing.assert_allclose(code.log_prob, of_noise - volume, atol=2e-4)
  fresh = dist.log_prob(tf.identity(code.value))
  np.testing.assert_allclose(code.log_prob, fresh, atol=1e-4)


@pytest.mark.parametrize('dist', [tfd.Normal, tfd.Laplace])
def test_draws_have_the_distributions_quantiles(dist):
  dist = dist(np.float64(0.3), np.float64(2.0))
  noise = tf.constant([-5.0, -1.0, -0.01, 0.4, 3.0], tf.float64)
  value = reparameterized.draw(dist, noise).value
  expected = stats.norm.cdf(noise)
  np.testing.assert_allclose(dist.cdf(value), expected, rtol=1e-9)


def test_laplace_has_its_digits_far_out():
  value = reparameterized.draw(tfd.Laplace(0.0, 1.0), tf.constant(12.0)).value
  # -log(2 Phi(-12)), by the asymptotic series of the normal tail.
  tail = 12.0**2 / 2 + np.log(12.0 * np.sqrt(2 * np.pi)) + 1 / 12.0**2
  np.testing.assert_allclose(value, tail - np.log(2), rtol=1e-5)


def test_a_distribution_that_cannot_is_refused():
  dist = tfd.StudentT(3.0, tf.zeros([4]), 1.0)
  with pytest.raises(ValueError, match=r'`posterior` must be .* got StudentT'):
    reparameterized.draw(dist, tf.zeros([4]))
  inside = tfd.Independent(dist, 1)
  with pytest.raises(ValueError, match='got StudentT'):
    reparameterized.draw(inside, tf.zeros([4]))


@pytest.mark.parametrize('name', DISTRIBUTIONS)
def test_log_probs_of_dimensions_sum_to_the_whole_or_are_none(name):
  dist = DISTRIBUTIONS[name]()
  z = tf.random.stateless_normal([5, 3], [0, 2])
  parts = reparameterized.log_prob_of_dimensions(dist, z)
  if name in ('full', 'flow'):
    assert parts is None
  else:
    np.testing.assert_allclose(
      tf.reduce_sum(parts, -1), dist.log_prob(z), rtol=1e-5
    )


@pytest.mark.parametrize('shape', [(3,), (2, 2, 3), (0,)])
def test_gaussians_of_any_shape(shape):
  dist = reparameterized.standard_gaussian(shape)
  assert dist.event_shape == shape and dist.batch_shape == []
  z = dist.sample(5, seed=(0, 0))
  assert z.shape == (5, *shape)
  flat = z.numpy().reshape(5, -1)
  expected = -0.5 * (flat**2 + np.log(2 * np.pi)).sum(1)
  np.testing.assert_allclose(dist.log_prob(z), expected, rtol=1e-5)


@pytest.mark.parametrize('bad', [(), (2, -1), 1.5, (2.0,)])
def test_what_is_no_shape_is_refused(bad):
  with pytest.raises(ValueError, match='`event_shape` must be an integer or'):
    reparameterized.as_event_shape(bad)
