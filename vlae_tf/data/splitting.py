"""Splits that are the same on every machine, for ever."""

from collections.abc import Sequence

import numpy as np

_SEED = 2016


def fixed_permutation(size: int) -> np.ndarray:
  """Returns the one fixed permutation of `range(size)`."""
  # -> [size]
  # NumPy promises never to change the numbers of the legacy `RandomState`; it
  # makes no such promise for those of `default_rng`.
  return np.random.RandomState(_SEED).permutation(size)


def split_by_sizes(array: np.ndarray, sizes: Sequence[int]) -> list[np.ndarray]:
  """Deals an array's rows out by the fixed permutation."""
  # array [sum(sizes), ...] -> [size, ...]
  order = fixed_permutation(len(array))
  return [array[part] for part in np.split(order, np.cumsum(sizes)[:-1])]
