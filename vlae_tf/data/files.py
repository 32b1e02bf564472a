"""Images from a directory of image files or from a `.npz` file."""

import pathlib

import numpy as np
from PIL import Image, ImageOps

from vlae_tf.data.image_data import (
  check_images,
  ImageData,
  split_by_sizes,
  SPLITS,
)
from vlae_tf.utils import checks, console
from vlae_tf.utils import files as files_lib

# Formats of which it is known what Pillow loses; others run programs, too.
_FORMATS = ('BMP', 'GIF', 'JPEG', 'PNG', 'PPM', 'TIFF', 'WEBP')
_CHANNELS = (1, 3, 4)  # Of images that some libraries put channels first.
_SAMPLES, _SAMPLE_FORMAT = 277, 339  # Tags of TIFF.


def load_files(path: pathlib.Path) -> ImageData:
  """Loads a directory of images or a `.npz` file; completes the splits."""
  # A directory holds equal-sized 8-bit grey or RGB images, or one directory of
  # them per split. A `.npz` file holds one array per split, or one array of any
  # name, of shape `[num_images, height, width]` or with a last axis of
  # channels: bool, uint8 in 0..255, or float in [0, 1] of one channel. A
  # missing split gets a tenth of the training images, by a fixed permutation.
  given = _read_directory(path) if path.is_dir() else _read_npz(path)
  for split, images in given.items():
    if images.dtype == np.uint8 and images.max() <= 1:
      raise ValueError(
        f'`{path}: {split}` must be bool or have the values 0 and 255 if it is '
        'binary (uint8 means 0..255), got uint8 values that are all 0 or 1.'
      )
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
  array = as_batch(array, name)
  if array.dtype.kind == 'f':
    array = array.astype(np.float32)
  check_images(array, name)
  if array.dtype == np.float32 and array.shape[-1] > 1:
    raise ValueError(
      f'`{name}` must be uint8, 256 levels, if it has more than one channel '
      '(try `np.rint(255 * images).astype(np.uint8)`), got float values of '
      f'shape {array.shape}.'
    )
  return array


def as_batch(array: np.ndarray, name: str) -> np.ndarray:
  """An array of a file with an axis of channels, the last."""
  if array.ndim not in (3, 4) or not array.size:
    raise ValueError(
      f'`{name}` must be an array of shape [num_images, height, width] or '
      '[num_images, height, width, channels] and not empty, got shape '
      f'{array.shape}.'
    )
  if array.ndim == 3:
    return array[..., np.newaxis]
  if array.shape[1] in _CHANNELS and array.shape[3] > max(_CHANNELS):
    raise ValueError(
      f'`{name}` must have its channels last, [num_images, height, width, '
      'channels] (try `np.moveaxis(images, 1, -1)`), got shape '
      f'{array.shape}.'
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
  if beside := _image_files(path, SPLITS):
    raise ValueError(
      f'{path} must hold images or the directories of splits, not both, got '
      f'{beside[0].name} beside `train`.'
    )
  return {folder.name: read_images(folder) for folder in folders}


def read_images(folder: pathlib.Path) -> np.ndarray:
  """Images of a directory by name, `[num, height, width, channels]`."""
  files = _image_files(folder)
  if not files:
    raise ValueError(f'{folder} must hold image files, found none.')
  images = [_read_image(file) for file in files]
  for file, image in zip(files, images, strict=True):
    if image.shape != images[0].shape:
      raise ValueError(
        f'{file} must have the size and channels of {files[0].name}, '
        f'{images[0].shape}, got {image.shape}.'
      )
  return np.stack(images)


def _image_files(folder, directories=()):
  """Image files of a directory by name, which holds no other directories."""
  known = Image.registered_extensions()
  # Those of macOS, `._NAME` and `__MACOSX`, have no pixels.
  paths = sorted(p for p in folder.iterdir() if p.name[0] != '.')
  inner = [p for p in paths if p.is_dir() and p.name != '__MACOSX']
  others = [f'`{p.name}`' for p in inner if p.name not in directories]
  if others:
    raise ValueError(
      f'{folder} must hold images alone, or the directories '
      f'{", ".join(f"`{split}`" for split in SPLITS)}, got the directory '
      f'{checks.few(others)}, whose images would not be read.'
    )
  paths = [p for p in paths if not p.is_dir()]
  found = [p for p in paths if known.get(p.suffix.lower()) in _FORMATS]
  if len(found) < len(paths):
    kinds = {p.suffix or p.name for p in paths if p not in found}
    num = console.count(len(paths) - len(found), 'file')
    console.warn(
      f'{folder}: {num} of other kinds passed over: {checks.few(kinds)}.'
    )
  return found


def _read_image(file):
  with files_lib.open_regular(file) as opened:
    try:
      with Image.open(opened, formats=_FORMATS) as image:
        problem = _problem(image)
        # Cameras turn a picture by a note beside its pixels.
        upright = ImageOps.exif_transpose(image)
        read_as = 'RGB' if image.mode == 'RGB' else 'L'
        pixels = np.asarray(upright.convert(read_as))
    # Image decoders raise various errors, from `OSError` to `struct.error`.
    except Exception as error:
      raise ValueError(
        f'{file} cannot be read as an image ({error}).'
      ) from error
  if problem:
    raise ValueError(
      f'{file} must be one 8-bit grey or RGB image (PIL mode 1, L or RGB), got '
      f'{problem}.'
    )
  return pixels if pixels.ndim == 3 else pixels[..., np.newaxis]


def _problem(image):
  """Contents of a file that an array of grey or RGB bytes would lose."""
  pages, tags = getattr(image, 'n_frames', 1), getattr(image, 'tag_v2', {})
  # Pillow reduces deep channels; only its decoder's arguments show it.
  args = image.tile[0][3] if image.tile else ''
  top = args[1] if image.format == 'PPM' and isinstance(args, tuple) else 255
  problems = {
    f'{pages} pages': pages > 1,
    f'mode {image.mode}': image.mode not in ('1', 'L', 'RGB'),
    'transparency': 'transparency' in image.info,
    'more than 8 bits a channel': image.format != 'BMP' and ';16' in str(args),
    f'values up to {top}, no divisor of 255': top and 255 % top,
    'further channels': tags.get(_SAMPLES, 1) > len(image.getbands()),
    'signed values': any(f != 1 for f in tags.get(_SAMPLE_FORMAT, ())),
  }
  return next((words for words, found in problems.items() if found), '')
