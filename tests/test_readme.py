"""What README and the guide show works as it stands."""

import re
from unittest import mock

import command_flags
import guide_pages
import pytest
import source_tree
import update_docs

from vlae_tf.models import decoders

_text = guide_pages.text


def _with_python():
  return [p for p in guide_pages.GUIDE if guide_pages.blocks(p, 'python')]


def _check_laws(names):
  assert names['elbo'].shape == names['log_likelihood'].shape == (4,)
  assert names['images'].shape == (2, 28, 28, 1)
  linear, plain, x = (names[name] for name in ('linear', 'plain', 'x'))
  assert linear(x).elbo.shape == plain(x).elbo.shape == (4,)
  assert len(linear.weights) == len(plain.weights) + 1


def _check_images(names):
  assert len([*names['folder'].glob('*.png')]) == 1297


_CHECKS = {
  'README.md': lambda names: names['images'].shape == (16, 28, 28, 1),
  'docs/python.md': _check_laws,
  'docs/tutorial.md': _check_images,
}


@pytest.mark.exhaustive('runs all snippets')
@pytest.mark.parametrize('page', _with_python())
def test_python_snippets_run(page, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  namespace = {'__name__': 'snippets'}
  names = decoders.NETWORKS
  # What a snippet registers is forgotten.
  with mock.patch.dict(names), mock.patch.dict(names._descriptions):
    for block in guide_pages.blocks(page, 'python'):
      exec(compile(block, page, 'exec'), namespace)
  if page in _CHECKS:
    assert _CHECKS[page](namespace) is not False


@pytest.mark.parametrize('page', guide_pages.GUIDE)
def test_files_that_it_names_exist(page):
  folders = 'flags|run_scripts|vlae_tf|tests|benchmarks|examples'
  found = rf'(?<![\w./])(?:{folders})/[\w./]*'
  named = [name.rstrip('.') for name in re.findall(found, _text(page))]
  for path in {*named}:
    assert (source_tree.ROOT / path).exists(), path


def test_every_command_is_shown_and_no_other():
  shown = {c for page in guide_pages.GUIDE for c, *_ in _commands(page)}
  assert shown == {*command_flags.names()}


def _commands(page):
  return guide_pages.commands(page)


def test_commands_that_are_shown_take_their_flags():
  lines = [
    line
    for page in guide_pages.PAGES
    for line in _commands(page)
    if '--help' not in line
  ]
  assert len(lines) > 30
  wrong = zip(lines, command_flags.problems(lines))
  assert not [(line, what) for line, what in wrong if what]


def test_every_preset_is_described():
  text = _text('docs/training.md')
  section = text.split('| preset |')[1].split('\n\n')[0]
  described = set(re.findall(r'`(\w+)`', section))
  presets = {p.stem for p in (source_tree.ROOT / 'flags').glob('*.flags')}
  assert described == presets


@pytest.mark.parametrize('page', update_docs.tables())
def test_tables_are_those_of_the_registries(page):
  text = _text(f'docs/{page}.md')
  again = 'run: python tests/update_docs.py'
  assert text == update_docs.updated(page, text), again


def test_the_page_of_flags_is_what_the_commands_define():
  again = 'run: python tests/update_docs.py'
  assert _text('docs/flags.md') == update_docs.flags_page(), again


def test_a_data_set_without_a_row_is_named():
  names = update_docs.data.DATASETS
  text = _text('docs/data.md')
  row = '| `newcomer` | | 1 / 2 / 3 |'
  with mock.patch.dict(names), mock.patch.dict(names._descriptions):
    names.register('newcomer', 'of this test')(None)
    with pytest.raises(ValueError, match='split sizes of newcomer'):
      update_docs.updated('data', text)
    updated = update_docs.updated(
      'data', text.replace('| a path |', f'{row}\n| a path |')
    )
  assert '| `newcomer` | of this test | 1 / 2 / 3 |' in updated


@pytest.mark.parametrize('page', guide_pages.PAGES)
def test_links_lead_somewhere(page):
  here = (source_tree.ROOT / page).parent
  for link in guide_pages.links(page):
    path, _, anchor = link.partition('#')
    target = here / path if path else source_tree.ROOT / page
    assert target.exists(), link
    if anchor:
      assert anchor in guide_pages.anchors(target), link


def test_readme_leads_to_every_page():
  leads = {link.partition('#')[0] for link in guide_pages.links('README.md')}
  pages = {p for p in guide_pages.GUIDE if p.startswith('docs/')}
  assert {p for p in pages if not p.startswith('docs/api/')} <= leads
