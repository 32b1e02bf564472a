"""Warnings to the person who started a command: one line on standard error."""

import sys


def warn(message: object) -> None:
  """Prints a warning.

  Args:
    message: String, or an error; its line breaks are lost.
  """
  print(f'warning: {" ".join(str(message).split())}', file=sys.stderr)
  sys.stderr.flush()
