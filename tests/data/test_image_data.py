"""What `ImageData` accepts, and what it says about the rest."""

import dataclasses

import numpy as np
import pytest

from vlae_tf.data import ImageData


def _images(size=3, shape=(4, 5, 2), dtype=np.uint8):
  return np.ones([size, *shape], dtype)


def _with(**changes):
  arguments = {split: _images() for split in ('train', 'validation', 'test')}
  return ImageData('toy', **{**arguments, **changes})


@pytest.mark.parametrize('dtype', [bool, np.uint8, np.float32])
def test_each_dtype_of_bernoulli_means_is_accepted(dtype):
  images = _images(dtype=dtype)
  assert ImageData('toy', images, images, images).image_shape == (4, 5, 2)


def test_train_and_validation_are_joined_in_order():
  data = _with(train=_images(3) * 7, validation=_images(2) * 9)
  both = data.split('train+validation')
  np.testing.assert_array_equal(both[:, 0, 0, 0], [7, 7, 7, 9, 9])
  assert data.split('test') is data.test


def test_an_unknown_split_is_named():
  with pytest.raises(ValueError, match=r"`name` must be one of.*got 'dev'"):
    _with().split('dev')


def test_fields_cannot_be_changed():
  with pytest.raises(dataclasses.FrozenInstanceError):
    _with().train = _images()


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    ({'train': np.ones([3, 4, 5])}, r'`train` must be an array of shape.*3, 4'),
    ({'test': [[1]]}, r'`test` must be an array.*got list'),
    ({'test': _images(0)}, r'`test` must not be empty'),
    ({'train': _images(dtype=np.int32)}, r'`train` must be bool.*got int32'),
    ({'train': _images(dtype=float)}, r'`train` must be bool.*got float64'),
    (
      {'validation': _images(shape=(4, 4, 2))},
      r'`validation` must have images of the shape.*\(4, 5, 2\).*\(4, 4, 2\)',
    ),
    (
      {'validation': _images(dtype=bool)},
      r'`validation` must have the dtype of `train`, uint8, got bool',
    ),
    (
      {'train': _images(dtype=np.float32) * 1.5},
      r'`train` must have float values in \[0, 1\].*1.5',
    ),
    (
      {'train': -_images(dtype=np.float32)},
      r'`train` must have float values in \[0, 1\].*-1.0',
    ),
    (
      {'train': _images(dtype=np.float32) * np.nan},
      r'`train` must have float values in \[0, 1\].*nan',
    ),
    (
      {'labels': {'train': np.zeros(2)}},
      r"`labels\['train'\]` must have shape \(3,\), got \(2,\)",
    ),
  ],
)
def test_a_bad_array_is_named_with_what_it_has(changes, message):
  with pytest.raises(ValueError, match=message):
    _with(**changes)


def test_one_nan_among_good_values_is_found():
  images = _images(dtype=np.float32)
  images[1, 2, 3, 1] = np.nan
  with pytest.raises(ValueError, match='no NaN'):
    ImageData('toy', images, images, images)
