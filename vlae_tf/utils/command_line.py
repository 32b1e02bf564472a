"""Command lines: shared flags, their help, and one-line errors."""

import contextlib
import errno
import math
import os
import pathlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import tensorflow as tf
from absl import app, flags, logging

from vlae_tf.utils import console, devices, fields, presets, random, registry

_SPECIAL = ('flagfile',)  # absl knows it without having it among its flags.
_HELP = ('help', 'helpshort', 'h', '?')


# Makers, defaults and help of shared flags.
_SHARED: dict[str, tuple[Any, ...]] = {
  'checkpoint': (
    flags.DEFINE_enum,
    None,
    ['last', 'best'],
    'The last one, or the best by validation; by default the best of runs '
    'with early stopping, the last of others.',
  ),
  'data_dir': (
    flags.DEFINE_string,
    None,
    'Root of data sets; else $VLAE_TF_DATA_DIR, else ~/vlae_tf_data.',
  ),
  'jobs': (
    flags.DEFINE_integer,
    None,
    'Chunks at a time; by default the number of processors.',
    1,  # The lower bound.
  ),
  'overwrite': (flags.DEFINE_bool, False, 'Overwrite --out.'),
  'quiet': (
    flags.DEFINE_bool,
    False,
    'Suppress progress output; results, warnings and errors are printed.',
  ),
}


def define(*names: str) -> None:
  """Defines flags that several commands share; `run` obeys `--quiet`."""
  for name in names:
    make, *arguments = _SHARED[name]
    make(name, *arguments)


def define_workdir(required: bool = True) -> None:
  """Defines `--workdir`."""
  flags.DEFINE_string(
    'workdir', None, 'Directory of the run.', required=required
  )


def define_seed(help: str) -> None:
  """Defines `--seed`."""
  flags.DEFINE_integer(
    'seed', 0, help, lower_bound=0, upper_bound=random.MAX_SEED
  )


def define_run(seed: str | None = None, several: bool = False) -> None:
  """Defines the flags of commands that read a run, or several, and images."""
  if several:
    flags.DEFINE_multi_string(
      'workdir', None, 'Run directory; may be repeated.', required=True
    )
  else:
    define_workdir()
  define('checkpoint', 'data_dir', 'quiet')
  if seed is not None:
    define_seed(seed)


def define_out(help: str, required: bool = True) -> None:
  """Defines `--out` and `--overwrite`."""
  flags.DEFINE_string('out', None, help, required=required)
  define('overwrite')


def define_split(help: str) -> None:
  """Defines `--split`."""
  flags.DEFINE_enum('split', 'test', ['train', 'validation', 'test'], help)


def define_max_images(
  help: str, default: int | None = None, least: int = 1
) -> None:
  """Defines `--max_images`."""
  flags.DEFINE_integer('max_images', default, help, lower_bound=least)


def define_num_samples(
  help: str, default: int | None = None, least: int = 1
) -> None:
  """Defines `--num_samples`, importance samples per image."""
  flags.DEFINE_integer('num_samples', default, help, least, 1_000_000)


def define_model() -> None:
  """Defines `--workdir`, `--checkpoint` and `--pretrained`."""
  define_workdir(required=False)
  define('checkpoint')
  flags.DEFINE_string(
    'pretrained',
    None,
    'In place of --workdir: a folder that `export --format=pretrained` wrote, '
    'or the name of a model of the package, such as omniglot.',
  )


def check_model() -> None:
  """Checks that the flags of `define_model` give one model."""
  present = given('workdir', 'pretrained')
  if len(present) != 1:
    raise ValueError(
      'one of --workdir, the directory of a run, and --pretrained must be '
      f'given, got {"both" if present else "none"}.'
    )
  if present == ['--workdir']:
    check_workdir(flags.FLAGS.workdir)
  elif given('checkpoint'):
    raise ValueError('--checkpoint applies to --workdir only.')


def check_workdir(workdir: str, name: str = 'workdir') -> None:
  """Checks that a directory exists."""
  # `pathlib` raises for names that are too long.
  if os.path.isdir(workdir):
    return
  near, path = '', pathlib.Path(workdir)
  if os.path.isdir(path.parent):
    others = [p.name for p in path.parent.iterdir() if p.is_dir()]
    near = registry.suggestion(path.name, others)
  what = 'the file' if os.path.exists(workdir) else 'nothing at'
  raise ValueError(
    f'`{name}` must be the directory of a run, got {what} {workdir}.{near} '
    'Train one with python -m vlae_tf.train.'
  )


def given(*names: str) -> list[str]:
  """The flags among these that the user gave, as `--NAME`."""
  return [f'--{name}' for name in names if flags.FLAGS[name].present]


def text(name: str) -> str:
  """The value of a required flag whose name is a word of Python, `in`."""
  value = flags.FLAGS[name].value
  assert isinstance(value, str), name
  return value


def integers(name: str, words: Mapping[str, int] | None = None) -> list[int]:
  """The integers of a flag that is a list, `3,17`."""
  parts = flags.FLAGS[name].value or ()
  try:
    return [int((words or {}).get(part, part)) for part in parts]
  except ValueError:
    given, others = ','.join(parts), ''.join(f' or {w!r}' for w in words or ())
    raise ValueError(
      f'`{name}` must be integers{others} with commas between them, got '
      f'{given!r}.'
    ) from None


