"""What the README shows works as it stands."""

import re

import pytest
import source_tree
import update_readme

_README = source_tree.ROOT / 'README.md'


def _blocks(language):
  text = _README.read_text(encoding='utf-8')
  return re.findall(rf'^```{language}\n(.*?)^```', text, re.DOTALL | re.M)


def test_python_snippets_run(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  namespace = {}
  for block in _blocks('python'):
    exec(compile(block, str(_README), 'exec'), namespace)
  assert namespace['elbo'].shape == namespace['log_likelihood'].shape == (4,)
  assert namespace['images'].shape == (2, 28, 28, 1)
  linear, plain, x = (namespace[name] for name in ('linear', 'plain', 'x'))
  assert linear(x).elbo.shape == plain(x).elbo.shape == (4,)
  assert len(linear.weights) == len(plain.weights) + 1


@pytest.mark.parametrize('folder', ['flags', 'run_scripts', 'vlae_tf', 'tests'])
def test_files_that_it_names_exist(folder):
  named = re.findall(rf'\b{folder}/\w+\.\w+', _README.read_text('utf-8'))
  for path in {*named} | {f'{folder}'}:
    assert (source_tree.ROOT / path).exists(), path


def test_commands_that_it_shows_exist():
  text = '\n'.join(_blocks('sh'))
  modules = set(re.findall(r'-m (vlae_tf\.\w+)', text))
  commands = {
    file.replace('/', '.')
    for file in source_tree.files('vlae_tf')
    if source_tree.is_command(file)
  }
  assert modules == commands


def test_every_preset_is_described():
  text = _README.read_text(encoding='utf-8')
  section = text.split('| preset |')[1].split('\n\n')[0]
  described = set(re.findall(r'`(\w+)`', section))
  presets = {p.stem for p in (source_tree.ROOT / 'flags').glob('*.flags')}
  assert described == presets


def test_tables_are_those_of_the_registries():
  text = _README.read_text(encoding='utf-8')
  again = 'run: python tests/update_readme.py'
  assert text == update_readme.updated(text), again


def test_a_data_set_without_a_row_is_named(monkeypatch):
  names = update_readme.data.DATASETS
  for table in ('_makers', '_descriptions'):
    monkeypatch.setattr(names, table, dict(getattr(names, table)))
  names.register('newcomer', 'of this test')(None)
  text = _README.read_text(encoding='utf-8')
  with pytest.raises(ValueError, match='how large newcomer is'):
    update_readme.updated(text)
  text = text.replace('| a path |', '| `newcomer` | | 1 / 2 / 3 |\n| a path |')
  assert '| `newcomer` | of this test | 1 / 2 / 3 |' in update_readme.updated(
    text
  )
