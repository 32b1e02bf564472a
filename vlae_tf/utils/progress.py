"""How far something is: a bar on a terminal, lines elsewhere, or nothing.

Both say `WHAT DONE/TOTAL ETA RATE TEXT` on standard error.
"""

import os
import sys
import time
from typing import TextIO

from tqdm import tqdm

_SECONDS_BETWEEN_LINES = 10.0
_BAR = '{bar:10}'
_is_quiet = False


def be_quiet(quiet: bool = True) -> None:
  """Has all meters of this process, from now on, say nothing."""
  global _is_quiet
  _is_quiet = quiet


class Meter:
  """Shows what is done of a total, how fast it goes and when it ends.

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
    """Creates it; the clock starts with the first step, which may compile.

    Args:
      total: Number of steps that there are.
      unit: Name of a step.
      initial: Number of those that were done before.
      speed: How many of what a step is, `(100, 'image')`; steps by default.
      file: Where to write; standard error by default.
      patient: Whether to say nothing in the first ten seconds, and nothing at
        all if that is the end; on a terminal there is a bar at once.
      seconds_between_lines: Seconds from a line to the next where there is no
        bar, ten by default.
    """
    self._file = sys.stderr if file is None else file
    self._unit = unit
    self._per_step, self._counted = speed if speed else (1.0, unit)
    self._total, self._done = total, initial
    self._origin: tuple[float, int] | None = None
    self._between = seconds_between_lines
    self._next = time.monotonic() + self._period() * patient
    self._last_line = not patient
    self._bar = tqdm(
      total=total,
      initial=initial,
      file=self._file,
      disable=_is_quiet or not _has_bars(self._file),
      dynamic_ncols=True,
      miniters=1,
      bar_format=self._bar_format(''),
    )

  def __enter__(self) -> 'Meter':
    return self

  def __exit__(self, *_) -> None:
    self.close()

  def advance(self, steps: int) -> None:
    """Shows that so many more steps are done."""
    self.show(self._done + steps)

  def tell(self, text: str) -> None:
    """Shows a text beside what is done so far."""
    self.show(self._done, text)
    if not self._bar.disable:
      self._bar.refresh()

  def show(self, done: int, text: str = '') -> None:
    """Shows how many steps are done, and a text.

    Args:
      done: Number of steps.
      text: What else to say of them.
    """
    now = time.monotonic()
    self._done = done
    if self._origin is None:
      self._origin = now, done
    after = f'{self._eta(now)}{self._speed(now)}{text}'
    if not self._bar.disable:
      self._bar.bar_format = self._bar_format(after)
      self._bar.update(done - self._bar.n)
    elif now >= self._next or (self._last_line and done >= self._total):
      self._next = now + self._period()
      self._last_line = True
      self.write(f'{self._state()} {after}'.rstrip())

  def write(self, text: str) -> None:
    """Writes a line, above the bar if there is one."""
    if not self._bar.disable:
      self._bar.write(text, file=self._file)
    elif not _is_quiet:
      print(text, file=self._file, flush=True)

  def close(self) -> None:
    """Ends the bar's line."""
    self._bar.close()

  def _period(self):
    return _SECONDS_BETWEEN_LINES if self._between is None else self._between

  def _state(self):
    return f'{self._unit} {self._done}/{self._total}'

  def _bar_format(self, after):
    """What tqdm shows; it knows the bar and the width of the terminal."""
    percent = 100 * self._done // max(self._total, 1)
    # It reads what is in braces.
    after = after.replace('{', '{{').replace('}', '}}')
    return f'{self._state()} {percent:3d}%|{_BAR}| {after}'.rstrip()

  def _since_origin(self, now):
    assert self._origin is not None
    return max(now - self._origin[0], 1e-9), self._done - self._origin[1]

  def _speed(self, now):
    seconds, steps = self._since_origin(now)
    if not steps:
      return ''
    speed = self._per_step * steps / seconds
    return f'{_short(speed)} {self._counted}s/s '

  def _eta(self, now):
    seconds, steps = self._since_origin(now)
    if not steps:
      return ''
    left = round(seconds / steps * (self._total - self._done))
    hours, left = divmod(left, 3600)
    minutes, seconds = divmod(left, 60)
    if hours:
      return f'ETA {hours}:{minutes:02d}:{seconds:02d} '
    return f'ETA {minutes}:{seconds:02d} '


def _has_bars(file):
  """Whether a line there can be written over."""
  return file.isatty() and os.environ.get('TERM') != 'dumb'


def _short(speed):
  return f'{speed:.0f}' if speed >= 10 else f'{speed:.2g}'
