"""Presets and flagfiles, expanded to one list of flags.

absl finds nested flagfiles relative to the working directory alone; here they
may be relative to the including file, and presets are found by name.
"""

import os
import pathlib
from collections.abc import Sequence

from vlae_tf.utils import registry

_DIRECTIVES = ('preset', 'flagfile')
_COMMENTS = ('#', '//')
_MOST_CHARACTERS = 2**20


def folder() -> pathlib.Path:
  """The presets: package data, or `flags/` of a checkout."""
  package = pathlib.Path(__file__).resolve().parents[1]
  installed = package / 'presets'
  return installed if installed.is_dir() else package.parent / 'flags'


def names() -> list[str]:
  """Names of all presets, sorted."""
  return sorted(path.stem for path in folder().glob('*.flags'))


def path(name: str) -> pathlib.Path:
  """The file of a preset."""
  if name not in names():
    raise ValueError(
      f'`preset` must be one of {", ".join(names())}, got {name!r}.'
      f'{registry.suggestion(name, names())}'
    )
  return folder() / f'{name}.flags'


def expand(
  args: Sequence[str], directives: Sequence[str] = _DIRECTIVES
) -> list[str]:
  """Replaces `--flagfile` and `--preset` by the lines of their files."""
  # As with absl, a later flag wins over an earlier one, and nothing is expanded
  # after `--`. A relative path in a file is looked for beside that file, then
  # in the working directory.
  return list(_expand(iter(args), tuple(directives), ()))


def _expand(args, directives, files):
  """`expand` inside `files`, the including files, outermost first."""
  for arg in args:
    name, has_value, value = arg.lstrip('-').partition('=')
    if arg == '--':
      yield from (arg, *args)
    elif not arg.startswith('-') or name not in directives:
      yield arg
    else:
      if not has_value:
        value = next(args, None)
      if value is None:
        raise ValueError(f'`{name}` must be given a value, got {arg!r} alone.')
      file = path(value) if name == 'preset' else _find(value, files)
      yield from _expand(_lines(file, files), directives, (*files, file))


def _find(value, files):
  name = os.path.expanduser(value)
  folders = [file.parent for file in files[-1:]] + [pathlib.Path()]
  for candidate in (parent / name for parent in folders):
    if value and os.path.exists(candidate):
      return candidate
  within = f' in {files[-1]}' if files else ''
  file = folders[0] / name
  near = registry.suggestion(file.name, [f.name for f in file.parent.glob('*')])
  if file.stem in names():
    near = f' Did you mean --preset={file.stem}?'
  raise ValueError(f'`flagfile`{within} must be a file, got {value!r}.{near}')


def _lines(file, files):
  if file.resolve() in [other.resolve() for other in files]:
    way = ' -> '.join(str(f) for f in (*files, file))
    raise ValueError(f'`flagfile` must not include itself, got {way}.')
  try:
    with open(file, encoding='utf-8-sig') as opened:  # Some editors mark it.
      text = opened.read(_MOST_CHARACTERS)
      if opened.read(1):  # Some devices have no end.
        raise ValueError(f'it has more than {_MOST_CHARACTERS} characters')
  except (OSError, ValueError) as error:
    raise ValueError(f'`flagfile` {file} cannot be read: {error}.') from error
  lines = [line.strip() for line in text.splitlines()]
  return iter([x for x in lines if x and not x.startswith(_COMMENTS)])
