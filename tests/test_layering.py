"""The rules that keep the package readable: layers, sizes, docstrings."""

import ast
import graphlib
import pathlib
import re

import pytest
import source_tree

_MAX_FILE_LINES = 300
_MAX_COMMAND_LINES = 60  # In functions; those of flags are declarations.
_MAX_FUNCTION_LINES = 40  # Without signature and docstring.
_FILES = source_tree.files('vlae_tf')
_MODULES = [f for f in _FILES if not f.endswith('__init__')]
_SHARED_BY_COMMANDS = (
  'vlae_tf/system/command_line',
  'vlae_tf/system/model_flags',
)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

each_file = pytest.mark.parametrize('file', _FILES)


def layers():
  """Rows of the table of the layout in `docs/development.md`, from the top.

  Returns:
    A list of sets of paths without `.py`; one of a directory ends in '/'.
  """
  page = source_tree.ROOT / 'docs' / 'development.md'
  text = page.read_text(encoding='utf-8')
  section = text.split('\n## Layout\n')[1].split('\n## ')[0]
  rows = re.findall(r'^\| (`[^|]*)\|', section, flags=re.MULTILINE)
  return [
    {f'vlae_tf/{name}' for name in re.findall(r'`([^`]*)`', row)}
    for row in rows
  ]


def _layer(file):
  """Number of a file's row and its name there."""
  folder = f'{pathlib.PurePath(file).parent}/'
  for number, names in enumerate(layers()):
    for name in (file, folder):
      if name in names:
        return number, name
  pytest.fail(f'put {file} into the layout in docs/development.md')


def test_the_layout_names_every_module_once():
  named = [name for names in layers() for name in names]
  there = {_layer(file)[1] for file in _MODULES}
  assert sorted(named) == sorted(there)


@pytest.mark.parametrize('file', _MODULES)
def test_imports_only_from_rows_above(file):
  number, name = _layer(file)
  for imported in source_tree.imports(file):
    above, other = _layer(imported)
    same_folder = name.endswith('/') and other == name
    assert above < number or same_folder, f'{file} imports {imported}'


def test_no_import_cycles():
  graph = {file: source_tree.imports(file) for file in _FILES}
  assert list(graphlib.TopologicalSorter(graph).static_order())


@each_file
def test_keras_is_keras_3_and_imported_whole(file):
  for module, name in source_tree.imported_names(file):
    assert not module.startswith('.'), 'imports are absolute'
    assert (module, name) == ('keras', None) or not re.match(
      r'(tf_keras|keras|tensorflow\.keras)\b', module
    )
  for node in ast.walk(source_tree.parse(file)):
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
      assert (node.value.id, node.attr) != ('tf', 'keras')


@each_file
def test_only_commands_read_flags(file):
  if source_tree.is_command(file) or file in _SHARED_BY_COMMANDS:
    return
  for node in ast.walk(source_tree.parse(file)):
    name = getattr(node, 'id', getattr(node, 'attr', None))
    assert name != 'FLAGS', f'line {getattr(node, "lineno", "?")}'


@each_file
def test_files_are_short(file):
  lines = len(source_tree.text(file).splitlines())
  assert lines <= _MAX_FILE_LINES
  if source_tree.is_command(file):
    functions = [
      node
      for node in source_tree.parse(file).body
      if isinstance(node, _FUNCTIONS) and node.name != 'define_flags'
    ]
    lines = sum(node.end_lineno - node.lineno + 1 for node in functions)
    assert lines <= _MAX_COMMAND_LINES


@each_file
def test_functions_are_short(file):
  for node in ast.walk(source_tree.parse(file)):
    if isinstance(node, _FUNCTIONS):
      body = node.body[ast.get_docstring(node) is not None :]
      if body:
        lines = body[-1].end_lineno - body[0].lineno + 1
        assert lines <= _MAX_FUNCTION_LINES, node.name


@each_file
def test_what_is_public_has_a_docstring(file):
  module = source_tree.parse(file)
  assert not module.body or ast.get_docstring(module)
  for node in module.body:
    if not isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
      continue
    if not node.name.startswith('_') and node.name != 'main':
      assert ast.get_docstring(node), node.name
