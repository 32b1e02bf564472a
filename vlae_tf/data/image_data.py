"""The one container that every data set is loaded into."""

import dataclasses
from collections.abc import Mapping

import numpy as np

SPLITS = ('train', 'validation', 'test')


@dataclasses.dataclass(frozen=True, eq=False)
class ImageData:
  """Images in three splits; the dtype says what a pixel's value means.

  | dtype     | value                                    |
  |-----------|------------------------------------------|
  | `bool`    | the binary pixel itself                  |
  | `uint8`   | grey: its Bernoulli mean is `value / 255` |
  | `float32` | a Bernoulli mean in [0, 1]               |

  Attributes:
    name: What the data set is called.
    train: Array of shape `[num_train, height, width, channels]`.
    validation: Array of shape `[num_validation, height, width, channels]`.
    test: Array of shape `[num_test, height, width, channels]`.
    labels: Integer arrays of shape `[num_images]` by split, or `None`.

  Raises:
    ValueError: If the splits are empty, differ in image shape or in dtype, or
      hold a value that is no Bernoulli mean.
  """

  name: str
  train: np.ndarray
  validation: np.ndarray
  test: np.ndarray
  labels: Mapping[str, np.ndarray] | None = None

  def __post_init__(self):
    for split in SPLITS:
      check_images(getattr(self, split), split)
      self._check_agrees_with_train(split)
      self._check_labels(split)

  @property
  def image_shape(self):
    """Shape `(height, width, channels)` of every image."""
    return self.train.shape[1:]

  def split(self, name):
    """Returns the images of one split, or of training and validation.

    Args:
      name: 'train', 'validation', 'test' or 'train+validation'.

    Returns:
      An array of shape `[num_images, height, width, channels]`.

    Raises:
      ValueError: If there is no such split.
    """
    if name == 'train+validation':
      return np.concatenate([self.train, self.validation])
    if name not in SPLITS:
      raise ValueError(
        f'`name` must be one of {(*SPLITS, "train+validation")}, got {name!r}.'
      )
    return getattr(self, name)

  def _check_agrees_with_train(self, split):
    images = getattr(self, split)
    if images.shape[1:] != self.image_shape:
      raise ValueError(
        f'`{split}` must have images of the shape of `train`, '
        f'{self.image_shape}, got {images.shape[1:]}.'
      )
    if images.dtype != self.train.dtype:
      raise ValueError(
        f'`{split}` must have the dtype of `train`, {self.train.dtype}, '
        f'got {images.dtype}.'
      )

  def _check_labels(self, split):
    if self.labels is None:
      return
    expected = getattr(self, split).shape[:1]
    shape = np.shape(self.labels.get(split))
    if shape != expected:
      raise ValueError(
        f"`labels['{split}']` must have shape {expected}, got {shape}."
      )


def check_images(images, name):
  """Checks that an array is a non-empty batch of Bernoulli means.

  Args:
    images: Array of shape `[num_images, height, width, channels]`.
    name: What to call it in a message.

  Raises:
    ValueError: If rank, size, dtype or a value is wrong.
  """
  if not isinstance(images, np.ndarray) or images.ndim != 4:
    raise ValueError(
      f'`{name}` must be an array of shape [num_images, height, width, '
      f'channels], got {type(images).__name__} of shape {np.shape(images)}.'
    )
  if images.size == 0:
    raise ValueError(f'`{name}` must not be empty, got shape {images.shape}.')
  if images.dtype not in (np.bool_, np.uint8, np.float32):
    raise ValueError(
      f'`{name}` must be bool, uint8 or float32, got {images.dtype}.'
    )
  if images.dtype == np.float32:
    _check_unit_interval(images, name)


def _check_unit_interval(images, name):
  low, high = images.min(), images.max()
  # Written so that NaN, which fails every comparison, is caught as well.
  if not (low >= 0 and high <= 1):
    raise ValueError(
      f'`{name}` must have float values in [0, 1] and no NaN, '
      f'got values from {low} to {high}.'
    )
