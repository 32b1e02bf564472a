"""Images in three splits, the meaning of pixel values, and their checks."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vlae_tf.utils import checks, fields

SPLITS: tuple[str, ...] = ('train', 'validation', 'test')
# Meanings of a pixel's value, and the dtypes that each may have.
_DTYPES = {
  'binary': ('bool',),
  'grey': ('uint8', 'float32'),
  'levels': ('uint8',),
}
PIXEL_KINDS = tuple(_DTYPES)


@dataclasses.dataclass(frozen=True, eq=False)
class ImageData:
  """Images in three splits, and the meaning of their pixel values.

  | kind     | dtype     | value                                     |
  |----------|-----------|-------------------------------------------|
  | 'binary' | `bool`    | the binary pixel itself                   |
  | 'grey'   | `uint8`   | its Bernoulli mean is `value / 255`       |
  | 'grey'   | `float32` | its Bernoulli mean, in [0, 1]             |
  | 'levels' | `uint8`   | one of 256 levels, seen as `value / 255`  |

  >>> images = np.zeros([2, 4, 4, 3], np.uint8)
  >>> ImageData('black', images, images, images).kind
  'levels'

  Raises:
    ValueError: If the splits are empty, differ in image shape or in dtype,
      hold a value that is no Bernoulli mean, or are not of the kind.
  """

  name: str
  train: np.ndarray  # `[num_images, height, width, channels]`, as the others.
  validation: np.ndarray
  test: np.ndarray
  # Integers `[num_images]` by split.
  labels: Mapping[str, np.ndarray] | None = None
  # One of `PIXEL_KINDS`; by default that of `pixel_kind`.
  kind: str = None  # type: ignore[assignment]  # `None` is replaced.

  def __post_init__(self):
    for split in SPLITS:
      images = getattr(self, split)
      check_images(images, split)
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
      labels: Any = self.labels and self.labels.get(split)
      if self.labels is not None and np.shape(labels) != images.shape[:1]:
        raise ValueError(
          f"`labels['{split}']` must have shape {images.shape[:1]}, got "
          f'{np.shape(labels)}.'
        )
    object.__setattr__(self, 'kind', pixel_kind(self.train, self.kind))

  @property
  def image_shape(self) -> tuple[int, ...]:
    """Shape `(height, width, channels)` of every image."""
    return self.train.shape[1:]

  def split(self, name: str) -> np.ndarray:
    """Images of 'train', 'validation', 'test' or 'train+validation'."""
    if name == 'train+validation':
      return np.concatenate([self.train, self.validation])
    known = (*SPLITS, 'train+validation')
    fields.check('name', name, name in SPLITS, f'one of {known}')
    return getattr(self, name)


def pixel_kind(images: Any, kind: str | None = None) -> str:
  """Meaning of a pixel's value: inferred, or given and checked.

  Bool is 'binary'. Numbers are 'grey' in one channel; in several channels uint8
  is 'levels', and for float32 the kind 'grey' has to be given. `images` is an
  array or `Tensor` of shape `[..., channels]`.

  Raises:
    ValueError: If the kind is unknown, does not fit the dtype, or cannot be
      inferred.
  """
  check_dtype(images, 'images')
  dtype, channels = images.dtype.name, images.shape[-1]
  if kind is None and dtype == 'float32' and channels != 1:
    raise ValueError(
      f"`kind` must be 'grey' for {dtype} images of {channels} channels, if "
      'their values are Bernoulli means (images of 256 levels must be uint8), '
      'got None.'
    )
  if kind is None:
    grey_or_levels = 'grey' if channels == 1 else 'levels'
    return 'binary' if dtype == 'bool' else grey_or_levels
  fields.check('kind', kind, kind in PIXEL_KINDS, f'one of {PIXEL_KINDS}')
  if dtype not in _DTYPES[kind]:
    fitting = [k for k in PIXEL_KINDS if dtype in _DTYPES[k]]
    raise ValueError(
      f'`kind` must be one that {dtype} images have, '
      f'{" or ".join(map(repr, fitting))}, got {kind!r}.'
    )
  return kind


def check_dtype(images: Any, name: str) -> None:
  """Checks that pixels are bool, uint8 or float32."""
  if images.dtype.name not in ('bool', 'uint8', 'float32'):
    raise ValueError(
      f'`{name}` must be bool, uint8 or float32, got {images.dtype.name}.'
    )


def check_images(images: Any, name: str) -> None:
  """Checks that an array is a non-empty batch of images."""
  if not isinstance(images, np.ndarray) or images.ndim != 4:
    raise ValueError(
      f'`{name}` must be an array of shape [num_images, height, width, '
      f'channels], got {type(images).__name__} of shape {np.shape(images)}.'
    )
  if images.size == 0:
    raise ValueError(f'`{name}` must not be empty, got shape {images.shape}.')
  check_dtype(images, name)
  if images.dtype == np.float32:
    checks.unit_interval(name, images)


def split_by_sizes(array: np.ndarray, sizes: Sequence[int]) -> list[np.ndarray]:
  """Partitions an array's rows by a fixed permutation."""
  # NumPy guarantees the numbers of the legacy `RandomState` for ever; it makes
  # no such promise for those of `default_rng`.
  order = np.random.RandomState(2016).permutation(len(array))
  return [array[part] for part in np.split(order, np.cumsum(sizes)[:-1])]
