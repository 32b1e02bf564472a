"""Notebooks run, hold what they claim, and are shown as they were run."""

import ast
import importlib
import importlib.metadata
import re
import runpy
import sys

import pytest
import setuptools
import source_tree
import update_notebooks

_MOST_BYTES = 400_000
# Places, times, and what libraries say.
_OF_A_MACHINE = re.compile(
  r'/(root|tmp|home|usr|work|Users)\b|0x[0-9a-f]{6}|WARN|Warning|\bs/step\b'
)

each = pytest.mark.parametrize('name', update_notebooks.names())


def test_there_are_some():
  assert update_notebooks.names() == [
    'bits_back_by_hand',
    'first_model',
    'receptive_fields',
  ]


def _code(name):
  cells = update_notebooks.read(name).cells
  return [cell for cell in cells if cell.cell_type == 'code']


def _tree(name):
  return ast.parse('\n'.join(cell.source for cell in _code(name)))


def _kinds(cells):
  """Of each cell, which outputs it has."""
  return {
    cell.id: [(o.output_type, *sorted(o.get('data', ()))) for o in cell.outputs]
    for cell in cells
  }


@pytest.mark.exhaustive('executes notebooks')
@each
def test_it_runs_in_a_fresh_kernel(name):
  again = update_notebooks.executed(name)
  cells = [cell for cell in again.cells if cell.cell_type == 'code']
  assert _kinds(cells) == _kinds(_code(name)), (
    'run: python tests/update_notebooks.py'
  )


@each
def test_what_is_shown_was_run_from_top_to_bottom(name):
  cells = _code(name)
  counts = [cell.execution_count for cell in cells]
  assert counts == list(range(1, len(cells) + 1))
  outputs = [output for cell in cells for output in cell.outputs]
  assert {o.output_type for o in outputs} <= {
    'stream',
    'display_data',
    'execute_result',
  }
  assert {o.name for o in outputs if o.output_type == 'stream'} == {'stdout'}
  assert any('image/png' in o.get('data', ()) for o in outputs)


@each
def test_it_is_small_and_speaks_of_no_machine(name):
  path = update_notebooks.FOLDER / f'{name}.ipynb'
  assert path.stat().st_size < _MOST_BYTES
  notebook = update_notebooks.read(name)
  texts = [str(notebook.metadata)]
  for cell in notebook.cells:
    texts += [cell.source, str(cell.metadata)]
    for output in cell.get('outputs', ()):
      texts += [
        output.get('text', ''),
        output.get('data', {}).get('text/plain'),
      ]
  for text in filter(None, texts):
    assert not _OF_A_MACHINE.search(text), text


@each
def test_it_holds_its_claims(name):
  claims = [n for n in ast.walk(_tree(name)) if isinstance(n, ast.Assert)]
  assert len(claims) >= 5


@each
def test_it_takes_public_names_alone(name):
  rooms = {'vlae_tf': importlib.import_module('vlae_tf')}
  for node in ast.walk(_tree(name)):
    if isinstance(node, ast.ImportFrom) and 'vlae_tf' in node.module:
      assert node.module == 'vlae_tf'
      for alias in node.names:
        rooms[alias.name] = importlib.import_module(f'vlae_tf.{alias.name}')
    elif isinstance(node, ast.Import):
      assert not any(a.name.startswith('vlae_tf.') for a in node.names)
  taken = {
    (node.value.id, node.attr)
    for node in ast.walk(_tree(name))
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
  }
  for room, attribute in taken:
    assert room not in rooms or attribute in rooms[room].__all__, attribute


@each
def test_what_it_imports_is_installed_with_it(name, monkeypatch):
  given = {}
  monkeypatch.setattr(setuptools, 'setup', given.update)
  monkeypatch.chdir(source_tree.ROOT)
  runpy.run_path('setup.py')
  lines = given['install_requires'] + given['extras_require']['notebooks']
  declared = {re.match(r'[\w.-]+', line).group().lower() for line in lines}
  owners = importlib.metadata.packages_distributions()
  modules = set()
  for node in ast.walk(_tree(name)):
    if isinstance(node, ast.Import):
      modules |= {alias.name.split('.')[0] for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
      modules.add(node.module.split('.')[0])
  others = modules - set(sys.stdlib_module_names) - {'vlae_tf'}
  found = {owners[m][0].lower().replace('_', '-') for m in others}
  assert found <= declared
