"""Data-dependent initialisation in every arithmetic."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from vlae_tf.nn import weight_norm

_POLICIES = ('float32', 'mixed_bfloat16', 'mixed_float16')
each_policy = pytest.mark.parametrize('policy', _POLICIES)


def _initialised(x, policy, units=3):
  keras.utils.set_random_seed(0)
  layer = weight_norm.WeightNormDense(units, dtype=policy, name='layer')
  with weight_norm.data_dependent_initialization():
    layer(x)
  return layer


@each_policy
@pytest.mark.parametrize('value', [0.0, 0.3, 40.0])
def test_units_that_are_constant_keep_their_gain(policy, value):
  layer = _initialised(tf.fill([500, 4], value), policy)
  np.testing.assert_array_equal(layer.gain, 1.0)
  outputs = layer(tf.fill([500, 4], value))
  assert np.isfinite(outputs).all()
  # The mean is taken off, as of any unit.
  np.testing.assert_allclose(outputs, 0.0, atol=0.01 * max(value, 1.0))


@each_policy
@pytest.mark.parametrize('scale', [1e-3, 1.0, 1e3])
def test_units_that_vary_get_deviation_one(policy, scale):
  x = scale * np.random.default_rng(0).normal(size=(500, 4)).astype('float32')
  outputs = tf.cast(_initialised(x, policy)(x), tf.float32).numpy()
  np.testing.assert_allclose(outputs.std(0), 1.0, rtol=0.02)
  np.testing.assert_allclose(outputs.mean(0), 0.0, atol=0.02)


def test_kernels_that_are_given_hold_for_their_layers_and_inside_others():
  layers = [weight_norm.WeightNormDense(2, name=str(k)) for k in range(2)]
  x = tf.ones([1, 3])
  own = [layer(x).numpy() for layer in layers]
  zeros = [tf.zeros_like(layer.kernel) for layer in layers]
  with weight_norm.given_kernels(layers[:1], zeros[:1]):
    with weight_norm.given_kernels(layers[1:], zeros[1:]):
      assert not any(layer(x).numpy().any() for layer in layers)
    np.testing.assert_array_equal(layers[1](x), own[1])
    assert not layers[0](x).numpy().any()
  np.testing.assert_array_equal(layers[0](x), own[0])
