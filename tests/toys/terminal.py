"""A terminal to write to, and what stands on its screen in the end."""

import contextlib
import fcntl
import os
import pty
import struct
import termios
import threading


class Screen:
  """What a person sees of all that came."""

  def __init__(self):
    self.raw = ''

  def lines(self):
    """Its lines: what comes after a carriage return is written over them."""
    lines = []
    for line in self.raw.split('\n'):
      cells = []
      for part in line.split('\r'):
        cells[: len(part)] = part
      lines.append(''.join(cells).rstrip())
    return lines

  def widest(self):
    """Length of the longest text between two returns of the carriage."""
    parts = self.raw.replace('\n', '\r').split('\r')
    return max(len(part) for part in parts)


@contextlib.contextmanager
def opened(columns=80):
  """Opens a terminal.

  Args:
    columns: Its width.

  Yields:
    The path of a device to write to and a `Screen`, which is full once the
    block is left.
  """
  ours, theirs = pty.openpty()
  size = struct.pack('HHHH', 24, columns, 0, 0)
  fcntl.ioctl(theirs, termios.TIOCSWINSZ, size)
  screen, came = Screen(), []
  reader = threading.Thread(target=_read, args=(ours, came))
  reader.start()
  try:
    yield os.ttyname(theirs), screen
  finally:
    os.close(theirs)
    reader.join(60)
    os.close(ours)
    screen.raw = b''.join(came).decode('utf-8')


def _read(source, came):
  with contextlib.suppress(OSError):  # All have closed it.
    while part := os.read(source, 4096):
      came.append(part)
