"""Validation of arguments; errors name argument, constraint and value.

Shapes and dtypes are checked in a `tf.function` as well, values only eagerly.
"""

import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

_SHOWN = 3  # Names in a message.


def few(names: Collection[str]) -> str:
  """The first few of a set of names, for a message.

  >>> few({'a', 'b', 'c', 'd', 'e'}), few([])
  ('a, b, c and 2 more', 'nothing')
  """
  first = sorted(names)[:_SHOWN]
  rest = len(names) - len(first)
  return ', '.join(first) + (f' and {rest} more' if rest else '') or 'nothing'


def integer(
  name: str, value: Any, low: int = 0, high: int | None = None
) -> int:
  """Checks an integer and its bounds."""
  try:
    number = operator.index(value)
  except TypeError:
    number = None
  if number is None or isinstance(value, (bool, np.bool_)):
    raise ValueError(f'`{name}` must be an integer, got {value!r}.')
  if number < low or (high is not None and number > high):
    bounds = f'at least {low}' if high is None else f'in [{low}, {high}]'
    raise ValueError(f'`{name}` must be {bounds}, got {value}.')
  return number


def finite_weights(values: Mapping[str, Any]) -> None:
  """Checks that named arrays hold neither NaN nor infinity."""
  bad = {name for name, x in values.items() if not np.isfinite(x).all()}
  if bad:
    raise ValueError(f'weights are NaN or infinite: {few(bad)}')


def distinct(name: str, values: Sequence[Any]) -> None:
  """Checks that there are values, each once."""
  if not values or len(set(values)) < len(values):
    raise ValueError(
      f'`{name}` must be one or more values, each once, got {list(values)}.'
    )


def ends_in(name: str, x: Any, shape: Sequence[int | None]) -> None:
  """Checks the last axes of an array of floats."""
  found = _shape_of_floats(name, x)
  if not shape or found.rank is None:
    return
  if found.rank < len(shape) or not found[-len(shape) :].is_compatible_with(
    shape
  ):
    raise ValueError(
      f'`{name}` must have shape [..., {_axes(shape)}], got {found}.'
    )


def shaped(name: str, x: Any, shape: Sequence[int | None]) -> None:
  """Checks all axes of an array of floats."""
  found = _shape_of_floats(name, x)
  if not found.is_compatible_with(shape):
    raise ValueError(f'`{name}` must have shape [{_axes(shape)}], got {found}.')


def images(
  name: str, x: Any, image_shape: Sequence[int | None] | None = None
) -> None:
  """Checks rank, size and dtype of images."""
  pixels = ' with pixels in [0, 1], as `data.fixed_binarization` makes them'
  found = _shape_of_floats(name, x, pixels)
  axes = ('batch', *(image_shape or ('height', 'width', 'channels')))
  expected = (None, *(image_shape or (None, None, None)))
  if not found.is_compatible_with(expected):
    raise ValueError(f'`{name}` must have shape [{_axes(axes)}], got {found}.')


def _shape_of_floats(name, x, pixels=''):
  """The static shape of a float array, `Tensor` or `TensorSpec`."""
  if not hasattr(x, 'shape') or not hasattr(x, 'dtype'):
    raise ValueError(
      f'`{name}` must be an array or a `Tensor`, got {type(x).__name__}.'
    )
  dtype = tf.as_dtype(x.dtype)
  if not dtype.is_floating:
    raise ValueError(
      f'`{name}` must be of a float dtype{pixels}, got {dtype.name}.'
    )
  return tf.TensorShape(x.shape)


def values(x: Any) -> np.ndarray | None:
  """The values of an array, or `None` of a tensor in a graph."""
  if tf.is_tensor(x) and not isinstance(x, tf.__internal__.EagerTensor):
    return None
  return np.asarray(x)


def unit_interval(name: str, x: Any) -> None:
  """Checks, eagerly only, that an array has values, all in [0, 1]."""
  found = values(x)
  if found is None:
    return
  if not found.size:
    raise ValueError(f'`{name}` must not be empty, got shape {found.shape}.')
  low, high = found.min(), found.max()
  # Written so that NaN, which fails every comparison, is caught as well.
  if not (low >= 0 and high <= 1):
    raise ValueError(
      f'`{name}` must have values in [0, 1] and no NaN, got values from {low} '
      f'to {high}.'
    )


def many_images(
  name: str,
  x: Any,
  image_shape: Sequence[int | None] | None = None,
  check_values: Callable[[str, Any], None] = unit_interval,
) -> None:
  """Checks images of an array, or of the first batch of a data set."""
  if isinstance(x, tf.data.Dataset):
    images(name, _first(x.element_spec), image_shape)
    for batch in x.take(1):
      check_values(name, _first(batch))
  elif tf.is_tensor(x) or isinstance(x, np.ndarray | list | tuple | str | None):
    images(name, x, image_shape)
    check_values(name, x)


def _first(element):
  return keras.utils.unpack_x_y_sample_weight(element)[0]


def _axes(shape):
  return ', '.join('?' if n is None else str(n) for n in shape)
