"""From a `Page` to one file of HTML that asks nobody for anything."""

import functools
import os
import pathlib

import jinja2
import markupsafe

from vlae_tf.reporting import blocks
from vlae_tf.system import atomic

MOST_BYTES = 5_000_000  # Of a file.
_FOLDER = pathlib.Path(__file__).with_name('templates')


def render(page: blocks.Page) -> str:
  """The text of the file.

  Args:
    page: `Page`.

  Returns:
    HTML with styles, scripts and pictures in it.
  """
  parts = {
    name: markupsafe.Markup((_FOLDER / file).read_text(encoding='utf-8'))
    for name, file in (('style', 'page.css'), ('script', 'page.js'))
  }
  template = _environment().get_template('page.html.jinja')
  return template.render(page=page, **parts) + '\n'


def write(page: blocks.Page, path: str | os.PathLike) -> None:
  """Writes it, in one step.

  Args:
    page: `Page`.
    path: Path of the file.

  Raises:
    ValueError: It cannot be written, or is too large to be sent around.
  """
  text = render(page)
  if (size := len(text.encode('utf-8'))) > MOST_BYTES:
    raise ValueError(
      f'`out` must be at most {MOST_BYTES:,} bytes, it would be {size:,}: ask '
      'for fewer runs.'
    )
  atomic.write_text(path, text)


@functools.cache
def _environment():
  found = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_FOLDER),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
  )
  found.filters['is_number'] = _is_number
  return found


def _is_number(text: str) -> bool:
  """Whether a cell starts like a number, and is set flush right."""
  first = text.lstrip('+-<~ ')[:1]
  return not text or first.isdigit()
