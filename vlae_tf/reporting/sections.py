"""Sections of a report that need no picture."""

from collections.abc import Callable, Sequence

from vlae_tf.reporting import blocks, subjects, svg, tables, words
from vlae_tf.reporting import told as told_lib
from vlae_tf.reporting.told import Told
from vlae_tf.runs import history

_SPLITS = {
  'train': 'training',
  'validation': 'validation',
  'validation_trained_on': 'validation, trained on',
}
_TERMS = ('-ELBO', 'distortion', 'rate')


def summary(told: Sequence[Told]) -> blocks.Section | None:
  """What became of the runs, in words and numbers."""
  table = tables.scores([t.subject for t in told], [t.look for t in told])
  texts: list[list[blocks.Block]] = [
    [blocks.Text(words.summary(*t))] for t in told
  ]
  if len(told) == 1:
    texts[0].append(table)
    return told_lib.section('summary', 'In short', told, texts)
  return told_lib.section('summary', 'In short', told, texts, table)


def curves(told: Sequence[Told]) -> blocks.Section:
  """Learning curves of the bound and of its two terms."""
  charts: list[tuple[blocks.Block, ...]] = []
  for term in _TERMS:
    series = [s for t in told for s in _series(told, t, term)]
    if any(s.points for s in series):
      caption = (
        f'{term} in nats an image: means over a stretch of the training, and '
        'over all validation images.'
      )
      title = f'{term}, nats'
      chart = svg.lines(series, title, 'epoch', caption, robust=True)
      charts.append((chart,))
  found: blocks.Block = blocks.Columns((), tuple(charts))
  if not charts:
    found = blocks.Text(('The directory holds no log of the training.',))
  return blocks.Section('curves', 'How it learned', (found,))


def _series(told, one, term):
  found = []
  splits = dict.fromkeys(line.get('split') for line in one.subject.log)
  for k, split in enumerate(s for s in splits if s in _SPLITS):
    points = [
      (point.step / one.subject.steps_per_epoch, _value(point, term))
      for point in history.curve(one.subject.log, split)
    ]
    # A run by its colour, a split by its dashes; of one run by both.
    name, colour = _SPLITS[split], k
    if len(told) > 1:
      name, colour = f'{one.subject.name}, {name}', told.index(one)
    found.append(svg.Series(name, points, colour, k))
  return found


def _value(point, term):
  values = {'rate': point.rate, '-ELBO': -point.elbo}
  return values.get(term, -point.elbo - point.rate)


def published(told: Sequence[Told]) -> blocks.Section | None:
  """The paper's table beside ours, where it has one."""
  found = tables.published([t.subject for t in told])
  if not found:
    return None
  return blocks.Section('paper', 'Beside the paper', tuple(found))


def probes(told: Sequence[Told]) -> blocks.Section | None:
  """What classifiers find in codes."""
  return _tables('probe', 'What the code tells of labels', told, tables.probes)


def codecs(told: Sequence[Told]) -> blocks.Section | None:
  """Sizes of files."""
  return _tables('codec', 'As a codec', told, tables.codecs)


def _tables(
  name: str,
  title: str,
  told: Sequence[Told],
  make: Callable[[subjects.Subject], Sequence[blocks.Block]],
) -> blocks.Section | None:
  return told_lib.section(name, title, told, [make(t.subject) for t in told])


def origin(told: Sequence[Told], command: str) -> blocks.Section:
  """Configs, environments, and what to type to have all this again."""
  parts: list[list[blocks.Block]] = [
    [
      tables.config(t.subject),
      tables.whole_config(t.subject),
      blocks.Listing(tuple(subjects.commands(t.subject))),
      tables.environment(t.subject),
    ]
    for t in told
  ]
  before: list[blocks.Block] = []
  if command:
    text = 'This page, and below what makes its runs:'
    before = [blocks.Text((text,)), blocks.Listing((command,))]
  inner = blocks.side_by_side(told_lib.names(told), parts)
  return blocks.Section('origin', 'Where it comes from', (*before, *inner))
