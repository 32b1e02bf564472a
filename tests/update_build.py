"""Writes `BUILD` from the imports: `python tests/update_build.py`."""

import pathlib

import source_tree

_HEADER = """\
# Written by `python tests/update_build.py` from the imports: do not edit.
#
# First-party dependencies only: other packages come from the active virtual
# environment, whose Python MODULE.bazel selects.

load("@rules_python//python:defs.bzl", "py_binary", "py_library", "py_test")

package(default_visibility = ["//visibility:public"])

# What tests that look at the repository itself read.
filegroup(
    name = "repository",
    srcs = glob([
        "*",
        ".ci/*",
        ".github/**",
        "benchmarks/*",
        "docs/**",
        "examples/*",
        "flags/*",
        "notebooks/*",
        "results/**",
        "run_scripts/*",
        "tests/**/*.json",
        "tests/**/*.py",
        "vlae_tf/**/*.py",
        "vlae_tf/pretrained_models/**",
        "vlae_tf/reporting/templates/*",
        "vlae_tf/reproduction/*.json",
        "vlae_tf/py.typed",
    ]),
)
"""
_RUNNER = 'tests/run_pytest'


def build_file():
  """The text of `BUILD`."""
  targets = [_target(file) for file in source_tree.all_files()]
  return '\n'.join([_HEADER, *targets])


def rule(file):
  """The rule for a file: a command, a test, or a library."""
  if source_tree.is_command(file):
    return 'py_binary'
  is_test = pathlib.PurePath(file).name.startswith('test_')
  return 'py_test' if is_test else 'py_library'


def _target(file):
  attributes = [('name', file), ('srcs', [f'{file}.py'])]
  if rule(file) == 'py_test':
    attributes = [
      ('name', file),
      ('srcs', [f'{file}.py', f'{_RUNNER}.py']),
      ('args', [f'$(rootpath {file}.py)']),
      ('data', _conftests(file)),
      ('main', f'{_RUNNER}.py'),
    ]
  elif file.startswith('tests/'):
    attributes.append(('testonly', True))
    attributes.append(('imports', ['tests']))
    attributes.append(('data', _data(file)))
  labels = [f':{name}' for name in sorted(source_tree.imports(file))]
  attributes.append(('deps', labels))
  lines = [f'    {k} = {_literal(v)},' for k, v in attributes if v]
  return '\n'.join([f'{rule(file)}(', *lines, ')', ''])


def _data(file):
  """What a helper of the tests reads or runs, rather than imports."""
  if file == 'tests/source_tree':
    return [':repository']
  if file == 'tests/commands':
    files = source_tree.files('vlae_tf')
    return [f':{f}' for f in files if source_tree.is_command(f)]
  return []


def _conftests(file):
  """The fixtures that pytest finds beside and above a test file."""
  folders = pathlib.PurePath(file).parents
  candidates = [str(folder / 'conftest') for folder in folders]
  known = source_tree.files('tests')
  return sorted(f':{name}' for name in candidates if name in known)


def _literal(value):
  if not isinstance(value, list):
    return f'"{value}"' if isinstance(value, str) else str(value)
  if len(value) == 1:
    return f'["{value[0]}"]'
  items = ''.join(f'        "{item}",\n' for item in value)
  return f'[\n{items}    ]'


if __name__ == '__main__':
  path = source_tree.ROOT / 'BUILD'
  path.write_text(build_file(), encoding='utf-8')
  print(f'wrote {path}')