def run(
  main: Callable[[], None],
  define_flags: Callable[[], None] = lambda: None,
  doc: str | None = None,
) -> None:
  """Runs a command: parses its flags and turns errors of users into a line."""
  define_flags()
  flags.DEFINE_bool(
    'tf32',
    False,
    'Allow TF32 matrix products on GPUs (10-bit mantissa): faster, less '
    'precise.',
  )
  logging.set_verbosity(logging.WARNING)
  app.run(
    lambda _: _guarded(main),
    flags_parser=lambda argv: _parse(argv, doc or ''),
  )


def _guarded(main):
  try:
    devices.configure(flags.FLAGS.tf32)
    console.be_quiet('quiet' in flags.FLAGS and flags.FLAGS.quiet)
    main()
  except BrokenPipeError:
    raise
  except (OSError, ValueError) as error:
    _fail(error)
  except (MemoryError, tf.errors.ResourceExhaustedError) as error:
    # TensorFlow has one class of errors for memory and disks.
    is_disk = os.strerror(errno.ENOSPC) in str(error)
    lacking = 'disk space' if is_disk else 'memory'
    _fail(f'not enough {lacking}: {console.brief(error)}')


def _fail(error):
  """Prints an error in one line, arguments by the names of their flags."""
  message = ' '.join(str(error).split())
  names = {*flags.FLAGS, *_SPECIAL}
  message = re.sub(
    r'`(\w+)`', lambda m: f'--{m[1]}' if m[1] in names else m[0], message
  )
  with contextlib.suppress(OSError):
    print(f'error: {message}', file=sys.stderr, flush=True)
  sys.exit(1)


def _parse(argv, doc):
  args = argv[1:]
  before = args[: args.index('--')] if '--' in args else args
  if any(a.startswith('-') and a.lstrip('-') in _HELP for a in before):
    print(doc.strip(), '', *_help_lines(), sep='\n')
    sys.exit(0)
  try:
    rest = flags.FLAGS([argv[0], *presets.expand(args, directives())])[1:]
    if rest:
      raise flags.Error(f'unexpected argument {rest[0]!r}')
    for flag in _own_flags():
      if flag.present:
        flag.value = _checked(flag.name, flag.value)
  except (flags.Error, ValueError) as error:
    _fail(f'{_reworded(error)} (--help lists the flags)')
  return argv[:1]


def _checked(name, value):
  """A given value with `~` expanded, if it is one; absl lets others pass."""
  if value == '' or value == []:
    raise ValueError(f'`{name}` must not be empty.')
  if isinstance(value, list):
    return [_checked(name, part) for part in value]
  if isinstance(value, float):
    fields.check(name, value, math.isfinite(value), 'a finite number')
  if not isinstance(value, str):
    return value
  is_local = not re.match(r'[A-Za-z][\w+.-]*://', value)
  fields.check(name, value, is_local, 'a local path')
  path = os.path.expanduser(value)
  fields.check(name, value, path[0] != '~', 'in a home directory that exists')
  return path


def directives() -> list[str]:
  """Flags that stand for lines of a file, in the command that is defined."""
  # Elsewhere `--preset` is the name of a model.
  takes_experiments = 'preset' in flags.FLAGS and isinstance(
    flags.FLAGS['preset'].parser, flags.EnumParser
  )
  return [*_SPECIAL, *(['preset'] if takes_experiments else [])]


def _own_flags() -> Iterator[flags.Flag]:
  """Flags of the command, without those of absl and other packages."""
  for module, defined in flags.FLAGS.flags_by_module_dict().items():
    if module.startswith('vlae_tf.') or module == sys.argv[0]:
      yield from defined


def _help_lines():
  """Help of each flag, required ones first."""
  known = sorted(_own_flags(), key=lambda f: (not _is_required(f), f.name))
  for flag in known:
    about = [flag.help]
    if flag.default is not None:
      about.append(f'(default: {flag.default_as_str})')
    if flag.parser.syntactic_help:
      about.append(f'({flag.parser.syntactic_help})')
    if _is_required(flag):
      about.append('(required)')
    name = f'--[no]{flag.name}' if flag.boolean else f'--{flag.name}'
    yield flags.text_wrap(f'{name}: {" ".join(about)}', 80, '    ', '  ')


def _is_required(flag):
  # Only the validator of `required=True` has this message.
  return any('other than None' in v.message for v in flag.validators)


def _reworded(error):
  """An error of absl with the constraint, the value and the nearest choice."""
  found = re.fullmatch(r'flag --(\w+)=(.*?): (.*)', str(error), re.DOTALL)
  if not found:
    return error
  name, value, problem = found.groups()
  if 'other than None' in problem:
    return f'--{name} must be given.'
  parser = flags.FLAGS[name].parser
  choices = getattr(parser, 'enum_values', ())
  # Of absl's parsers that can fail, that of booleans alone has no such help.
  needed = parser.syntactic_help or 'true or false'
  if choices:
    needed = f'one of {", ".join(choices)}'
  return (
    f'--{name} must be {needed}, got {value!r}.'
    f'{registry.suggestion(value, choices)}'
  )
