"""Console output: progress meters, warnings and messages."""

import contextlib
import dataclasses
import os
import re
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from tqdm import tqdm

_SECONDS_BETWEEN_LINES = 10.0
# TensorFlow's decoration of error messages.
_WRAPPING = re.compile(r'\{\{function_node [^}]*\}\} ?| ?\[Op:\w+\]')
_is_quiet = False


def be_quiet(quiet: bool = True) -> None:
  """Switches all meters of this process off, from now on."""
  global _is_quiet
  _is_quiet = quiet


def warn(message: object) -> None:
  """Prints a warning, one line on standard error, above a bar."""
  _print(f'warning: {" ".join(str(message).split())}', _Stream(sys.stderr))


def say(text: str) -> None:
  """Prints to standard output, above a bar; a failure to write is no error."""
  _print(text, _Stream(sys.stdout))


@dataclasses.dataclass(frozen=True)
class _Stream:
  """A stream that drops what cannot be written: output never ends a run."""

  stream: Any

  def write(self, text):
    # A pipe without a reader, a closed terminal, a full device.
    with contextlib.suppress(OSError, ValueError):
      self.stream.write(text)

  def flush(self):
    with contextlib.suppress(OSError, ValueError):
      self.stream.flush()

  def isatty(self):
    with contextlib.suppress(OSError, ValueError):
      return self.stream.isatty()
    return False

  def __getattr__(self, name):
    return getattr(self.stream, name)


def _print(text, file):
  """Prints a line above the bars, which are on standard error or on `file`."""
  bars = _Stream(sys.stderr) if file.stream is sys.stdout else file
  with tqdm.external_write_mode(bars):
    file.write(f'{text}\n')
    file.flush()


def brief(error: BaseException) -> str:
  r"""The first line of an error, without TensorFlow's decoration.

  >>> brief(ValueError('{{function_node f}} disk full [Op:SaveV2]\nmore'))
  'disk full'
  """
  first = (str(error).splitlines() or [''])[0]
  return _WRAPPING.sub('', first).strip().rstrip('.') or type(error).__name__


def count(num: int, what: str) -> str:
  """A number of things.

  >>> count(1, 'image'), count(8070, 'image')
  ('1 image', '8,070 images')
  """
  return f'{num:,} {what}' + 's' * (num != 1)


def columns(rows: Iterable[Sequence[str]]) -> str:
  """Lines with aligned columns, the first to the left, the others to the right.

  >>> print(columns([('', 'nats'), ('rate', '9.3'), ('NLL', '81.25')]))
         nats
  rate    9.3
  NLL   81.25
  """
  rows = list(rows)
  widths = [max(map(len, column)) for column in zip(*rows)]
  lines = [
    [row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]
    for row in rows
  ]
  return '\n'.join('  '.join(line).rstrip() for line in lines)


class Meter:
  """Shows `UNIT DONE/TOTAL ETA RATE TEXT` on standard error.

  On a terminal this is a bar; elsewhere, lines at most every ten seconds.

  >>> with Meter(3, 'image', file=sys.stdout, patient=False) as meter:
  ...   meter.advance(1)
  image 1/3
  """

  def __init__(  # noqa: PLR0913
    self,
    total: int,
    unit: str,
    initial: int = 0,
    speed: tuple[float, str] | None = None,
    file: TextIO | None = None,
    patient: bool = True,
    seconds_between_lines: float | None = None,
  ):
    """Creates the meter; the clock starts with the first step.

    The speed is in items of a step, `(100, 'image')`, or in steps. A patient
    meter prints no line in the first ten seconds, even if the work ends then.
    """
    self._file = _Stream(sys.stderr if file is None else file)
    self._unit = unit
    self._per_step, self._counted = speed if speed else (1.0, unit)
    self._total, self._done = total, initial
    # Time and step of the first call: the step before it may have compiled.
    self._origin: tuple[float, int] | None = None
    self._between = _SECONDS_BETWEEN_LINES
    if seconds_between_lines is not None:
      self._between = seconds_between_lines
    self._next = time.monotonic() + self._between * patient
    self._last_line = not patient
    is_terminal = self._file.isatty() and os.environ.get('TERM') != 'dumb'
    self._bar = tqdm(
      total=total,
      initial=initial,
      file=self._file,
      disable=_is_quiet or not is_terminal,
      dynamic_ncols=True,
      miniters=1,
      bar_format=self._bar_format(''),
    )

  def __enter__(self) -> 'Meter':
    return self

  def __exit__(self, *_) -> None:
    self.close()

  def advance(self, steps: int) -> None:
    self.show(self._done + steps)

  def tell(self, text: str) -> None:
    """Shows a text beside the steps that are done so far."""
    self.show(self._done, text)
    if not self._bar.disable:
      self._bar.refresh()

  def show(self, done: int, text: str = '') -> None:
    now = time.monotonic()
    self._done = done
    if self._origin is None:
      self._origin = now, done
    after = f'{self._pace(now)}{text}'
    if not self._bar.disable:
      self._bar.bar_format = self._bar_format(after)
      self._bar.update(done - self._bar.n)
    elif now >= self._next or (self._last_line and done >= self._total):
      self._next = now + self._between
      self._last_line = True
      self.write(f'{self._state()} {after}'.rstrip())

  def write(self, text: str) -> None:
    if not _is_quiet:
      _print(text, self._file)

  def close(self) -> None:
    """Ends the line of a bar."""
    self._bar.close()

  def _state(self):
    return f'{self._unit} {self._done}/{self._total}'

  def _bar_format(self, after):
    percent = 100 * self._done // max(self._total, 1)
    after = after.replace('{', '{{').replace('}', '}}')  # tqdm formats it.
    return f'{self._state()} {percent:3d}%|{{bar:10}}| {after}'.rstrip()

  def _pace(self, now):
    """Remaining time and speed, once a step was timed."""
    assert self._origin is not None
    start, first = self._origin
    seconds, steps = max(now - start, 1e-9), self._done - first
    if not steps:
      return ''
    left = tqdm.format_interval(
      round(seconds / steps * (self._total - self._done))
    )
    speed = self._per_step * steps / seconds
    short = f'{speed:.0f}' if speed >= 10 else f'{speed:.2g}'
    return f'ETA {left.removeprefix("0")} {short} {self._counted}s/s '
