"""A page about some runs: what they learned, keep, see and cost."""

from collections.abc import Callable, Sequence
from typing import Any

from vlae_tf.reporting import blocks, exhibition, looks, sections, subjects
from vlae_tf.reporting import told as told_lib
from vlae_tf.reporting.told import Told


def read(
  workdirs: Sequence[str],
  checkpoint: str | None = None,
  data_dir: str | None = None,
  num_scored: int = 1000,
  seed: int = 0,
  progress: Callable[[int], Any] = lambda _: None,
) -> list[Told]:
  """Reads runs, and lets their models show themselves."""
  return [
    Told(s, looks.look(s.run.model, s.data, num_scored, seed, progress))
    for s in subjects.load(workdirs, checkpoint, data_dir)
  ]


def make(told: Sequence[Told], command: str = '') -> blocks.Page:
  """Makes the page."""
  found = [
    sections.summary(told),
    sections.curves(told),
    sections.published(told),
    exhibition.samples(told),
    exhibition.decompressions(told),
    exhibition.completions(told),
    exhibition.window(told),
    exhibition.code(told),
    exhibition.nats(told),
    exhibition.ends(told),
    sections.probes(told),
    sections.codecs(told),
    sections.origin(told, command),
  ]
  names = told_lib.names(told)
  lead = '; '.join(t.subject.label for t in told)
  return blocks.Page(
    ', '.join(names) if len(names) < 4 else f'{len(names)} runs',
    f'{lead}. Numbers are nats an image where no other unit is named; +- is a '
    'standard error over images.',
    tuple(section for section in found if section is not None),
  )
