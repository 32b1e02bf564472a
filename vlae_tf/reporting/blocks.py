"""What a page is made of, from its title down to a table; no markup here."""

import base64
import dataclasses
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from vlae_tf.evaluation import figures


class _Block:
  """What all have in common."""

  @property
  def kind(self) -> str:
    """Which part of the template shows it."""
    return type(self).__name__.lower()


@dataclasses.dataclass(frozen=True)
class Text(_Block):
  """Paragraphs."""

  paragraphs: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Listing(_Block):
  """Lines for a shell."""

  lines: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Table(_Block):
  """A table."""

  heads: tuple[str, ...]  # Names of the columns.
  # Texts, as many in each as there are columns; the first names the row.
  rows: tuple[tuple[str, ...], ...]
  caption: str = ''  # What it says.
  folded: bool = False  # Whether it is shown when asked for alone.


@dataclasses.dataclass(frozen=True)
class Chart(_Block):
  """A drawing in SVG, with the same in words and numbers."""

  svg: str  # An `<svg>` element, see `svg`.
  caption: str  # What it shows.
  table: Table | None = None  # Its numbers.


@dataclasses.dataclass(frozen=True)
class Picture(_Block):
  """A picture of pixels."""

  source: str  # The file as a `data:` address.
  width: int  # In pixels of the page, at most.
  alt: str  # What it shows, for those who do not see it.
  caption: str = ''  # Below it.


@dataclasses.dataclass(frozen=True)
class Chooser(_Block):
  """Panels of which one is shown at a time."""

  name: str  # One word, unlike those of the others on the page.
  label: str  # What is chosen.
  options: tuple[str, ...]  # Names of the panels.
  panels: tuple[tuple['Block', ...], ...]  # `Block`s of each.
  slides: bool = False  # Whether it is a slider; else a button for each.


@dataclasses.dataclass(frozen=True)
class Columns(_Block):
  """Parts next to each other, as far as there is room."""

  heads: tuple[str, ...]  # Names of the parts; none, or one each.
  parts: tuple[tuple['Block', ...], ...]  # `Block`s of each.


Block: TypeAlias = Text | Listing | Table | Chart | Picture | Chooser | Columns


@dataclasses.dataclass(frozen=True)
class Section:
  """A part of a page with a heading."""

  name: str  # One word, for links to it.
  title: str  # Its heading.
  blocks: tuple[Block, ...]  # What is in it.


@dataclasses.dataclass(frozen=True)
class Page:
  """A page."""

  title: str  # Its heading.
  lead: str  # A sentence below it.
  sections: tuple[Section, ...]  # What is on it.


def picture(
  pixels: np.ndarray, alt: str, caption: str = '', scale: float = 3
) -> Picture:
  """A picture of an array."""
  # pixels [height, width, 3]
  file = figures.encode_png(pixels, 1)
  source = f'data:image/png;base64,{base64.b64encode(file).decode("ascii")}'
  return Picture(source, round(scale * pixels.shape[1]), alt, caption)


def side_by_side(
  heads: Sequence[str], parts: Sequence[Sequence[Block]]
) -> list[Block]:
  """Parts in columns; a single one as it is."""
  there = [(h, tuple(p)) for h, p in zip(heads, parts, strict=True) if p]
  if len(heads) == 1 or not there:
    return [block for _, part in there for block in part]
  return [Columns(tuple(h for h, _ in there), tuple(p for _, p in there))]
