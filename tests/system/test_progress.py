"""What is shown of a long work: lines in a log, a bar on a terminal."""

import io

import pytest

from vlae_tf.system import progress


class _Terminal(io.StringIO):
  def isatty(self):
    return True


@pytest.fixture
def clock(monkeypatch):
  """A clock that the test sets."""
  now = [0.0]
  monkeypatch.setattr(progress.time, 'monotonic', lambda: now[0])
  return now


def _lines(clock, times, **kwargs):
  clock[0] = 0.0
  file = io.StringIO()
  with progress.Meter(len(times), 'image', file=file, **kwargs) as meter:
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
  meter = progress.Meter(9, 'step', 4, (50, 'image'), file, patient=False)
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
  progress.Meter(2, 'image', file=file, patient=False).advance(1)
  assert flushed == ['image 1/2\n']


def test_a_terminal_has_a_bar(clock):
  file = _Terminal()
  with progress.Meter(2, 'image', file=file) as meter:
    meter.advance(1)
    meter.advance(1)
  assert '2/2' in file.getvalue() and '100%' in file.getvalue()
