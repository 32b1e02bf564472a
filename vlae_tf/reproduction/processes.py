"""Our own commands as processes that end when this one is told to.

A command knows what it leaves behind when it is killed; a signal that comes to
this process is therefore handed on once, and the command waited for.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence

_SECONDS_BETWEEN_LOOKS = 1.0
_MOST_OF_A_LINE = 4096  # Bytes.
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# A process without a parent would hold the run that the next one goes on with:
# Linux ends it (prctl's PR_SET_PDEATHSIG is 1), and it saves as it does so.
_ENDING_WITH_PARENT = (
  'import ctypes, os, signal, sys; '
  'ctypes.CDLL(None).prctl(1, signal.SIGTERM); '
  'os.execv(sys.argv[1], sys.argv[1:])'
)


class FailedError(ValueError):
  """A command that failed; the message says why in one line."""


def run(
  args: Sequence[str],
  log: pathlib.Path,
  tell: Callable[[str], None] = lambda line: None,
) -> None:
  """Runs `python -m ARGS` to its end."""
  command = [sys.executable, '-m', *args]
  if sys.platform == 'linux':
    command = [sys.executable, '-ISc', _ENDING_WITH_PARENT, *command]
  log.parent.mkdir(parents=True, exist_ok=True)
  with open(log, 'ab') as file, _handed_on() as (running, came):
    begin = file.tell()
    # In a session of its own: Ctrl-C comes to it from here alone, and once.
    process = subprocess.Popen(
      command,
      stdin=subprocess.DEVNULL,
      stdout=file,
      stderr=subprocess.STDOUT,
      start_new_session=True,
    )
    running.append(process)
    for number in came:  # While it was being started.
      process.send_signal(number)
    status = _awaited(process, tell, lambda: _last_line(log, begin))
  if came:
    sys.exit(128 + came[0])
  if status:
    raise FailedError(f'{_ending(status)}: {_reason(log, begin)}')


def _awaited(process, tell, look):
  """The status of a process; until it ends, what it said last is told."""
  while True:
    try:
      return process.wait(_SECONDS_BETWEEN_LOOKS)
    except subprocess.TimeoutExpired:
      if line := look():
        tell(line)


@contextlib.contextmanager
def _handed_on() -> Iterator[tuple[list[subprocess.Popen], list[int]]]:
  """Hands signals on to processes that are put into the first list."""
  running: list[subprocess.Popen] = []
  came: list[int] = []

  def note(number, frame):
    del frame
    came.append(number)
    for process in running:
      process.send_signal(number)

  # What whoever started this process had it ignore stays ignored.
  known = {s: signal.getsignal(s) for s in _SIGNALS}
  before = {s: h for s, h in known.items() if h is not signal.SIG_IGN}
  for number in before:
    signal.signal(number, note)
  try:
    yield running, came
  finally:
    for number, handler in before.items():
      signal.signal(number, handler)


def _ending(status):
  if status < 0:
    return f'killed by {signal.Signals(-status).name}'
  return f'status {status}'


def _reason(log, begin):
  """Why a command failed: what it said last."""
  last = _last_line(log, begin).removeprefix('error: ') or 'it said nothing'
  return last.rstrip('.') + f' ({os.fspath(log)})'


def _last_line(log, begin):
  """What a command said last, empty if it said nothing."""
  with open(log, 'rb') as file:
    end = file.seek(0, os.SEEK_END)
    file.seek(max(begin, end - _MOST_OF_A_LINE))
    text = file.read().decode('utf-8', 'replace')
  lines = [line.strip() for line in text.splitlines() if line.strip()]
  return lines[-1] if lines else ''
