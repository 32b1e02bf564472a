"""Seeds are in bounds and distinct; draws of many seeds are TensorFlow's."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from vlae_tf.utils import random

_SEEDS = tf.constant(
  [[0, 0], [1, 2], [-1, 5], [7039616, 2**31 - 1], [-(2**31), -3]]
)
_SHAPES = [(), (1,), (4,), (5,), (3, 7), (2, 0), (2, 3, 4)]


def _alone(draw, seeds, shape):
  return np.stack([draw(shape, seed).numpy() for seed in seeds])


@pytest.mark.parametrize('shape', _SHAPES)
@pytest.mark.parametrize('compiled', [False, True])
def test_uniforms_are_tensorflows_to_the_bit(shape, compiled):
  draw = tf.function(lambda s: random.uniform(s, shape), jit_compile=compiled)
  expected = _alone(tf.random.stateless_uniform, _SEEDS, shape)
  np.testing.assert_array_equal(draw(_SEEDS), expected)


@pytest.mark.parametrize('shape', _SHAPES)
def test_normals_are_tensorflows_up_to_rounding(shape):
  expected = _alone(tf.random.stateless_normal, _SEEDS, shape)
  found = random.normal(_SEEDS, shape)
  np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6)


def test_normals_are_so_far_into_the_tails():
  expected = _alone(tf.random.stateless_normal, _SEEDS, [200_000])
  found = random.normal(_SEEDS, [200_000])
  assert np.abs(expected).max() > 4.5
  np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize('data', [0, 1, 12345])
def test_folding_in_is_tensorflows(data):
  alone = tf.random.experimental.stateless_fold_in
  expected = np.stack([alone(seed, data).numpy() for seed in _SEEDS])
  np.testing.assert_array_equal(random.folded(_SEEDS, data), expected)


def test_shapes_may_be_tensors():
  draw = tf.function(lambda s, n: random.normal(s, [n, 3]))
  found = draw(_SEEDS, tf.constant(2))
  np.testing.assert_array_equal(found, random.normal(_SEEDS, (2, 3)))


def test_no_seed_has_no_numbers():
  assert random.uniform(_SEEDS[:0], (2, 3)).shape == (0, 2, 3)


@pytest.mark.parametrize('seed', [-1, 2**31 - 1, 2**40, 0.5, True, None])
def test_what_is_no_seed_is_refused(seed):
  with pytest.raises(ValueError, match='`seed` must be '):
    random.stream_seed(seed, 'sample')


@pytest.mark.parametrize('seed', [0, 2**31 - 2, np.int64(7)])
def test_bounds_and_numbers_of_numpy_are_seeds(seed):
  assert random.stream_seed(seed, 'sample', 3).shape == [2]


def test_unknown_streams_are_refused():
  with pytest.raises(ValueError, match=r"`stream` must be one of .*'noise'"):
    random.stream_seed(0, 'noise')


def test_no_two_streams_share_a_number():
  numbers = list(random.STREAMS.values())
  assert len(set(numbers)) == len(numbers)
  # Those of runs that there are.
  first = 'shuffle binarize latent importance sample initialize validation test'
  assert [random.STREAMS[name] for name in first.split()] == [*range(1, 9)]


def test_seeds_of_users_and_streams_are_apart():
  found = {
    tuple(random.stream_seed(seed, stream).numpy())
    for seed, stream in itertools.product((0, 1, 2, 2**31 - 2), random.STREAMS)
  }
  assert len(found) == 4 * len(random.STREAMS)


@pytest.mark.parametrize('seed', [0, 7, 2**30, random.MAX_SEED])
def test_a_tensor_is_as_good_a_seed_as_an_integer(seed):
  for stream in ('sample', 'importance'):
    expected = random.stream_seed(seed, stream, 3)
    for dtype in (tf.int32, tf.int64):
      found = random.stream_seed(tf.constant(seed, dtype), stream, 3)
      np.testing.assert_array_equal(found, expected)
