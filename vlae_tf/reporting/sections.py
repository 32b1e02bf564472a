"""Sections of a report on runs, one or several side by side."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from vlae_tf.evaluation import figures, receptive_field
from vlae_tf.reporting import charts, page, summaries
from vlae_tf.reporting.subjects import Chosen, commands, Subject
from vlae_tf.runs import records

_SPLITS = {
  'train': 'training',
  'validation': 'validation',
  'validation_trained_on': 'validation, trained on',
}
_TERMS = ('-ELBO', 'distortion', 'rate')
_MAPPED = 8  # Test images with the nats of their pixels.
_COLUMNS = 4  # Of test images, each with a draw.
# Sides of an image's pixel on a wide page.
_LARGE, _SMALL, _MAP = 2.4, 2.0, 8.0
_FIELD = 320  # Pixels, the width of a receptive field.


def report(subjects: Sequence[Subject], command: str = '') -> page.Page:
  """The page about some runs, made by a shell command."""
  found = [
    _summary(subjects),
    _curves(subjects),
    _published(subjects),
    _section('samples', 'Samples', subjects, _samples),
    _decompressions(subjects),
    _completions(subjects),
    _section(
      'window',
      'Receptive field',
      subjects,
      _window,
      'Dependence that the decoder models locally need not be encoded in the '
      'latent.',
    ),
    _section('code', 'Rate of the latent dimensions', subjects, _rates),
    _nats(subjects),
    _ends(subjects),
    _section(
      'probe', 'Classification from the latent', subjects, summaries.probes
    ),
    _section('codec', 'Compression', subjects, summaries.codecs),
    _origin(subjects, command),
  ]
  names = [s.name for s in subjects]
  lead = '; '.join(s.label for s in subjects)
  return page.Page(
    ', '.join(names) if len(names) < 4 else f'{len(names)} runs',
    f'{lead}. Numbers are nats per image unless another unit is given; +- is a '
    'standard error over images.',
    tuple(section for section in found if section is not None),
  )


def _section(
  name: str,
  title: str,
  subjects: Sequence[Subject],
  blocks: Callable[[Subject], Sequence[page.Block]],
  before: str | page.Block = '',
) -> page.Section | None:
  """A section with the blocks of each run side by side; none if all lack it."""
  parts = [blocks(s) for s in subjects]
  if not any(parts):
    return None
  inner = page.side_by_side([s.name for s in subjects], parts)
  if len(subjects) == 1 and len(inner) > 1:
    inner = [page.Columns((), tuple((block,) for block in inner))]
  if before:
    text = page.Text((before,)) if isinstance(before, str) else before
    inner.insert(0, text)
  return page.Section(name, title, tuple(inner))


def _summary(subjects):
  table = summaries.scores(subjects)
  own = [table] if len(subjects) == 1 else []
  return _section(
    'summary',
    'Summary',
    subjects,
    lambda s: [page.Text(summaries.summary(s)), *own],
    '' if own else table,
  )


def _curves(subjects):
  """Learning curves of the bound and of its two terms."""
  columns = []
  for term in _TERMS:
    series = [
      series
      for k, subject in enumerate(subjects)
      for series in _series(subject, term, None if len(subjects) == 1 else k)
    ]
    if any(s.points for s in series):
      caption = (
        f'{term} in nats per image: means over intervals of the training, and '
        'over all validation images.'
      )
      title = f'{term}, nats'
      chart = charts.lines(series, title, 'epoch', caption, robust=True)
      columns.append((chart,))
  found: page.Block = page.Columns((), tuple(columns))
  if not columns:
    found = page.Text(('The run directory has no training log.',))
  return page.Section('curves', 'Learning curves', (found,))


def _series(subject, term, colour):
  """Curves of a run: one run has a colour for each split."""
  found = []
  splits = dict.fromkeys(line.get('split') for line in subject.log)
  for k, split in enumerate(s for s in splits if s in _SPLITS):
    points = []
    for point in records.curve(subject.log, split):
      value = point.rate
      if term != 'rate':
        value = -point.elbo - (term == 'distortion') * point.rate
      points.append((point.step / subject.steps_per_epoch, value))
    name = _SPLITS[split]
    if colour is not None:
      name = f'{subject.name}, {name}'
    found.append(
      charts.Series(name, points, k if colour is None else colour, k)
    )
  return found


def _published(subjects):
  found = tuple(summaries.published(subjects))
  if not found:
    return None
  return page.Section('paper', 'Comparison with the paper', found)


def _samples(subject):
  images = subject.outputs.samples
  alt = f'{len(images)} samples from {subject.name}'
  caption = 'z ~ p(z), x ~ p(x|z)'
  return [page.picture(figures.grid(images), alt, caption, _SMALL)]


def _decompressions(subjects):
  text = (
    'Test images, framed, each beside an image sampled given its latent. The '
    'latent fixes what the samples share; the decoder samples the rest.'
  )
  known = [s for s in subjects if s.outputs.draws is not None]
  if not known:
    return None
  draws = [s.outputs.draws for s in known]
  slider = _slider('decompression', known, 'draw', draws)
  title = 'Reconstructions'
  return page.Section('decompressions', title, (page.Text((text,)), slider))


def _completions(subjects):
  text = (
    'Test images, framed: the upper half is given, the latent is inferred from '
    'it, and the lower half is sampled.'
  )
  drawn = [s.outputs.completions for s in subjects]
  slider = _slider('completion', subjects, 'continuation', drawn)
  return page.Section(
    'completions', 'Completions', (page.Text((text,)), slider)
  )


def _slider(name, subjects, what, drawn):
  """A slider over draws, the originals of each run beside them."""
  panels = []
  for k in range(len(drawn[0])):
    parts = []
    for s, draws in zip(subjects, drawn):
      originals = s.outputs.originals[: draws.shape[1]]
      pixels = figures.beside(originals, draws[k : k + 1], _COLUMNS)
      alt = (
        f'{len(originals)} test images, each beside {what} {k + 1} by {s.name}'
      )
      parts.append([page.picture(pixels, alt, scale=_LARGE)])
    panels.append(tuple(page.side_by_side([s.name for s in subjects], parts)))
  options = tuple(f'{k + 1} of {len(panels)}' for k in range(len(panels)))
  return page.Chooser(name, 'Sample', options, tuple(panels), True)


def _window(subject):
  """The receptive field of the decoder over a test image."""
  field = subject.outputs.field
  if field is None:
    return []
  words = receptive_field.describe(field)
  pixels = charts.field(subject.outputs.originals[0], field)
  alt = f'A test image; the pixels that one depends on are blue: {words}'
  caption = (
    f'The decoder of {subject.name} at the orange pixel: {words}. Later pixels '
    'are dimmed.'
  )
  return [page.picture(pixels, alt, caption, _FIELD / pixels.shape[1])]


def _rates(subject):
  """The rate of each latent dimension."""
  use = subject.outputs.use
  if use is None or use.rates is None:
    return []
  order = np.argsort(-use.rates)
  nats = float(use.rates.sum())
  caption = (
    f'{nats:.2f} nats = {nats / math.log(2):.1f} bits in all, mean of '
    f'{subject.outputs.num_read:,} test images; {use.active_units} of '
    f'{len(order)} are active.'
  )
  label = 'latent dimensions, by their rate'
  values, names = use.rates[order].tolist(), [str(k) for k in order]
  return [charts.bars(values, 'rate, nats', label, caption, names)]


def _nats(subjects):
  """The distortion of each pixel, in the same colours for all runs."""
  found = [s.outputs.nats for s in subjects if s.outputs.nats is not None]
  most = max((float(n.mean.max()) for n in found), default=0.0)
  return _section(
    'nats',
    'Distortion of the pixels',
    subjects,
    lambda s: _maps(s.outputs, most),
    '-log p of each pixel, given the latent and the preceding pixels.',
  )


def _maps(outputs, most):
  if outputs.nats is None:
    return []
  mean, each = outputs.nats.mean, outputs.nats.of_originals[:_MAPPED]
  brightest = float(np.quantile(each, 0.998))
  images = outputs.originals[:_MAPPED]
  return [
    page.picture(
      charts.heat(mean, most),
      f'Mean nats of each pixel, {mean.sum():.1f} in all',
      f'Mean of {outputs.num_read:,} test images: dark is 0, yellow {most:.2f} '
      'nats.',
      min(_MAP, _FIELD / mean.shape[1]),
    ),
    page.picture(
      charts.heats(images, each, brightest),
      f'{len(images)} test images and the nats of their pixels',
      f'Single test images: dark is 0, yellow {brightest:.1f} nats or more.',
      _SMALL,
    ),
  ]


def _ends(subjects):
  """The test images of least and of most distortion."""
  nums = dict.fromkeys(len(s.outputs.scored.distortion) for s in subjects)
  num = ' and '.join(f'{n:,}' for n in nums)
  return _section(
    'ends',
    'Least and most distortion',
    subjects,
    lambda s: [*_end(s.outputs.best, 'least'), *_end(s.outputs.worst, 'most')],
    f'Among {num} test images, by -log p(x|z) with one sample of z each. '
    'Images with more ink have more distortion.',
  )


def _end(chosen: Chosen, what):
  if not len(chosen.numbers):
    return []
  cells, below = [chosen.images], ''
  if chosen.draws is not None:
    cells.append(chosen.draws)
    below = ', above a sample given its latent'
  caption = (
    f'The {what} distortion{below}: '
    f'{", ".join(f"{x:.0f}" for x in chosen.distortions)} nats; test images '
    f'number {", ".join(map(str, chosen.numbers))}.'
  )
  alt = f'{len(chosen.numbers)} test images of the {what} distortion{below}'
  return [page.picture(figures.rows(np.stack(cells)), alt, caption, _SMALL)]


def _origin(subjects, command):
  """Configs, environments, and the commands that repeat all this."""
  parts: list[list[page.Block]] = [
    [
      summaries.config(s),
      summaries.whole_config(s),
      page.Listing(tuple(commands(s))),
      summaries.environment(s),
    ]
    for s in subjects
  ]
  before: list[page.Block] = []
  if command:
    text = 'Command of this page, and below those of its runs:'
    before = [page.Text((text,)), page.Listing((command,))]
  inner = page.side_by_side([s.name for s in subjects], parts)
  return page.Section(
    'origin', 'Configuration and environment', (*before, *inner)
  )
