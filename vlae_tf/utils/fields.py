"""Dataclass fields with bounds, choices and help, for checks and flags."""

import dataclasses
import math
import numbers
from typing import Any

import numpy as np

from vlae_tf.utils import registry


def field(
  default: Any,
  help: str,
  lower: float | None = None,
  upper: float | None = None,
  choices: tuple[str, ...] | registry.Registry | None = None,
) -> Any:
  """A dataclass field with the metadata of its flag."""
  metadata = dict(help=help, lower=lower, upper=upper, choices=choices)
  return dataclasses.field(default=default, metadata=metadata)


def check(name: str, value: Any, fits: bool, needs: str) -> None:
  """Raises a `ValueError` with a requirement, in words, that is not met."""
  if not fits:
    raise ValueError(f'`{name}` must be {needs}, got {value!r}.')


def checked(field: dataclasses.Field, value: Any) -> Any:
  """A value of a field, checked and converted to its Python type."""
  kind: Any = field.type
  meta = field.metadata
  if isinstance(value, bool | np.bool_):
    value = bool(value)
  elif kind is float and isinstance(value, numbers.Real):
    value = float(value)
  elif kind is int and isinstance(value, numbers.Integral):
    value = int(value)
  # In Python, booleans are integers.
  if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
    raise ValueError(
      f'`{field.name}` must be of type {kind.__name__}, got {value!r}.'
    )
  if isinstance(meta['choices'], registry.Registry):
    meta['choices'].check(value, field.name)
  elif meta['choices'] and value not in meta['choices']:
    raise ValueError(
      f'`{field.name}` must be one of {meta["choices"]}, got {value!r}.'
    )
  if kind is float and not math.isfinite(value):
    raise ValueError(f'`{field.name}` must be finite, got {value!r}.')
  low, high = meta['lower'], meta['upper']
  if low is not None and value < low:
    raise ValueError(f'`{field.name}` must be at least {low}, got {value!r}.')
  if high is not None and value > high:
    raise ValueError(f'`{field.name}` must be at most {high}, got {value!r}.')
  return value


def words(instance: Any) -> dict[str, str]:
  """Descriptions of the registered names in the fields of a dataclass."""
  return {
    field.name: field.metadata['choices'].description(
      getattr(instance, field.name)
    )
    for field in dataclasses.fields(instance)
    if isinstance(field.metadata.get('choices'), registry.Registry)
  }
