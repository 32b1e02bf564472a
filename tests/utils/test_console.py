"""What is shown of a long work: lines in a log, a bar on a terminal."""

import errno
import io
import random
import re
import sys

import pytest
from toys import terminal

from vlae_tf.utils import console

_LINE = re.compile(
  r'image (\d+)/(\d+)( ETA (\d+:)?\d+:\d\d \d\S* images/s)?( words)?'
)


@pytest.fixture
def clock(monkeypatch):
  """A clock that the test sets."""
  now = [0.0]
  monkeypatch.setattr(console.time, 'monotonic', lambda: now[0])
  return now


def _lines(clock, times, **kwargs):
  clock[0] = 0.0
  file = io.StringIO()
  with console.Meter(len(times), 'image', file=file, **kwargs) as meter:
    for clock[0] in times:
      meter.advance(1)
  return file.getvalue().splitlines()


def test_a_log_gets_a_line_in_ten_seconds_and_the_end(clock):
  lines = _lines(clock, range(1, 26))
  assert [line.split(' ETA')[0] for line in lines] == [
    'image 10/25',
    'image 20/25',
    'image 25/25',
  ]
  # From the first image on, which may have compiled: one image a second.
  assert lines[0] == 'image 10/25 ETA 0:15 1 images/s'


def test_what_is_short_is_silent_unless_asked(clock):
  assert _lines(clock, range(9)) == []
  assert _lines(clock, range(9), patient=False) == [
    'image 1/9',
    'image 9/9 ETA 0:00 1 images/s',
  ]


def test_hours_and_slow_images_can_be_read(clock):
  times = [10_000 * k for k in range(1, 6)]
  assert _lines(clock, times)[1] == 'image 2/5 ETA 8:20:00 0.0001 images/s'


def test_a_step_may_be_many_images(clock):
  file = io.StringIO()
  meter = console.Meter(9, 'step', 4, (50, 'image'), file, patient=False)
  meter.show(5, 'first')
  clock[0] = 20.0
  meter.show(6, 'second')
  meter.write('between')
  assert file.getvalue().splitlines() == [
    'step 5/9 first',
    'step 6/9 ETA 1:00 2.5 images/s second',
    'between',
  ]


def test_lines_are_flushed(clock):
  flushed = []
  file = io.StringIO()
  file.flush = lambda: flushed.append(file.getvalue())
  console.Meter(2, 'image', file=file, patient=False).advance(1)
  assert flushed == ['image 1/2\n']


