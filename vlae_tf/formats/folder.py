"""Folders of shared models, written atomically and read without running code.

config.json         description of the model, and checksums (`description`)
model.safetensors   weights [1] by the paths of the variables
model.weights.h5    the same for `keras.Model.load_weights`; may be missing
README.md           model card (`card`)

#### References

[1]: https://github.com/huggingface/safetensors
"""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

import keras
import numpy as np
import safetensors
import safetensors.numpy
import tensorflow as tf

from vlae_tf.formats import card, description
from vlae_tf.formats.description import KERAS, TENSORS
from vlae_tf.utils import checks, json_files
from vlae_tf.utils import files as files_lib
from vlae_tf.utils.fields import check

CONFIG, CARD = 'config.json', 'README.md'
_KIND = files_lib.Kind(CONFIG, (CONFIG, TENSORS, KERAS, CARD))
# Float types of trained models that are written unrounded.
_WRITTEN_AS_IS = ('float16', 'float32', 'float64')
_OVERHEAD = 2048  # Bytes of HDF5 around each tensor, more than seen.
# Files that may run code when they are loaded: pickles and their containers,
# programs, and Keras and TensorFlow's formats of whole models.
_UNSAFE = frozenset(
  """
  .pkl .pickle .pck .pcl .dill .joblib .pt .pth .bin .ckpt .npy .npz .mar
  .py .pyc .pyd .so .dll .dylib .exe .sh .bat .ps1 .keras .h5 .hdf5 .pb
  """.split()
)


class Weights(NamedTuple):
  """Weights of a folder with correct checksums."""

  path: pathlib.Path
  tensors: Mapping[str, np.ndarray] | None  # None: `path` is a file of Keras.


def check_target(
  directory: str | os.PathLike, overwrite: bool, argument: str = 'directory'
) -> None:
  """Checks, before long work, that a folder can be written."""
  files_lib.check_new_directory(directory, _KIND, overwrite, argument)
  if not os.path.exists(directory):
    return
  try:
    read(directory)  # A run has a `config.json` of its own.
  except ValueError as error:
    raise ValueError(
      f'`{argument}` must be that of a shared model to be replaced, got '
      f'{directory}: {str(error).rstrip(".")}. It is kept.'
    ) from error


def write(
  directory: str | os.PathLike,
  described: description.Description,
  values: Mapping[str, np.ndarray],
  save_keras: Callable[[str], None] | None = None,
  overwrite: bool = False,
) -> None:
  """Writes a folder atomically."""
  check_target(directory, overwrite)
  description.to_json(described)  # Before long work.
  weights = encode_weights(values, described.weights_dtype)
  name = pathlib.Path(directory).absolute().name
  with files_lib.new_directory(directory, _KIND, overwrite, 'directory') as new:
    (new / TENSORS).write_bytes(weights)
    files = {TENSORS: description.of_file(weights)}
    if save_keras:
      # On a full disk, HDF5 writes pages to standard error and may end the
      # process: as many bytes are written first.
      size = sum(v.nbytes for v in values.values())
      size += _OVERHEAD * (len(values) + 16)
      (new / KERAS).write_bytes(bytes(size))
      (new / KERAS).unlink()
      save_keras(str(new / KERAS))
      files[KERAS] = description.of_file((new / KERAS).read_bytes())
    described = dataclasses.replace(described, files=files)
    text = card.text(name, described)  # A path may be in another encoding.
    (new / CARD).write_text(text, 'utf-8', 'backslashreplace')
    (new / CONFIG).write_text(description.to_json(described), 'utf-8')


def read(directory: str | os.PathLike) -> description.Description:
  """Reads the description of a folder; opens no other file."""
  try:
    found = json_files.read(pathlib.Path(directory) / CONFIG)
    return description.from_fields(found)
  except ValueError as error:
    why = str(error).rstrip('.')
    raise ValueError(
      f'`directory` must be that of a shared model, got {directory}: {why}.'
    ) from error


