"""How a step is spread over the cores of a processor.

TensorFlow spreads each operation over all cores, and the convolutions of small
maps lose much of the time to that. Two halves of the batch side by side, each
operation on one core, took 0.9 of the time on two cores.
"""

import os
from collections.abc import Sequence

import tensorflow as tf

# More parts make a bigger graph, and smaller operations.
_MOST_PARTS = 4


def num_cores() -> int:
  """Number of cores that this process may use."""
  if hasattr(os, 'sched_getaffinity'):  # Linux
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


def parts_of(batch_size: int, num_cores: int) -> int:
  """Number of equal parts to compute a batch in."""
  most = min(num_cores, _MOST_PARTS)
  return max(n for n in range(1, most + 1) if batch_size % n == 0)


def set_threads(parts: int, num_cores: int) -> None:
  """Gives each part its share of the cores, before TensorFlow starts."""
  if parts == 1:
    return
  tf.config.threading.set_inter_op_parallelism_threads(parts)
  tf.config.threading.set_intra_op_parallelism_threads(
    max(1, num_cores // parts)
  )


def balanced(sizes: Sequence[int], num_groups: int) -> list[list[int]]:
  """Divides things into groups of about the same size."""
  groups: list[list[int]] = [[] for _ in range(num_groups)]
  totals = [0] * num_groups
  for k in sorted(range(len(sizes)), key=lambda k: -sizes[k]):
    smallest = totals.index(min(totals))
    groups[smallest].append(k)
    totals[smallest] += sizes[k]
  return [sorted(group) for group in groups if group]
