"""Being told to stop, and stopping where nothing is lost."""

import contextlib
import signal
import threading
from collections.abc import Iterator

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interruption:
  """Whether the process was asked to stop, and by which signal."""

  def __init__(self) -> None:
    self.name: str | None = None

  @property
  def exit_status(self) -> int:
    """What a shell gives for a process that such a signal ended."""
    return 128 + signal.Signals[self.name] if self.name else 0

  @contextlib.contextmanager
  def watched(self) -> Iterator['Interruption']:
    """Notes a signal instead of dying; a second one is obeyed at once."""
    if threading.current_thread() is not threading.main_thread():
      yield self
      return
    before = {s: signal.signal(s, self._note) for s in _SIGNALS}
    try:
      yield self
    finally:
      for number, handler in before.items():
        signal.signal(number, handler)

  def _note(self, number, frame):
    del frame
    self.name = signal.Signals(number).name
    for each in _SIGNALS:
      signal.signal(each, signal.SIG_DFL)
