"""Lines to the person who started a command, above the bar if there is one."""

import re
import sys

from tqdm import tqdm

# What TensorFlow puts around the words of an error.
_WRAPPING = re.compile(r'\{\{function_node [^}]*\}\} ?| ?\[Op:\w+\]')


def warn(message: object) -> None:
  """Prints a warning, one line on standard error."""
  tqdm.write(f'warning: {" ".join(str(message).split())}', file=sys.stderr)
  sys.stderr.flush()


def say(text: str) -> None:
  """Prints to standard output."""
  tqdm.write(text, file=sys.stdout)
  sys.stdout.flush()


def brief(error: BaseException) -> str:
  r"""The first line of an error, without what TensorFlow wraps it in.

  >>> brief(ValueError('{{function_node f}} disk full [Op:SaveV2]\nmore'))
  'disk full'
  """
  first = (str(error).splitlines() or [''])[0]
  return _WRAPPING.sub('', first).strip().rstrip('.') or type(error).__name__
