"""JSON files: written atomically, read with a check of their form.

A form describes the types of a value: a type, a tuple of alternatives, `[form]`
for lists, `{str: form}` for dictionaries, and `{'key': form, ...}` for
dictionaries of at least these keys, where those that may be `None` may be
missing. The form `float` includes integers, and no number includes booleans.
"""

import json
import math
import os
from collections.abc import Mapping
from typing import Any

from vlae_tf.utils import files

_MOST_BYTES = 2**24
_MOST_LEVELS = 32  # Of nesting.
_LONGEST_INT = 18  # Digits; longer ones are floats, as for other readers.
_TYPES: dict[Any, str] = {
  int: 'an integer',
  float: 'a number',
  str: 'a string',
  bool: 'a boolean',
  dict: 'an object',
  list: 'a list',
  None: 'null',
}
_ACCEPTED: dict[Any, Any] = {float: (int, float), dict: Mapping}


def write(path: str | os.PathLike, value: Mapping[str, Any]) -> None:
  """Writes an object; null for numbers that are not finite."""
  text = json.dumps(finite(value), indent=2, allow_nan=False)
  files.write_text(path, text + '\n')


def finite(value: Any) -> Any:
  """A value with `None` for numbers that are not finite: JSON has none."""
  if isinstance(value, Mapping):
    return {name: finite(v) for name, v in value.items()}
  if isinstance(value, list | tuple):
    return [finite(v) for v in value]
  return (
    None if isinstance(value, float) and not math.isfinite(value) else value
  )


def read(path: str | os.PathLike, form: Any = dict) -> Any:
  """Reads a file.

  Raises:
    ValueError: It cannot be read, is not JSON or not of the form.
  """
  with files.open_regular(path) as file:
    data = file.read(_MOST_BYTES + 1)
  try:
    return parse(data, form)
  except ValueError as error:
    raise ValueError(f'Cannot read {path}: {error}') from error


def parse(text: str | bytes, form: Any = dict) -> Any:
  """Parses a text; numbers that are not finite become `None`."""
  if len(text) > _MOST_BYTES:
    raise ValueError(f'it must have at most {_MOST_BYTES} bytes.')
  try:
    text = text if isinstance(text, str) else text.decode('utf-8')
    found = json.loads(text.removeprefix('\ufeff'), parse_int=_number)
    _check_levels(found)
    found = finite(found)
  except (ValueError, RecursionError) as error:
    raise ValueError(f'it must be JSON in UTF-8: {error}.') from error
  check(found, form)
  return found


def _number(digits):
  return int(digits) if len(digits) <= _LONGEST_INT else float(digits)


def _check_levels(value, left=_MOST_LEVELS):
  if not left:
    raise ValueError(f'nested more than {_MOST_LEVELS} deep')
  if isinstance(value, dict | list):
    for inner in value.values() if isinstance(value, dict) else value:
      _check_levels(inner, left - 1)


def check(value: Any, form: Any, name: str = '') -> None:
  """Checks that a value has a form."""
  forms = form if isinstance(form, tuple) else (form,)
  for each in forms:
    if isinstance(each, list) and isinstance(value, list | tuple):
      for i, part in enumerate(value):
        check(part, each[0], f'{name}[{i}]')
      return
    if isinstance(each, dict) and isinstance(value, Mapping):
      for key in value if str in each else each:
        here = f'{name}.{key}' if name else key
        check(value.get(key), each.get(str, each.get(key)), here)
      return
  if not any(_is_of(value, each) for each in forms):
    needs = ' or '.join(
      _TYPES[type(f) if isinstance(f, dict | list) else f] for f in forms
    )
    got = repr(value) if len(repr(value)) < 80 else type(value).__name__
    raise ValueError(
      f'{f"`{name}`" if name else "it"} must be {needs}, got {got}.'
    )


def _is_of(value, kind):
  if isinstance(value, bool) or not isinstance(kind, type):
    return value is kind or kind is bool
  return isinstance(value, _ACCEPTED.get(kind, kind))
