"""Seeds of streams: in bounds, and apart."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from vlae_tf.utils import seeds


@pytest.mark.parametrize('seed', [-1, 2**31 - 1, 2**40, 0.5, True, None])
def test_what_is_no_seed_is_refused(seed):
  with pytest.raises(ValueError, match='`seed` must be '):
    seeds.stream_seed(seed, 'sample')


@pytest.mark.parametrize('seed', [0, 2**31 - 2, np.int64(7)])
def test_bounds_and_numbers_of_numpy_are_seeds(seed):
  assert seeds.stream_seed(seed, 'sample', 3).shape == [2]


def test_unknown_streams_are_refused():
  with pytest.raises(ValueError, match=r"`stream` must be one of .*'noise'"):
    seeds.stream_seed(0, 'noise')


def test_no_two_streams_share_a_number():
  numbers = list(seeds.STREAMS.values())
  assert len(set(numbers)) == len(numbers)
  # Those of runs that there are.
  first = 'shuffle binarize latent importance sample initialize validation test'
  assert [seeds.STREAMS[name] for name in first.split()] == [*range(1, 9)]


def test_seeds_of_users_and_streams_are_apart():
  found = {
    tuple(seeds.stream_seed(seed, stream).numpy())
    for seed, stream in itertools.product((0, 1, 2, 2**31 - 2), seeds.STREAMS)
  }
  assert len(found) == 4 * len(seeds.STREAMS)


@pytest.mark.parametrize('seed', [0, 7, 2**30, seeds.MAX_SEED])
def test_a_tensor_is_as_good_a_seed_as_an_integer(seed):
  for stream in ('sample', 'importance'):
    expected = seeds.stream_seed(seed, stream, 3)
    for dtype in (tf.int32, tf.int64):
      found = seeds.stream_seed(tf.constant(seed, dtype), stream, 3)
      np.testing.assert_array_equal(found, expected)
