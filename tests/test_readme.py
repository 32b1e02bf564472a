"""What the README shows works as it stands."""

import re

import pytest
import source_tree

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
