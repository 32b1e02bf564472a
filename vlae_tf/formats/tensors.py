"""Weights as a safetensors file, which holds numbers and no code [1].

A tensor has the path of its variable for a name.

#### References

[1]: https://github.com/huggingface/safetensors
"""

from collections.abc import Mapping

import keras
import numpy as np
import safetensors
import safetensors.numpy
import tensorflow as tf

from vlae_tf.utils import variables as variables_lib

# How floats are written: as they are, or rounded to half of the bytes.
DTYPES = ('float32', 'float16')
_WRITTEN_AS_IS = ('float16', 'float32', 'float64')


def check_dtype(dtype: str) -> None:
  """Checks how floats are to be written."""
  if dtype not in DTYPES:
    raise ValueError(f'`dtype` must be one of {DTYPES}, got {dtype!r}.')


def encode(values: Mapping[str, np.ndarray], dtype: str = 'float32') -> bytes:
  """The bytes of a file.

  >>> data = encode({'w': np.ones([2, 3], 'float32')}, 'float16')
  >>> decode(data)['w'].dtype.name
  'float16'

  Args:
    values: Arrays by name.
    dtype: 'float32' for numbers as they are, or 'float16' for floats of 10
      bits beside sign and exponent.

  Returns:
    Bytes.

  Raises:
    ValueError: `dtype` is another, or a number is not finite in it.
  """
  check_dtype(dtype)
  written = {name: _written(name, v, dtype) for name, v in values.items()}
  return safetensors.numpy.save(written, {'format': 'np'})


def _written(name, value, dtype):
  """An array of a dtype that files have, all of it finite."""
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


def decode(data: bytes) -> dict[str, np.ndarray]:
  """The arrays of a file."""
  try:
    return safetensors.numpy.load(data)
  # A dtype that NumPy has not is a KeyError.
  except (safetensors.SafetensorError, KeyError, ValueError) as error:
    raise ValueError(f'it is no safetensors file: {error}') from error


def assign(
  tensors: Mapping[str, np.ndarray], variables: Mapping[str, keras.Variable]
) -> None:
  """Sets variables to what a file holds, all of them or none."""
  if tensors.keys() != variables.keys():
    raise ValueError(
      'it is of another model: '
      f'{variables_lib.some(variables.keys() - tensors.keys())} not in it, '
      f'{variables_lib.some(tensors.keys() - variables.keys())} in it alone'
    )
  for name, variable in variables.items():
    _check_fits(name, tensors[name], variable)
  for name, variable in variables.items():
    here = tf.as_dtype(variable.dtype).as_numpy_dtype
    variable.assign(tensors[name].astype(here))


def _check_fits(name, value, variable):
  """Checks shape and dtype; floats may be written in another precision."""
  here, there = tf.as_dtype(variable.dtype), tf.as_dtype(value.dtype)
  same = here == there or (here.is_floating and there.is_floating)
  if not same or tuple(value.shape) != tuple(variable.shape):
    raise ValueError(
      f'it is of another model: {name} is {there.name} {list(value.shape)} in '
      f'it, {here.name} {list(variable.shape)} here'
    )
