"""Images from a directory of image files or from a `.npz` file."""

import pathlib

import numpy as np
from PIL import Image

from vlae_tf.data.image_data import (
  check_images,
  ImageData,
  split_by_sizes,
  SPLITS,
)

_GREY_MODES = ('1', 'L')


def load_files(path: pathlib.Path) -> ImageData:
  """Loads a directory of images or a `.npz` file; completes the splits."""
  # A directory holds equal-sized 8-bit grey images, or one directory of them
  # per split. A `.npz` file holds one array per split, or one array of any
  # name, of shape `[num_images, height, width]` or with a last axis of
  # channels: bool, uint8 in 0..255, or float in [0, 1] of one channel. A
  # missing split gets a tenth of the training images, by a fixed permutation.
  given = _read_directory(path) if path.is_dir() else _read_npz(path)
  try:
    return ImageData(path.stem, **_complete(given))
  except ValueError as error:
    raise ValueError(f'{path}: {error}') from error


def _complete(given):
  missing = [split for split in SPLITS if split not in given]
  train = given['train']
  held_out = max(1, len(train) // 10)
  num_train = len(train) - len(missing) * held_out
  if num_train < 1:
    raise ValueError(
      f'`train` must have more than {len(missing)} images, to have some left '
      f'for {" and ".join(missing)}, got {len(train)}.'
    )
  if not missing:
    return given
  parts = split_by_sizes(train, [num_train] + [held_out] * len(missing))
  return given | dict(zip(['train', *missing], parts))


def read_arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
  """Reads all arrays of a `.npz` file."""
  try:
    with np.load(path, allow_pickle=False) as contents:
      return dict(contents)
  # For a damaged archive `zipfile`, `zlib` and NumPy raise various errors.
  except Exception as error:
    raise ValueError(
      f'{path} cannot be read as a `.npz` file of numeric arrays ({error}).'
    ) from error


def _read_npz(path):
  arrays = read_arrays(path)
  if len(arrays) == 1:
    arrays = {'train': next(iter(arrays.values()))}
  if 'train' not in arrays or not arrays.keys() <= set(SPLITS):
    raise ValueError(
      f'{path} must hold one array, or arrays `train` and possibly '
      f'`validation` and `test`, got {sorted(arrays)}.'
    )
  return {
    split: _as_images(array, f'{path}: {split}')
    for split, array in arrays.items()
  }


def _as_images(array, name):
  if array.ndim == 3:
    array = array[..., np.newaxis]
  if array.dtype.kind == 'f':
    array = array.astype(np.float32)
  check_images(array, name)
  if array.dtype == np.uint8 and array.max() <= 1:
    raise ValueError(
      f'`{name}` must be bool if it is binary (uint8 means 0..255), '
      'got uint8 values that are all 0 or 1.'
    )
  if array.dtype == np.float32 and array.shape[-1] > 1:
    raise ValueError(
      f'`{name}` must be uint8, 256 levels, if it has more than one channel '
      '(try `np.rint(255 * images).astype(np.uint8)`), got float values of '
      f'shape {array.shape}.'
    )
  return array


def _read_directory(path):
  folders = [path / split for split in SPLITS if (path / split).is_dir()]
  if not folders:
    return {'train': read_images(path)}
  if path / 'train' not in folders:
    raise ValueError(
      f'{path} must have a directory `train` beside '
      f'{" and ".join(f"`{folder.name}`" for folder in folders)}.'
    )
  return {folder.name: read_images(folder) for folder in folders}


def read_images(folder: pathlib.Path, colours: bool = False) -> np.ndarray:
  """Images of a directory by name, `[num, height, width, channels]`."""
  known = Image.registered_extensions()
  files = sorted(f for f in folder.iterdir() if f.suffix.lower() in known)
  if not files:
    raise ValueError(f'{folder} must hold image files, found none.')
  images = [_read_image(file, colours) for file in files]
  for file, image in zip(files, images, strict=True):
    if image.shape != images[0].shape:
      # The number of channels, too, if there are several.
      size, found = (
        x.shape[:2] if x.shape[-1] == 1 else x.shape for x in (images[0], image)
      )
      raise ValueError(
        f'{file} must have the size of {files[0].name}, {size}, got {found}.'
      )
  return np.stack(images)


def _read_image(file, colours):
  try:
    with Image.open(file) as image:
      mode, pages = image.mode, getattr(image, 'n_frames', 1)
      read_as = 'RGB' if colours and mode == 'RGB' else 'L'
      pixels = np.asarray(image.convert(read_as))
  # Image decoders raise various errors, from `OSError` to `struct.error`.
  except Exception as error:
    raise ValueError(f'{file} cannot be read as an image ({error}).') from error
  if mode not in _GREY_MODES and read_as != mode:
    what = 'grey or RGB image' if colours else 'grey image'
    modes = '1, L or RGB' if colours else '1 or L'
    raise ValueError(
      f'{file} must be an 8-bit {what} (PIL mode {modes}), got mode {mode}.'
    )
  if colours and pages > 1:
    raise ValueError(f'{file} must hold one image, got one of {pages} pages.')
  return pixels if pixels.ndim == 3 else pixels[..., np.newaxis]
