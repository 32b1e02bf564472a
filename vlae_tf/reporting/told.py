"""What sections are made from: runs, and what their models show."""

from collections.abc import Sequence
from typing import NamedTuple

from vlae_tf.reporting import blocks, looks, subjects


class Told(NamedTuple):
  """A run, and what its model shows."""

  subject: subjects.Subject
  look: looks.Look


def names(told: Sequence[Told]) -> list[str]:
  """What the runs are called."""
  return [t.subject.name for t in told]


def section(
  name: str,
  title: str,
  told: Sequence[Told],
  parts: Sequence[Sequence[blocks.Block]],
  *before: blocks.Block,
) -> blocks.Section | None:
  """A section with the runs side by side; of one run, its blocks."""
  if not any(parts):
    return None
  inner = blocks.side_by_side(names(told), parts)
  if len(told) == 1 and len(inner) > 1:
    inner = [blocks.Columns((), tuple((block,) for block in inner))]
  return blocks.Section(name, title, (*before, *inner))
