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


def _step(number):
  """A flow whose shift of an element is a multiple of the one before it."""

  def shift(z):
    return number * tf.concat([tf.zeros_like(z[:, :1]), z[:, :-1]], 1)

  def unroll(eps, update):
    z = tf.zeros_like(eps)
    for _ in range(eps.shape[1]):
      z = update(eps, shift(z))
    return z

  return autoregressive_shift.AutoregressiveShift(shift, unroll)


def _forward(number, eps):
  """The same by NumPy, an element after the other."""
  z = eps.copy()
  for k in range(1, z.shape[1]):
    z[:, k] += number * z[:, k - 1]
  return z


def test_a_chain_reverses_between_its_steps():
  steps = [_step(number) for number in (2.0, 3.0, 5.0)]
  eps = np.random.default_rng(0).normal(size=(2, 4))
  expected = eps
  for k, number in enumerate((5.0, 3.0, 2.0)):
    expected = _forward(number, expected[:, ::-1] if k else expected)
  flow = autoregressive_shift.chain(steps, (4,))
  assert flow.name == 'flow'
  np.testing.assert_allclose(flow.forward(tf.constant(eps)), expected)


def test_a_chain_reverses_along_the_axes_that_it_is_given():
  axes, eps = (-2, -1), np.arange(24.0).reshape(2, 2, 2, 3)
  steps = [tfb.Identity(), tfb.Identity()]
  for chosen, expected in (
    (axes, eps[:, :, ::-1, ::-1]),
    (axes[:1], eps[:, :, ::-1]),
    (axes[1:], eps[..., ::-1]),
  ):
    flow = autoregressive_shift.chain(steps, (2, 2, 3), chosen)
    np.testing.assert_array_equal(flow.forward(tf.constant(eps)), expected)


def test_a_function_of_shifts_is_applied_in_both_directions():
  eps = np.random.default_rng(0).normal(size=(2, 4))
  flow = _step(2.0).with_shift(tf.round)
  z = tf.identity(flow.forward(tf.constant(eps))).numpy()
  np.testing.assert_allclose(z[:, 1:] - np.rint(2 * z[:, :-1]), eps[:, 1:])
  np.testing.assert_allclose(flow.inverse(tf.constant(z)), eps)


def test_updates_of_equal_steps_are_equal():
  """What is compiled for one is used for the other."""
  updates = set()

  def unroll(eps, update):
    updates.add(update)
    return update(eps, eps)

  for change in (tf.round, tf.round, tf.abs):
    step = autoregressive_shift.AutoregressiveShift(tf.identity, unroll)
    step.with_shift(change).forward(tf.ones([1, 2]))
  assert len(updates) == 2


def test_a_step_is_a_bijector_of_no_parameters():
  bijector = _bijector()
  assert not type(bijector).parameter_properties()
  assert not bijector.validate_args
