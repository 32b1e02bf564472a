"""Work in threads, in order and a few items at a time."""

import collections
import concurrent.futures
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

_T = TypeVar('_T')


def locked(
  progress: Callable[[int], Any] | None,
) -> Callable[[int], Any] | None:
  """A callable that threads may call at the same time, if there is one."""
  if progress is None:
    return None
  lock = threading.Lock()

  def locked(num):
    with lock:
      progress(num)

  return locked


def in_order(
  fn: Callable[[Any], _T], items: Iterable[Any], jobs: int
) -> Iterator[_T]:
  """Results of a function that runs in threads."""
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
