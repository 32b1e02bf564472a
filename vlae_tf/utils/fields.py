"""Dataclass fields with bounds, choices and help, for checks and flags."""

import contextlib
import dataclasses
import numbers
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from absl import flags

from vlae_tf.utils import registry

_FLOAT32 = np.finfo(np.float32)


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


@contextlib.contextmanager
def named(argument: str, instead: str) -> Iterator[None]:
  """Has errors about an argument of a function name that of its caller."""
  try:
    yield
  except ValueError as error:
    message = str(error).replace(f'`{instead}`', f'`{argument}`')
    raise ValueError(message) from error


def checked(field: dataclasses.Field, value: Any) -> Any:
  """A value of a field, checked and converted to its Python type."""
  kind: Any = field.type
  name, meta = field.name, field.metadata
  if isinstance(value, bool | np.bool_):
    value = bool(value)
  elif kind is float and isinstance(value, numbers.Real):
    value = float(value)
  elif kind is int and isinstance(value, numbers.Integral):
    value = int(value)
  # In Python, booleans are integers.
  fits = isinstance(value, kind) and isinstance(value, bool) == (kind is bool)
  check(name, value, fits, f'of type {kind.__name__}')
  choices, low, high = meta['choices'], meta['lower'], meta['upper']
  if isinstance(choices, registry.Registry):
    choices.check(value, name)
  elif choices:
    check(name, value, value in choices, f'one of {choices}')
  # TensorFlow computes in float32, and counts in int64.
  fits = kind is not float or _in_float32(value)
  check(name, value, fits, '0 or a finite, normal float32')
  check(name, value, kind is not int or value < 2**63, 'below 2**63')
  check(name, value, low is None or value >= low, f'at least {low}')
  check(name, value, high is None or value <= high, f'at most {high}')
  return value


def _in_float32(value):
  low, high = (float(x) for x in (_FLOAT32.tiny, _FLOAT32.max))
  # Written so that NaN, which fails every comparison, does not fit.
  return not value or low <= abs(value) <= high


def define_flags(
  cls: Any, names: Collection[str] | None = None, **where: Any
) -> None:
  """Defines flags for fields of a dataclass, by default for all."""
  for each in dataclasses.fields(cls):
    meta, name, kind = each.metadata, each.name, each.type
    if names is not None and name not in names:
      continue
    default: Any = each.default
    bounds = dict(lower_bound=meta['lower'], upper_bound=meta['upper'])
    text, choices = meta['help'], meta['choices']
    if isinstance(choices, registry.Registry):
      text = f'{text} {choices.help()}.'
    if choices:
      flags.DEFINE_enum(name, default, list(choices), text, **where)
    elif kind is bool:
      flags.DEFINE_bool(name, default, text, **where)
    elif kind in (int, int | None):
      flags.DEFINE_integer(name, default, text, **bounds, **where)
    elif kind in (float, float | None):
      flags.DEFINE_float(name, default, text, **bounds, **where)
    else:
      flags.DEFINE_string(name, default, text, **where)


def words(instance: Any) -> dict[str, str]:
  """Descriptions of the registered names in the fields of a dataclass."""
  return {
    field.name: field.metadata['choices'].description(
      getattr(instance, field.name)
    )
    for field in dataclasses.fields(instance)
    if isinstance(field.metadata.get('choices'), registry.Registry)
  }
