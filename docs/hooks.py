"""What `mkdocs build` does besides: equations, and files from around `docs/`.

Pages are written for a reader of the repository. There `../RESULTS.md` is a
neighbour of `docs/`; in the guide it is a page like the others.
"""

import html
import pathlib
import re

from latex2mathml import converter
from mkdocs.structure import files as mkdocs_files

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_OUTER_PAGES = ('CHANGELOG.md', 'CONTRIBUTING.md', 'RESULTS.md')
# What pages show of `results/`, and link to.
_SHOWN = ('.html', '.png')
_BLOCK = re.compile(r'<div class="arithmatex">\\\[(.*?)\\\]</div>', re.DOTALL)
_INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>')
_TAG = re.compile(r'\\tag\{(.*?)\}')


def on_files(files, config):
  """Adds the pages and pictures that lie around `docs/`."""
  shown = (_ROOT / 'results').rglob('*')
  pictures = [p for p in sorted(shown) if p.suffix in _SHOWN]
  for path in [*(_ROOT / name for name in _OUTER_PAGES), *pictures]:
    uri = path.relative_to(_ROOT).as_posix()
    files.append(
      mkdocs_files.File.generated(config, uri, abs_src_path=str(path))
    )
  return files


def on_page_markdown(markdown, page, **kwargs):
  """Makes links between `docs/` and what lies around it links of the guide."""
  del kwargs
  uri = page.file.src_uri
  if uri in _OUTER_PAGES:
    return markdown.replace('](docs/', '](')
  # Those in folders of the guide have `../` of their own.
  return markdown if '/' in uri else markdown.replace('](../', '](')


def on_page_content(content, **kwargs):
  """Makes MathML of equations, which browsers draw without a program."""
  del kwargs
  content = _BLOCK.sub(lambda found: _equation(found[1]), content)
  return _INLINE.sub(lambda found: _math(found[1], 'inline'), content)


def _equation(latex):
  number = ''.join(f'<span>({n})</span>' for n in _TAG.findall(latex))
  formula = _math(_TAG.sub('', latex), 'block')
  return f'<div class="equation">{formula}{number}</div>'


def _math(latex, display):
  return converter.convert(html.unescape(latex).strip(), display=display)