@pytest.mark.parametrize('seed', range(20))
def test_lines_are_of_one_form_and_count_up_to_the_end(clock, seed):
  rng = random.Random(seed)
  total, initial = rng.randint(50, 10**6), rng.randint(0, 40)
  words = rng.choice(['', 'words'])
  file = io.StringIO()
  with console.Meter(total, 'image', initial, file=file) as meter:
    done = initial
    while done < total:
      done = min(total, done + rng.randint(1, total // 10))
      clock[0] += 10 ** rng.uniform(-3, 4)
      meter.show(done, words)
  found = [_LINE.fullmatch(line) for line in file.getvalue().splitlines()]
  assert len(found) > 1 and all(found)
  counts = [int(match[1]) for match in found]
  assert counts == sorted(set(counts)) and counts[-1] == total
  assert {int(match[2]) for match in found} == {total}
  assert {bool(match[5]) for match in found} == {bool(words)}
  # Of the first the rate is not known yet.
  assert all(match[3] for match in found[1:])


def test_a_state_is_told_of_what_is_not_done(clock):
  file = io.StringIO()
  slow = dict(file=file, seconds_between_lines=60.0)
  meter = console.Meter(2, 'experiment', **slow)
  for clock[0] in range(10, 130, 10):
    meter.tell(f'at {clock[0]}')
  clock[0] = 200.0
  meter.advance(1)
  assert file.getvalue().splitlines() == [
    'experiment 0/2 at 60',
    'experiment 0/2 at 120',
    'experiment 1/2 ETA 3:10 0.0053 experiments/s',
  ]


def test_what_is_quiet_says_nothing(clock):
  console.be_quiet()
  try:
    assert _lines(clock, range(0, 100, 10), patient=False) == []
    file = io.StringIO()
    console.Meter(1, 'image', file=file).write('between')
    assert file.getvalue() == ''
  finally:
    console.be_quiet(False)
  assert _lines(clock, range(0, 100, 10))


def _shown(monkeypatch, columns, term='xterm', text=''):
  """What a terminal shows of four steps with a line and a warning between."""
  monkeypatch.setenv('TERM', term)
  with terminal.opened(columns) as (path, screen):
    with open(path, 'w', encoding='utf-8') as file:
      monkeypatch.setattr(sys, 'stderr', file)
      with console.Meter(4, 'image') as meter:
        for done in range(1, 5):
          meter.show(done, text)
          if done == 2:
            meter.write('a line')
            console.warn('beware')
      monkeypatch.undo()
  return screen


def test_a_terminal_has_a_bar_whose_line_ends(monkeypatch):
  screen = _shown(monkeypatch, 80, text='{words}')
  line, warning, bar, end = screen.lines()
  assert (line, warning, end) == ('a line', 'warning: beware', '')
  assert re.fullmatch(
    r'image 4/4 100%\|\S{10}\| ETA 0:00 \d+ images/s \{words\}', bar
  )
  assert 'image 0/4   0%|' in screen.raw and 'image 2/4  50%|' in screen.raw


@pytest.mark.parametrize('columns', [2, 8, 14, 30])
def test_a_narrow_terminal_is_not_overrun(monkeypatch, columns):
  screen = _shown(monkeypatch, columns, text='words ' * 20)
  # What is not of the bar is written whole.
  mine = ('a line', 'warning: beware')
  bar, end = (line for line in screen.lines() if line not in mine)
  assert end == ''
  seen = bar[: len('image 4/4 100%')]
  assert seen and 'image 4/4 100%'.startswith(seen)
  for whole in mine:
    screen.raw = screen.raw.replace(whole, '')
  assert columns - 4 < screen.widest() <= columns


def test_a_dumb_terminal_has_lines(monkeypatch):
  screen = _shown(monkeypatch, 80, term='dumb')
  assert screen.lines() == ['a line', 'warning: beware', '']
  # The device makes two characters of every end of a line.
  assert '\r' not in screen.raw.replace('\r\n', '\n')


def test_an_error_leaves_the_line_of_the_bar(monkeypatch):
  monkeypatch.setenv('TERM', 'xterm')
  with terminal.opened() as (path, screen):
    with open(path, 'w', encoding='utf-8') as file:
      with pytest.raises(KeyboardInterrupt):
        with console.Meter(2, 'image', file=file) as meter:
          meter.advance(1)
          raise KeyboardInterrupt
      print('interrupted', file=file)
  assert screen.lines()[-2:] == ['interrupted', '']
  assert screen.lines()[-3].startswith('image 1/2  50%|')


class _Broken(io.StringIO):
  """A terminal that was closed, or a full device behind a stream."""

  def __init__(self, error):
    super().__init__()
    self._error = error

  def write(self, text):
    raise self._error

  def flush(self):
    raise self._error

  def isatty(self):
    return True


@pytest.mark.parametrize('term', ['xterm', 'dumb'])
@pytest.mark.parametrize(
  'error',
  [
    BrokenPipeError(errno.EPIPE, 'Broken pipe'),
    OSError(errno.EIO, 'Input/output error'),
    OSError(errno.ENOSPC, 'No space left on device'),
    ValueError('I/O operation on closed file'),
    UnicodeEncodeError('ascii', 'é', 0, 1, 'not in range'),
  ],
)
def test_output_that_cannot_be_written_raises_nothing(
  monkeypatch, clock, term, error
):
  monkeypatch.setenv('TERM', term)
  for name in ('stderr', 'stdout'):
    monkeypatch.setattr(sys, name, _Broken(error))
  with console.Meter(3, 'image', patient=False) as meter:
    for clock[0] in (10.0, 20.0, 30.0):
      meter.advance(1)
      meter.tell('words')
    meter.write('between')
    console.warn('beware')
    console.say('a line')
