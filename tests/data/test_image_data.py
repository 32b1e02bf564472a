"""What `ImageData` accepts, and what it says about the rest."""

import dataclasses

import numpy as np
import pytest

from vlae_tf.data import ImageData, pixel_kind, PIXEL_KINDS


def _images(size=3, shape=(4, 5, 2), dtype=np.uint8):
  return np.ones([size, *shape], dtype)


def _with(**changes):
  arguments = {split: _images() for split in ('train', 'validation', 'test')}
  return ImageData('toy', **{**arguments, **changes})


@pytest.mark.parametrize(
  ('dtype', 'channels', 'given', 'kind'),
  [
    (bool, 1, None, 'binary'),
    (bool, 3, None, 'binary'),
    (bool, 1, 'binary', 'binary'),
    (np.uint8, 1, None, 'grey'),
    (np.uint8, 1, 'levels', 'levels'),
    (np.uint8, 3, None, 'levels'),
    (np.uint8, 3, 'grey', 'grey'),
    (np.float32, 1, None, 'grey'),
    (np.float32, 3, 'grey', 'grey'),
  ],
)
def test_kind_follows_dtype_and_channels_or_is_given(
  dtype, channels, given, kind
):
  images = _images(shape=(4, 5, channels), dtype=dtype)
  data = ImageData('toy', images, images, images, kind=given)
  assert data.image_shape == (4, 5, channels)
  assert data.kind == pixel_kind(images, given) == kind
  assert kind in PIXEL_KINDS


@pytest.mark.parametrize(
  ('dtype', 'kind', 'message'),
  [
    (bool, 'grey', "must be one that bool images have, 'binary', got 'grey'"),
    (np.uint8, 'binary', "'grey' or 'levels', got 'binary'"),
    (np.float32, 'levels', "that float32 images have, 'grey', got 'levels'"),
    (np.uint8, 'gray', r"must be one of \('binary',.*got 'gray'"),
    (np.float32, None, r"must be 'grey' for float32.*2 channels.*uint8.*None"),
  ],
)
def test_a_kind_that_does_not_fit_is_named(dtype, kind, message):
  images = _images(dtype=dtype)
  with pytest.raises(ValueError, match=f'`kind` .*{message}'):
    ImageData('toy', images, images, images, kind=kind)


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
      r'`train` must have values in \[0, 1\].*1.5',
    ),
    (
      {'train': -_images(dtype=np.float32)},
      r'`train` must have values in \[0, 1\].*-1.0',
    ),
    (
      {'train': _images(dtype=np.float32) * np.nan},
      r'`train` must have values in \[0, 1\].*nan',
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
