"""What the commands' flags are, as the commands themselves define them.

Flags are global and of one command at a time: they are read in a process of
their own, which this file is when it is run.
"""

import functools
import importlib
import json
import subprocess
import sys

import source_tree
from absl import flags

from vlae_tf.system import command_line, presets


def names():
  """Names of all commands, such as `train`."""
  files = filter(source_tree.is_command, source_tree.files('vlae_tf'))
  return sorted(file.removeprefix('vlae_tf/') for file in files)


@functools.cache
def described():
  """What each command is, and its flags.

  Returns:
    A dictionary from names of commands to `doc`, the docstring, and `flags`, a
    list of dictionaries: `name`, `default`, `help`, `needed`.
  """
  return _ask('describe', names())


def problems(lines):
  """What is wrong with command lines; nothing is run.

  Args:
    lines: List of lists: the name of a command, then its arguments.

  Returns:
    A list of messages, `None` where there is nothing wrong.
  """
  return _ask('check', lines)


def _ask(what, about):
  result = subprocess.run(
    [sys.executable, __file__, what],
    input=json.dumps(about),
    cwd=source_tree.ROOT,
    capture_output=True,
    text=True,
    check=False,
  )
  assert result.returncode == 0, result.stderr
  return json.loads(result.stdout.splitlines()[-1])


def _define(command):
  """Defines the flags of a command alone; returns its module and them."""
  for name in _define.defined:
    delattr(flags.FLAGS, name)
  module = importlib.import_module(f'vlae_tf.{command}')
  before = set(flags.FLAGS)  # Those of absl and what else is imported.
  module.define_flags()
  _define.defined = sorted(set(flags.FLAGS) - before)
  return module, [flags.FLAGS[name] for name in _define.defined]


_define.defined = []


def _described(command):
  module, found = _define(command)
  return {'doc': module.__doc__, 'flags': [_facts(flag) for flag in found]}


def _facts(flag):
  needed = any('other than None' in v.message for v in flag.validators)
  default = None if flag.default is None else flag.default_as_str.strip("'")
  # absl puts the values of an enumeration before the words.
  *_, words = flag.help.rpartition('>: ')
  bounds = flag.parser.syntactic_help
  return {
    'name': f'--[no]{flag.name}' if flag.boolean else f'--{flag.name}',
    'default': default,
    'help': f'{words} ({bounds})' if bounds else words,
    'values': list(getattr(flag.parser, 'enum_values', [])),
    'needed': needed,
  }


def _problem(line):
  command, *args = line
  _define(command)
  known = command_line.directives()
  flags.FLAGS.unparse_flags()
  try:
    rest = flags.FLAGS([command, *presets.expand(args, known)])[1:]
  except (flags.Error, ValueError) as error:
    return str(error)
  return f'unexpected argument {rest[0]!r}' if rest else None


if __name__ == '__main__':
  about = json.load(sys.stdin)
  answer = (
    {command: _described(command) for command in about}
    if sys.argv[1] == 'describe'
    else [_problem(line) for line in about]
  )
  print(json.dumps(answer))
