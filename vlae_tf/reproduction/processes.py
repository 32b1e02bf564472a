"""Commands of this package as processes; no part of the package is imported."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence

_SECONDS_BETWEEN_LOOKS = 1.0  # At the log of a command.
_MOST_OF_A_LINE = 4096  # Bytes.
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# A process without a parent would hold the run directory that the next one
# resumes: Linux ends it (prctl's PR_SET_PDEATHSIG is 1), and it saves first.
_ENDING_WITH_PARENT = (
  'import ctypes, os, signal, sys; '
  'ctypes.CDLL(None).prctl(1, signal.SIGTERM); '
  'os.execv(sys.argv[1], sys.argv[1:])'
)


def run(
  args: Sequence[str],
  log: pathlib.Path,
  tell: Callable[[str], None] = lambda line: None,
) -> None:
  """Runs `python -m ARGS` to its end; `tell` gets its last line of output.

  A signal to this process is forwarded once, and the command awaited: it saves
  before it ends. If the command fails, a `ValueError` gives the reason in one
  line.
  """
  line = [sys.executable, '-m', *args]
  if sys.platform == 'linux':
    line = [sys.executable, '-ISc', _ENDING_WITH_PARENT, *line]
  log.parent.mkdir(parents=True, exist_ok=True)
  with open(log, 'ab') as file, _forwarded() as (running, came):
    begin = file.tell()
    # In a session of its own: Ctrl-C comes to it from here alone, and once.
    process = subprocess.Popen(
      line,
      stdin=subprocess.DEVNULL,
      stdout=file,
      stderr=subprocess.STDOUT,
      start_new_session=True,
    )
    running.append(process)
    for number in came:  # While it was being started.
      process.send_signal(number)
    status = None
    while status is None:
      try:
        status = process.wait(_SECONDS_BETWEEN_LOOKS)
      except subprocess.TimeoutExpired:
        if last := _last_line(log, begin):
          tell(last)
  if came:
    sys.exit(128 + came[0])
  if status:
    ending = f'status {status}'
    if status < 0:
      ending = f'killed by {signal.Signals(-status).name}'
    reason = _last_line(log, begin).removeprefix('error: ') or 'no output'
    raise ValueError(f'{ending}: {reason.rstrip(".")} ({os.fspath(log)})')


@contextlib.contextmanager
def _forwarded() -> Iterator[tuple[list[subprocess.Popen], list[int]]]:
  """Forwards signals to the processes in the first list."""
  running: list[subprocess.Popen] = []
  came: list[int] = []

  def note(number, frame):
    del frame
    came.append(number)
    for process in running:
      process.send_signal(number)

  # A signal that the parent process had ignored stays ignored.
  known = {s: signal.getsignal(s) for s in _SIGNALS}
  before = {s: h for s, h in known.items() if h is not signal.SIG_IGN}
  for number in before:
    signal.signal(number, note)
  try:
    yield running, came
  finally:
    for number, handler in before.items():
      signal.signal(number, handler)


def _last_line(log, begin):
  """The last line that a command wrote, '' if none."""
  with open(log, 'rb') as file:
    end = file.seek(0, os.SEEK_END)
    file.seek(max(begin, end - _MOST_OF_A_LINE))
    text = file.read().decode('utf-8', 'replace')
  lines = [line.strip() for line in text.splitlines() if line.strip()]
  return lines[-1] if lines else ''
