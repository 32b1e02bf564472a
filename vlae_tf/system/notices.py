"""Warnings to the person who started a command: one line on standard error."""

import re
import sys

# What TensorFlow puts around the words of an error.
_WRAPPING = re.compile(r'\{\{function_node [^}]*\}\} ?| ?\[Op:\w+\]')


def warn(message: object) -> None:
  """Prints a warning.

  Args:
    message: String, or an error; its line breaks are lost.
  """
  print(f'warning: {" ".join(str(message).split())}', file=sys.stderr)
  sys.stderr.flush()


def brief(error: BaseException) -> str:
  """The first line of an error, without what TensorFlow wraps it in.

  >>> brief(ValueError('{{function_node f}} disk full [Op:SaveV2]\\nmore'))
  'disk full'
  """
  first = (str(error).splitlines() or [''])[0]
  return _WRAPPING.sub('', first).strip().rstrip('.') or type(error).__name__
