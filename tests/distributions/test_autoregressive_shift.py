"""The flow step as a bijector; fresh tensors go around TFP's cache."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from vlae_tf.distributions import autoregressive_shift
from vlae_tf.nn import made

tfb = tfp.bijectors


def _bijector(size=6):
  network = made.MADE(size, (12, 12), output_scale=1.0)
  network.build((None, size))
  rng = np.random.default_rng(1)
  for variable in network.variables:
    variable.assign(rng.normal(size=variable.shape))
  return autoregressive_shift.AutoregressiveShift(network, network.unroll)


def test_inverse_of_forward_is_the_identity():
  bijector = _bijector()
  eps = tf.random.stateless_normal([2, 5, 6], [0, 1])
  z = bijector.forward(eps)
  assert tf.reduce_max(tf.abs(z - eps)) > 0.1
  np.testing.assert_allclose(bijector.inverse(tf.identity(z)), eps, atol=1e-5)


def test_forward_of_inverse_is_the_identity():
  bijector = _bijector()
  z = tf.random.stateless_normal([5, 6], [0, 1])
  eps = bijector.inverse(z)
  np.testing.assert_allclose(bijector.forward(tf.identity(eps)), z, atol=1e-5)


def test_volume_is_one_by_autodiff():
  bijector = _bijector()
  z = tf.random.stateless_normal([4, 6], [0, 1])
  with tf.GradientTape() as tape:
    tape.watch(z)
    eps = bijector.inverse(z)
  _, log_det = np.linalg.slogdet(tape.batch_jacobian(eps, z))
  np.testing.assert_allclose(log_det, 0.0, atol=1e-5)
  for direction in ('forward', 'inverse'):
    method = getattr(bijector, f'{direction}_log_det_jacobian')
    np.testing.assert_array_equal(method(tf.identity(z), 1), 0.0)


def test_density_in_a_chain_is_that_of_the_noise():
  chain = tfb.Chain([_bijector(), tfb.Permute([5, 4, 3, 2, 1, 0])])
  normal = tfp.distributions.MultivariateNormalDiag(tf.zeros([6]))
  dist = tfp.distributions.TransformedDistribution(normal, chain)
  eps = tf.random.stateless_normal([3, 6], [0, 1])
  z = tf.identity(chain.forward(eps))
  np.testing.assert_allclose(dist.log_prob(z), normal.log_prob(eps), rtol=1e-5)
