"""What a page is made of, from its title down to a table; no markup here."""

import base64
import dataclasses
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from vlae_tf.evaluation import pictures


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
  """A table.

  Attributes:
    heads: Names of the columns.
    rows: Texts, as many in each as there are columns; the first names the row.
    caption: What it says.
    folded: Whether it is shown when asked for alone.
  """

  heads: tuple[str, ...]
  rows: tuple[tuple[str, ...], ...]
  caption: str = ''
  folded: bool = False


@dataclasses.dataclass(frozen=True)
class Chart(_Block):
  """A drawing in SVG, with the same in words and numbers.

  Attributes:
    svg: An `<svg>` element, see `svg`.
    caption: What it shows.
    table: Its numbers.
  """

  svg: str
  caption: str
  table: Table | None = None


@dataclasses.dataclass(frozen=True)
class Picture(_Block):
  """A picture of pixels.

  Attributes:
    source: The file as a `data:` address.
    width: In pixels of the page, at most.
    alt: What it shows, for those who do not see it.
    caption: Below it.
  """

  source: str
  width: int
  alt: str
  caption: str = ''


@dataclasses.dataclass(frozen=True)
class Chooser(_Block):
  """Panels of which one is shown at a time.

  Attributes:
    name: One word, unlike those of the others on the page.
    label: What is chosen.
    options: Names of the panels.
    panels: `Block`s of each.
    slides: Whether it is a slider; else a button for each.
  """

  name: str
  label: str
  options: tuple[str, ...]
  panels: tuple[tuple['Block', ...], ...]
  slides: bool = False


@dataclasses.dataclass(frozen=True)
class Columns(_Block):
  """Parts next to each other, as far as there is room.

  Attributes:
    heads: Names of the parts; none, or one each.
    parts: `Block`s of each.
  """

  heads: tuple[str, ...]
  parts: tuple[tuple['Block', ...], ...]


Block: TypeAlias = Text | Listing | Table | Chart | Picture | Chooser | Columns


@dataclasses.dataclass(frozen=True)
class Section:
  """A part of a page with a heading.

  Attributes:
    name: One word, for links to it.
    title: Its heading.
    blocks: What is in it.
  """

  name: str
  title: str
  blocks: tuple[Block, ...]


@dataclasses.dataclass(frozen=True)
class Page:
  """A page.

  Attributes:
    title: Its heading.
    lead: A sentence below it.
    sections: What is on it.
  """

  title: str
  lead: str
  sections: tuple[Section, ...]


def picture(
  pixels: np.ndarray, alt: str, caption: str = '', scale: float = 3
) -> Picture:
  """A picture of an array.

  Args:
    pixels: Uint8 array of shape `[height, width, 3]`.
    alt: What it shows.
    caption: What stands below it.
    scale: Sides of a pixel on a wide page.

  Returns:
    A `Picture`.
  """
  file = pictures.encode_png(pixels, 1)
  source = f'data:image/png;base64,{base64.b64encode(file).decode("ascii")}'
  return Picture(source, round(scale * pixels.shape[1]), alt, caption)


def side_by_side(
  heads: Sequence[str], parts: Sequence[Sequence[Block]]
) -> list[Block]:
  """Parts in columns; a single one as it is.

  Args:
    heads: Names of the parts.
    parts: `Block`s of each; those of empty parts are left out.

  Returns:
    `Block`s.
  """
  there = [(h, tuple(p)) for h, p in zip(heads, parts, strict=True) if p]
  if len(heads) == 1 or not there:
    return [block for _, part in there for block in part]
  return [Columns(tuple(h for h, _ in there), tuple(p for _, p in there))]
