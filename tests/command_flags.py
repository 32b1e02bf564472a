"""What the commands' flags are, as the commands themselves define them.

Flags are global and of one command at a time: afterwards they are as before.
"""

import contextlib
import functools
import importlib

import source_tree
from absl import flags
from absl.testing import flagsaver

import vlae_tf
from vlae_tf.utils import command_line, presets


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
  return {command: _described(command) for command in names()}


def problems(lines):
  """What is wrong with command lines; nothing is run.

  Args:
    lines: List of lists: the name of a command, then its arguments.

  Returns:
    A list of messages, `None` where there is nothing wrong.
  """
  return [_problem(line) for line in lines]


@contextlib.contextmanager
def defined(command):
  """Defines the flags of a command; gives its module and their names."""
  module = importlib.import_module(f'vlae_tf.{command}')
  # Of the package it hides a function of that name, `receptive_field`.
  vars(vlae_tf).pop(command, None)
  # It also forgets the flags that are defined inside.
  with flagsaver.flagsaver():
    before = set(flags.FLAGS)  # Those of absl and what else is imported.
    module.define_flags()
    yield module, sorted(set(flags.FLAGS) - before)


def _described(command):
  with defined(command) as (module, names):
    facts = [_facts(flags.FLAGS[name]) for name in names]
  return {'doc': module.__doc__, 'flags': facts}


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
  with defined(command):
    known = command_line.directives()
    flags.FLAGS.unparse_flags()
    try:
      rest = flags.FLAGS([command, *presets.expand(args, known)])[1:]
    except (flags.Error, ValueError) as error:
      return str(error)
  return f'unexpected argument {rest[0]!r}' if rest else None
