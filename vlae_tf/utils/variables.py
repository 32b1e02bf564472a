"""The names of a model's variables in what is saved of it."""

from collections.abc import Collection, Sequence

import keras

_SHOWN = 3  # Names in a message.


def keyed(variables: Sequence[keras.Variable]) -> dict[str, keras.Variable]:
  """Variables by the names that they have in a file."""
  by_path: dict[str, keras.Variable] = {}
  for variable in variables:
    if by_path.setdefault(variable.path, variable) is not variable:
      raise ValueError(
        '`variables` must have paths of their own, got two of '
        f'{variable.path}. Give every layer a name that its siblings have not.'
      )
  return by_path


def some(names: Collection[str]) -> str:
  """The first few of a set of names, in words.

  >>> some({'a', 'b', 'c', 'd', 'e'}), some([])
  ('a, b, c and 2 more', 'nothing')
  """
  first = sorted(names)[:_SHOWN]
  rest = len(names) - len(first)
  return ', '.join(first) + (f' and {rest} more' if rest else '') or 'nothing'
