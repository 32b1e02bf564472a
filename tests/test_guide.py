"""The guide is built by one command, and read without any network."""

import html.parser
import importlib
import os
import re
import subprocess
import sys

import guide_pages
import pytest
import source_tree
import yaml

# Packages that say what users may rely on.
_ROOMS = [
  file.removesuffix('/__init__').split('/')[-1]
  for file in source_tree.files('vlae_tf')
  if file.endswith('__init__') and '__all__ = ' in source_tree.text(file)
]


built = pytest.mark.exhaustive('builds the guide')


@pytest.fixture(scope='module')
def site(tmp_path_factory):
  """The folder of the built guide."""
  folder = tmp_path_factory.mktemp('site')
  result = subprocess.run(
    [sys.executable, '-m', 'mkdocs', 'build', '--strict', f'-d{folder}'],
    cwd=source_tree.ROOT,
    env=os.environ | {'NO_MKDOCS_2_WARNING': '1'},
    capture_output=True,
    text=True,
    check=False,
  )
  assert result.returncode == 0, result.stderr
  return folder


def _page(site, name):
  return (site / f'{name}.html').read_text(encoding='utf-8')


def _names():
  """Of all pages that the guide is to have."""
  pages = {p for p in guide_pages.GUIDE if p.startswith('docs/')}
  names = {p.removeprefix('docs/').removesuffix('.md') for p in pages}
  return names | {'RESULTS', 'CHANGELOG', 'CONTRIBUTING'}


@built
def test_every_page_is_built(site):
  assert {n for n in _names() if not (site / f'{n}.html').is_file()} == set()


def test_every_page_is_in_the_navigation():
  listed = re.findall(r'- (?:.*: )?([\w/]+)\.md', _configuration())
  assert sorted(listed) == sorted(_names())


def _configuration():
  return (source_tree.ROOT / 'mkdocs.yml').read_text(encoding='utf-8')


class _Loaded(html.parser.HTMLParser):
  """What a browser loads with a page; links that one follows are not."""

  def __init__(self):
    super().__init__()
    self.addresses = []

  def handle_starttag(self, tag, attrs):
    for name, value in attrs:
      if name in ('src', 'srcset', 'poster', 'data') or (
        name == 'href' and tag != 'a'
      ):
        self.addresses.append(value)


@built
def test_nothing_is_loaded_from_the_web(site):
  for path in site.rglob('*.html'):
    if path.is_relative_to(site / 'results'):
      continue
    loaded = _Loaded()
    loaded.feed(path.read_text(encoding='utf-8'))
    assert len(loaded.addresses) > 3
    far = [a for a in loaded.addresses if re.match('(https?:)?//', a or '')]
    assert not far, path
  for path in site.rglob('*.css'):
    text = path.read_text(encoding='utf-8')
    assert not re.search(r'(url\(|@import )["\']?(https?:)?//', text), path


@built
def test_equations_are_mathml_with_the_numbers_of_the_paper(site):
  source, built = guide_pages.text('docs/index.md'), _page(site, 'index')
  formulas = re.findall(r'<math.*?</math>', built, re.DOTALL)
  blocks = [f for f in formulas if 'display="block"' in f]
  assert len(blocks) == source.count('\n$$\n') / 2 > 4
  inline = re.findall(r'\$[^$\n]+\$', source)
  assert len(formulas) - len(blocks) == len(inline) > 4
  # What the converter does not know, it leaves as it is.
  assert not [f for f in formulas if '\\' in f or 'merror' in f]
  numbers = re.findall(r'</math><span>\((\d+)\)</span>', built)
  assert numbers == ['4', '12', '13', '14']
  assert 'arithmatex' not in built


@built
def test_public_names_are_on_the_pages_of_the_api(site):
  assert {'vlae_tf', 'nn', 'models'} < {*_ROOMS}
  for room in _ROOMS:
    built = _page(site, f'api/{room}')
    package = room if room == 'vlae_tf' else f'vlae_tf.{room}'
    heads = set(re.findall(r'doc-object-name[^>]*>(\w+)<', built))
    told = set(re.findall(r'<code>(\w+)</code>', built))
    public = {*importlib.import_module(package).__all__}
    assert {n for n in public if n[0].isupper() and not n.isupper()} <= heads
    assert public <= heads | told, room


@built
def test_examples_in_docstrings_are_shown_as_code(site):
  built = _page(site, 'api/models')
  assert '<blockquote>' not in built
  assert '&gt;&gt;&gt; </span>' in built


@built
def test_pages_are_found_from_where_they_are_linked(site):
  """Links of pages around `docs/` are those of the guide, and so are theirs."""
  for path in site.rglob('*.html'):
    if path.is_relative_to(site / 'results'):
      continue
    for link in re.findall(r'(?:href|src)="([^"]*)"', path.read_text('utf-8')):
      target = link.partition('#')[0]
      if target and not re.match(r'[a-z]+:', target):
        assert (path.parent / target).exists() or path.name == '404.html', link


def test_the_command_builds_it_strictly():
  script = source_tree.ROOT / 'run_scripts' / 'docs.sh'
  assert os.access(script, os.X_OK)
  assert 'mkdocs build --strict' in script.read_text(encoding='utf-8')
  ignored = (source_tree.ROOT / '.gitignore').read_text(encoding='utf-8')
  assert f'/{yaml.safe_load(_plain())["site_dir"]}/' in ignored.splitlines()


def _plain():
  """The configuration without what only MkDocs can read."""
  return re.sub(r'!!python/name:\S+', '', _configuration())
