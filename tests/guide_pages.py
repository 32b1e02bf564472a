"""What is written for readers: README, and the pages of the guide."""

import pathlib
import re
import shlex

import source_tree

DOCS = source_tree.ROOT / 'docs'
# Everything that is rendered, in the guide or by the repository's host.
PAGES = [
  path.relative_to(source_tree.ROOT).as_posix()
  for path in (*source_tree.ROOT.glob('*.md'), *sorted(DOCS.rglob('*.md')))
]
# README and the guide, not what is written about them or by a command.
GUIDE = [p for p in PAGES if p == 'README.md' or p.startswith('docs/')]


def text(page):
  """The text of a page, whose path is relative to the repository."""
  return (source_tree.ROOT / page).read_text(encoding='utf-8')


def blocks(page, language):
  """The fenced blocks of a language on a page."""
  found = rf'^```{language}\n(.*?)^```'
  return re.findall(found, text(page), re.DOTALL | re.M)


def commands(page):
  """The commands of vlae_tf that the `sh` blocks of a page show.

  Args:
    page: Path of a page.

  Returns:
    A list of lists: the name of a command, then its arguments.
  """
  found = []
  for block in blocks(page, 'sh'):
    for words in _shell_lines(block.replace('\\\n', ' ')):
      for number, word in enumerate(words):
        if word == '-m' and words[number + 1].startswith('vlae_tf.'):
          _, _, name = words[number + 1].partition('.')
          found.append([name, *words[number + 2 :]])
  return found


def _shell_lines(block):
  """The words of each line; a quote may go over several."""
  before = ''
  for line in block.splitlines():
    before += line
    try:
      words = shlex.split(before, comments=True)
    except ValueError:  # A quote is open.
      before += '\n'
      continue
    before = ''
    yield words
  assert not before, f'a quote is not closed: {before}'


def links(page):
  """Where the links and pictures of a page go, but for those to the web."""
  prose = re.sub(r'^```.*?^```', '', text(page), flags=re.DOTALL | re.M)
  prose = re.sub(r'`[^`]*`', '', prose)
  targets = re.findall(r'\]\(\s*([^)\s]+)\s*\)', prose)
  return [t for t in targets if not re.match('[a-z]+:', t)]


def anchors(path):
  """Names of the headings of a Markdown file, as the guide makes them."""
  prose = pathlib.Path(path).read_text(encoding='utf-8')
  prose = re.sub(r'^```.*?^```', '', prose, flags=re.DOTALL | re.M)
  heads = re.findall(r'^#+ (.*)$', prose, re.M)
  return {
    re.sub(r'[\s-]+', '-', re.sub(r'[^\w\s-]', '', head.lower())).strip('-')
    for head in heads
  }
