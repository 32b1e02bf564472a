"""From a `Page` to one file of HTML that asks nobody for anything."""

import functools
import os
import pathlib

import jinja2
import markupsafe

from vlae_tf.reporting import blocks
from vlae_tf.utils import files

MOST_BYTES = 5_000_000  # Of a file.
_LONG = 40  # Letters of a word that has to be broken.
_FOLDER = pathlib.Path(__file__).with_name('templates')


def render(page: blocks.Page) -> str:
  """The text of the file."""
  parts = {
    name: markupsafe.Markup((_FOLDER / file).read_text(encoding='utf-8'))
    for name, file in (('style', 'page.css'), ('script', 'page.js'))
  }
  template = _environment().get_template('page.html.jinja')
  return template.render(page=page, **parts) + '\n'


def write(page: blocks.Page, path: str | os.PathLike) -> None:
  """Writes it, in one step."""
  text = render(page)
  if (size := len(text.encode('utf-8'))) > MOST_BYTES:
    raise ValueError(
      f'`out` must be at most {MOST_BYTES:,} bytes, it would be {size:,}: ask '
      'for fewer runs.'
    )
  files.write_text(path, text)


@functools.cache
def _environment():
  found = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_FOLDER),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
  )
  found.filters['shape'] = _shape
  return found


def _shape(text: str) -> str:
  """How a cell is set: what starts like a number stays in one line."""
  if max(map(len, text.split()), default=0) > _LONG:
    return 'long'
  first = text.lstrip('+-<~ ')[:1]
  return 'number' if not text or first.isdigit() else 'words'