def load(
  directory: str | os.PathLike, described: description.Description
) -> Weights:
  """Reads the weights, unless a file is unsafe, damaged or missing."""
  directory = pathlib.Path(directory)
  for path in sorted(directory.rglob('*')):
    if path.suffix.lower() in _UNSAFE and path != directory / KERAS:
      raise ValueError(
        f'`directory` must hold no {path.suffix} file, which can run code when '
        f'it is loaded, got {path}. None of it was opened; remove it.'
      )
  data = {
    name: _read_checked(directory / name, sums)
    for name, sums in described.files.items()
    if (directory / name).exists()
  }
  if TENSORS in data:
    path = directory / TENSORS
    try:
      return Weights(path, decode_weights(data[TENSORS]))
    except ValueError as error:
      raise ValueError(f'Cannot use {path}: {error}.') from error
  if KERAS in data:
    return Weights(directory / KERAS, None)
  raise ValueError(
    f'`directory` must hold the weights, got {directory} without {TENSORS}.'
  )


def _read_checked(path, sums):
  """The bytes of a file, if its checksums are right."""
  with files_lib.open_regular(path) as file:
    # Before it is read, which a larger one could make endless.
    size = os.fstat(file.fileno()).st_size
    data = file.read() if size == sums['bytes'] else b''
  found = description.of_file(data) | {'bytes': size}
  for key, unit in (('bytes', 'bytes long'), ('sha256', 'of SHA-256')):
    if found[key] != sums[key]:
      raise ValueError(
        f'{path} is damaged: it must be {unit} {sums[key]}, got {found[key]}. '
        'Copy it again.'
      )
  return data


def check_dtype(dtype: str) -> None:
  """Checks the float type of weights in a file."""
  fits = dtype in description.DTYPES
  check('dtype', dtype, fits, f'one of {description.DTYPES}')


def encode_weights(
  values: Mapping[str, np.ndarray], dtype: str = 'float32'
) -> bytes:
  """Encodes arrays as a safetensors file.

  >>> data = encode_weights({'w': np.ones([2, 3], 'float32')}, 'float16')
  >>> decode_weights(data)['w'].dtype.name
  'float16'
  """
  check_dtype(dtype)
  written = {name: _written(name, v, dtype) for name, v in values.items()}
  return safetensors.numpy.save(written, {'format': 'np'})


def _written(name, value, dtype):
  """An array as it is written, which must be finite."""
  value = np.asarray(value)
  if not tf.as_dtype(value.dtype).is_floating:
    return np.array(value, order='C')
  if not np.isfinite(value).all():
    raise ValueError(
      f'`model` must have finite weights to be shared, got NaN or infinity in '
      f'{name}.'
    )
  if dtype == 'float32' and value.dtype.name in _WRITTEN_AS_IS:
    dtype = value.dtype.name
  with np.errstate(over='ignore'):
    rounded = np.array(value, dtype, order='C')
  if not np.isfinite(rounded).all():
    raise ValueError(
      f"`dtype` must be 'float32' for weights beyond {np.finfo(dtype).max}, "
      f'got {dtype!r} for {name} of up to {np.abs(value).max()}.'
    )
  return rounded


def decode_weights(data: bytes) -> dict[str, np.ndarray]:
  """Decodes a safetensors file."""
  try:
    return safetensors.numpy.load(data)
  # An unknown dtype is a KeyError.
  except (safetensors.SafetensorError, KeyError, ValueError) as error:
    raise ValueError(f'it is no safetensors file: {error}') from error


def assign_weights(
  tensors: Mapping[str, np.ndarray], variables: Mapping[str, keras.Variable]
) -> None:
  """Sets variables to arrays of a file, all of them or none."""
  if tensors.keys() != variables.keys():
    raise ValueError(
      'it is of another model: '
      f'{checks.few(variables.keys() - tensors.keys())} not in it, '
      f'{checks.few(tensors.keys() - variables.keys())} in it alone'
    )
  for name, variable in variables.items():
    value = tensors[name]
    here, there = tf.as_dtype(variable.dtype), tf.as_dtype(value.dtype)
    # Floats may be written in another precision.
    same = here == there or (here.is_floating and there.is_floating)
    if not same or tuple(value.shape) != tuple(variable.shape):
      raise ValueError(
        f'it is of another model: {name} is {there.name} {list(value.shape)} '
        f'in it, {here.name} {list(variable.shape)} here'
      )
  for name, variable in variables.items():
    dtype = tf.as_dtype(variable.dtype).as_numpy_dtype
    variable.assign(tensors[name].astype(dtype))
