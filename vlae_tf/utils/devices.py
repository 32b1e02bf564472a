"""GPU configuration, and work in threads."""

import collections
import concurrent.futures
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import tensorflow as tf

_T = TypeVar('_T')
_configured = False  # Later settings of the user are left alone.


def configure(tf32: bool | None = None) -> None:
  """Sets matrix precision and memory growth of GPUs, before they compute."""
  # By default TensorFlow multiplies float32 in TF32, of 10 bits, and takes all
  # memory of a card at once: likelihoods would be off in their third digit, and
  # two commands would not fit on one card. Nothing changes on a CPU.
  global _configured
  if tf32 is None and _configured:
    return
  _configured = True
  tf.config.experimental.enable_tensor_float_32_execution(bool(tf32))
  for device in tf.config.list_physical_devices('GPU'):
    try:
      tf.config.experimental.set_memory_growth(device, True)
    # It computes already, or the user has divided it.
    except (RuntimeError, ValueError):
      return


def locked(
  progress: Callable[[int], Any] | None,
) -> Callable[[int], Any] | None:
  """The same callable, if any, for use by several threads at a time."""
  if progress is None:
    return None
  lock = threading.Lock()

  def locked(num):
    with lock:
      progress(num)

  return locked


def threaded_map(
  fn: Callable[[Any], _T], items: Iterable[Any], jobs: int
) -> Iterator[_T]:
  """Ordered results of a function in threads, at most `jobs` items ahead."""
  with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
    waiting: collections.deque[concurrent.futures.Future] = collections.deque()
    try:
      for item in items:
        waiting.append(pool.submit(fn, item))
        if len(waiting) >= jobs:
          yield waiting.popleft().result()
      while waiting:
        yield waiting.popleft().result()
    finally:
      for future in waiting:
        future.cancel()
