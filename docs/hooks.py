"""MkDocs hooks: MathML equations, and pages from outside `docs/`.

Links are written for the repository, where `../RESULTS.md` lies outside
`docs/`; in the guide it is a page like the others.
"""

import html
import pathlib
import re

from latex2mathml import converter
from mkdocs.structure import files as mkdocs_files

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_OUTER_PAGES = ('CHANGELOG.md', 'CONTRIBUTING.md', 'RESULTS.md')
# Files of `results/` that pages show or link to.
_SHOWN = ('.html', '.png')
_BLOCK = re.compile(r'<div class="arithmatex">\\\[(.*?)\\\]</div>', re.DOTALL)
_INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>')
_TAG = re.compile(r'\\tag\{(.*?)\}')


def on_files(files, config):
  """Adds pages and images from outside `docs/`."""
  shown = (_ROOT / 'results').rglob('*')
  pictures = [p for p in sorted(shown) if p.suffix in _SHOWN]
  for path in [*(_ROOT / name for name in _OUTER_PAGES), *pictures]:
    uri = path.relative_to(_ROOT).as_posix()
    files.append(
      mkdocs_files.File.generated(config, uri, abs_src_path=str(path))
    )
  return files


def on_page_markdown(markdown, page, **kwargs):
  """Rewrites links to and from pages outside `docs/`."""
  del kwargs
  uri = page.file.src_uri
  if uri in _OUTER_PAGES:
    return markdown.replace('](docs/', '](')
  # Pages in subfolders use `../` within the guide.
  return markdown if '/' in uri else markdown.replace('](../', '](')


def on_page_content(content, **kwargs):
  """Converts equations to MathML, which browsers render without scripts."""
  del kwargs
  content = _BLOCK.sub(lambda found: _equation(found[1]), content)
  return _INLINE.sub(lambda found: _math(found[1], 'inline'), content)


def _equation(latex):
  number = ''.join(f'<span>({n})</span>' for n in _TAG.findall(latex))
  formula = _math(_TAG.sub('', latex), 'block')
  return f'<div class="equation">{formula}{number}</div>'


def _math(latex, display):
  return converter.convert(html.unescape(latex).strip(), display=display)
