"""Images for codecs: read from files or data sets, written to `.npz` files."""

import itertools
import os
import pathlib
import zipfile
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from vlae_tf.data import files, image_data, pipeline, sources
from vlae_tf.utils import files as files_lib
from vlae_tf.utils import registry

_SPLITS = (*image_data.SPLITS, 'train+validation')
_FORMS = (
  'the path of a `.npz` file (FILE.npz, or FILE.npz:NAME for one of its '
  'arrays), that of a directory of images, or DATASET:SPLIT'
)
_NPZ = '.npz'
_ENTRY = 'images'


class Collection(NamedTuple):
  """Images to be compressed without loss."""

  images: np.ndarray  # `[num_images, height, width, channels]`, bool or uint8.
  kind: str  # 'binary' or 'levels', in that order.
  name: str  # The last part of their path, or `DATASET:SPLIT`.


def read(
  spec: str | os.PathLike,
  data_dir: str | os.PathLike | None = None,
  argument: str = 'spec',
) -> Collection:
  """Reads images without changing their contents.

  An array is binary if it is bool, or if all of its numbers are 0 or 1, or 0
  or 255; a directory, if all of its pixels are grey and 0 or 255. Other uint8
  have 256 levels. Grey images of a data set become the binary ones that
  evaluation scores.

  `spec` is the path of a `.npz` file, or `FILE.npz:NAME` if it holds several
  arrays, of shape `[num_images, height, width]` or with a last axis of
  channels; that of a directory of images of one size, read in the order of
  their names; or `DATASET:SPLIT`. In messages it is called `argument`.

  >>> read('digits:test').images.shape
  (300, 28, 28, 1)

  Raises:
    ValueError: There is nothing of that name, or it holds no such images.
  """
  spec = os.fspath(spec)
  path = files_lib.expanded(spec)
  dataset, colon, split = spec.rpartition(':')
  if colon and dataset in sources.DATASETS:
    return _of_dataset(dataset, split, data_dir, argument)
  # The empty path would be the current directory.
  if spec and path.is_dir():
    images, kind = files.read_images(path), 'levels'
    if images.shape[-1] == 1 and _has_only(images, 255):
      images, kind = images > 0, 'binary'
    return Collection(images, kind, path.resolve().name)
  before, found, name = str(path).partition(f'{_NPZ}:')
  file = pathlib.Path(before + _NPZ) if found else path
  if file.is_file() and file.suffix == _NPZ:
    return _of_npz(file, name)
  raise ValueError(f'`{argument}` must be {_FORMS}, got {_slip(spec, file)}')


def write(
  path: str | os.PathLike,
  parts: Iterable[np.ndarray],
  count: int,
  overwrite: bool = False,
) -> None:
  """Writes a `.npz` file of one array, `images`, part by part and atomically.

  `parts` are bool or uint8 arrays of shape `[num, height, width, channels]`, of
  which `num` alone may differ, and `count` images in all.

  Raises:
    ValueError: The path cannot be written or replaced, or the parts are not
      `count` such images.
  """
  files_lib.check_new_file(path, overwrite, _NPZ)
  remaining = iter(parts)
  first = next(remaining, None)
  if first is None:
    raise ValueError('`parts` must hold images, got none.')
  _check_part(first, first)
  header: dict[str, Any] = {
    'descr': np.lib.format.dtype_to_descr(first.dtype),
    'fortran_order': False,
    'shape': (count, *first.shape[1:]),
  }
  with (
    files_lib.new_file(pathlib.Path(path)) as file,
    zipfile.ZipFile(file, 'w') as archive,
    archive.open(f'{_ENTRY}.npy', 'w', force_zip64=True) as entry,
  ):
    np.lib.format.write_array_header_1_0(entry, header)
    written = 0
    for part in itertools.chain([first], remaining):
      _check_part(part, first)
      entry.write(np.ascontiguousarray(part).data.cast('B'))
      written += len(part)
    if written != count:
      raise ValueError(
        f'`parts` must hold `count` images, {count}, got {written}.'
      )


def _of_dataset(name, split, data_dir, argument):
  if split not in _SPLITS:
    raise ValueError(
      f'`{argument}` must end in a split of {name}, one of '
      f'{", ".join(_SPLITS)}, got {split!r}.'
      f'{registry.suggestion(split, _SPLITS)}'
    )
  data = sources.load(name, data_dir)
  images, kind = data.split(split), data.kind
  if kind == 'grey':
    images = pipeline.fixed_binarization(images, split, kind=kind) > 0
    kind = 'binary'
  return Collection(images, kind, f'{name}:{split}')


def _of_npz(file, name):
  arrays = files.read_arrays(file)
  one_of = f'one of {", ".join(map(repr, sorted(arrays)))}'
  if not name and len(arrays) != 1:
    raise ValueError(
      f'{file} must hold one array, or be followed by `:` and the name of '
      + (f'{one_of}.' if arrays else 'one; it holds none.')
    )
  name, given = name or next(iter(arrays)), bool(name)
  if name not in arrays:
    near = registry.suggestion(name, arrays)
    raise ValueError(f'{file}:{name} must name {one_of}.{near}')
  where = f'{file.name}:{name}' if given else file.name
  images, kind = _binary_or_levels(arrays[name], f'{file}: {name}')
  return Collection(images, kind, where)


def _binary_or_levels(array, name):
  array = files.as_batch(array, name)
  if array.dtype == bool:
    return array, 'binary'
  if array.dtype.kind in 'fiu' and (
    _has_only(array, 1) or _has_only(array, 255)
  ):
    return array != 0, 'binary'
  if array.dtype == np.uint8:
    return array, 'levels'
  if array.dtype.kind == 'f':
    raise ValueError(
      f'`{name}` must be binary or uint8, got grey {array.dtype.name}. What '
      'becomes of them is for you to say: `x > 0.5` or `rng.random(x.shape) < '
      'x` binarise them, `np.rint(255 * x).astype(np.uint8)` makes 256 levels.'
    )
  raise ValueError(
    f'`{name}` must be bool, uint8 or float, got {array.dtype.name}.'
  )


def _has_only(array, top):
  return bool(((array == 0) | (array == top)).all())


def _slip(spec, file):
  """The given value, and why it is wrong."""
  dataset, colon, split = spec.rpartition(':')
  if file.suffix == _NPZ:
    return f'{spec!r}: there is no file {file}.'
  if file.exists():
    return f'{spec!r}, which is another file.'
  if spec in sources.DATASETS:
    return f'{spec!r} without a split, as {spec}:test.'
  if colon and split in _SPLITS:
    near = registry.suggestion(dataset, sources.DATASETS)
    known = ', '.join(sources.DATASETS)
    return f'{spec!r}, of a data set that is none of {known}.{near}'
  near = registry.suggestion(
    spec, [f'{name}:{s}' for name in sources.DATASETS for s in _SPLITS]
  )
  return f'{spec!r}, which is not there.{near}'


def _check_part(part, first):
  image_data.check_images(part, 'parts')
  if part.dtype not in (np.bool_, np.uint8):
    raise ValueError(f'`parts` must be bool or uint8, got {part.dtype.name}.')
  if part.dtype != first.dtype or part.shape[1:] != first.shape[1:]:
    raise ValueError(
      f'`parts` must all be like the first, {first.dtype.name} of shape '
      f'{first.shape[1:]}, got {part.dtype.name} of shape {part.shape[1:]}.'
    )
