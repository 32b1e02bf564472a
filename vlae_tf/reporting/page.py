"""Pages: content blocks, and one self-contained HTML file made of them."""

import base64
import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import jinja2
import markupsafe
import numpy as np

from vlae_tf.evaluation import figures
from vlae_tf.utils import files

MOST_BYTES = 5_000_000  # Of a file.
_LONG = 40  # Letters of a word that has to be broken.
_FOLDER = pathlib.Path(__file__).with_name('templates')


class Text(NamedTuple):
  """Paragraphs."""

  paragraphs: tuple[str, ...]


class Listing(NamedTuple):
  """Shell commands."""

  lines: tuple[str, ...]


class Table(NamedTuple):
  """A table."""

  heads: tuple[str, ...]
  rows: tuple[tuple[str, ...], ...]  # The first cell names the row.
  caption: str = ''
  folded: bool = False  # Whether it is shown on request only.


class Chart(NamedTuple):
  """A chart, also as a table of its numbers."""

  source: str  # A `data:` URL.
  alt: str
  caption: str
  table: Table


class Picture(NamedTuple):
  """A picture of pixels."""

  source: str  # A `data:` URL.
  width: int  # In pixels of the page, at most.
  alt: str
  caption: str = ''


class Chooser(NamedTuple):
  """Panels, shown one at a time."""

  name: str  # One word, unique on the page.
  label: str
  options: tuple[str, ...]  # Names of the panels.
  panels: tuple[tuple['Block', ...], ...]
  slides: bool = False  # Whether it is a slider; else a button for each panel.


class Columns(NamedTuple):
  """Parts side by side, as far as there is room."""

  heads: tuple[str, ...]  # Of the parts; none, or one each.
  parts: tuple[tuple['Block', ...], ...]


Block: TypeAlias = Text | Listing | Table | Chart | Picture | Chooser | Columns


class Section(NamedTuple):
  """A part of a page with a heading."""

  name: str  # One word, for links to it.
  title: str
  blocks: tuple[Block, ...]


class Page(NamedTuple):
  """A page."""

  title: str
  lead: str  # A sentence below the title.
  sections: tuple[Section, ...]


def picture(
  pixels: np.ndarray, alt: str, caption: str = '', scale: float = 3
) -> Picture:
  """A picture of an array [height, width, 3]."""
  source = data_url(figures.encode_png(pixels), 'image/png')
  return Picture(source, round(scale * pixels.shape[1]), alt, caption)


def data_url(content: bytes, kind: str) -> str:
  """A file as part of the page."""
  return f'data:{kind};base64,{base64.b64encode(content).decode("ascii")}'


def side_by_side(
  heads: Sequence[str], parts: Sequence[Sequence[Block]]
) -> list[Block]:
  """Parts in columns, empty ones left out; without columns if there is one."""
  there = [(h, tuple(p)) for h, p in zip(heads, parts, strict=True) if p]
  if len(heads) == 1 or not there:
    return [block for _, part in there for block in part]
  return [Columns(tuple(h for h, _ in there), tuple(p for _, p in there))]


def write(page: Page, path: str | os.PathLike) -> None:
  """Writes a page, in one step."""
  text = render(page)
  if (size := len(text.encode('utf-8'))) > MOST_BYTES:
    raise ValueError(
      f'`out` must be at most {MOST_BYTES:,} bytes, it would be {size:,}: ask '
      'for fewer runs.'
    )
  files.write_text(path, text)


def render(page: Page) -> str:
  """The HTML of a page."""
  parts = {
    name: markupsafe.Markup((_FOLDER / file).read_text(encoding='utf-8'))
    for name, file in (('style', 'page.css'), ('script', 'page.js'))
  }
  template = _ENVIRONMENT.get_template('page.html.jinja')
  return template.render(page=page, **parts) + '\n'


def _shape(text):
  """Class of a cell: a text that starts with a number is not wrapped."""
  if max(map(len, text.split()), default=0) > _LONG:
    return 'long'
  first = text.lstrip('+-<~ ')[:1]
  return 'number' if not text or first.isdigit() else 'words'


_ENVIRONMENT = jinja2.Environment(
  loader=jinja2.FileSystemLoader(_FOLDER),
  autoescape=True,
  undefined=jinja2.StrictUndefined,
  trim_blocks=True,
  lstrip_blocks=True,
)
_ENVIRONMENT.filters['shape'] = _shape
_ENVIRONMENT.filters['kind'] = lambda block: type(block).__name__.lower()
