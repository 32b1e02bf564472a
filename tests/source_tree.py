"""What the repository's Python files are, and which of each other they import.

A file is known by its path without `.py`: 'vlae_tf/data/sources'.
"""

import ast
import pathlib

ROOT = pathlib.Path(__file__).parents[1]
_FOLDERS = ('vlae_tf', 'benchmarks', 'examples', 'tests')
# Where imports look: `from vlae_tf import seeds`, and `import toys` in a test.
_IMPORT_ROOTS = ('', 'tests/', 'benchmarks/')


def files(folder):
  """Paths without `.py` of all Python files in a folder of the repository."""
  paths = sorted((ROOT / folder).rglob('*.py'))
  return [str(p.relative_to(ROOT).with_suffix('')) for p in paths]


def text(file):
  """The source of a file."""
  return (ROOT / f'{file}.py').read_text(encoding='utf-8')


def parse(file):
  """The syntax tree of a file."""
  return ast.parse(text(file), filename=f'{file}.py')


def all_files():
  """Paths without `.py` of all Python files that `BUILD` has a target for."""
  return [f for folder in _FOLDERS for f in files(folder)]


def is_command(file):
  """Whether a file can be run, as `python -m vlae_tf.train`; not so a test."""
  main = "__name__ == '__main__'" in text(file)
  return main and not file.startswith('tests/')


def imported_names(file):
  """All dotted names that a file imports, wherever in it.

  Args:
    file: Path without `.py`.

  Returns:
    A set of pairs of a module's name and `None` (`import a.b`) or the name
    that is taken from it (`from a.b import c`).
  """
  names = set()
  for node in ast.walk(parse(file)):
    if isinstance(node, ast.Import):
      names |= {(alias.name, None) for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
      module = '.' * node.level + (node.module or '')
      names |= {(module, alias.name) for alias in node.names}
  return names


def is_first_party(module):
  """Whether a dotted module name is that of a file of the repository."""
  return _find(module) is not None


def _find(name):
  path = name.replace('.', '/')
  for folder in _IMPORT_ROOTS:
    for candidate in (f'{folder}{path}', f'{folder}{path}/__init__'):
      if (ROOT / f'{candidate}.py').is_file():
        return candidate
  return None
