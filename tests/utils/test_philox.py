"""Random numbers of many seeds are TensorFlow's of each."""

import numpy as np
import pytest
import tensorflow as tf

from vlae_tf.utils import philox

_SEEDS = tf.constant(
  [[0, 0], [1, 2], [-1, 5], [7039616, 2**31 - 1], [-(2**31), -3]]
)
_SHAPES = [(), (1,), (4,), (5,), (3, 7), (2, 0), (2, 3, 4)]


def _alone(draw, seeds, shape):
  return np.stack([draw(shape, seed).numpy() for seed in seeds])


@pytest.mark.parametrize('shape', _SHAPES)
@pytest.mark.parametrize('compiled', [False, True])
def test_uniforms_are_tensorflows_to_the_bit(shape, compiled):
  draw = tf.function(lambda s: philox.uniform(s, shape), jit_compile=compiled)
  expected = _alone(tf.random.stateless_uniform, _SEEDS, shape)
  np.testing.assert_array_equal(draw(_SEEDS), expected)


@pytest.mark.parametrize('shape', _SHAPES)
def test_normals_are_tensorflows_up_to_rounding(shape):
  expected = _alone(tf.random.stateless_normal, _SEEDS, shape)
  found = philox.normal(_SEEDS, shape)
  np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6)


def test_normals_are_so_far_into_the_tails():
  expected = _alone(tf.random.stateless_normal, _SEEDS, [200_000])
  found = philox.normal(_SEEDS, [200_000])
  assert np.abs(expected).max() > 4.5
  np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize('data', [0, 1, 12345])
def test_folding_in_is_tensorflows(data):
  alone = tf.random.experimental.stateless_fold_in
  expected = np.stack([alone(seed, data).numpy() for seed in _SEEDS])
  np.testing.assert_array_equal(philox.folded(_SEEDS, data), expected)


def test_shapes_may_be_tensors():
  draw = tf.function(lambda s, n: philox.normal(s, [n, 3]))
  found = draw(_SEEDS, tf.constant(2))
  np.testing.assert_array_equal(found, philox.normal(_SEEDS, (2, 3)))


def test_no_seed_has_no_numbers():
  assert philox.uniform(_SEEDS[:0], (2, 3)).shape == (0, 2, 3)
