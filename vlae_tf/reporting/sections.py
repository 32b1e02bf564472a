"""Sections of a report on runs, one or several side by side."""

import json
import math
from collections.abc import Callable, Sequence

import numpy as np

from vlae_tf.evaluation import figures, latents, probing, receptive_field
from vlae_tf.reporting import charts, page
from vlae_tf.reporting.run_results import commands, origin, RunResults
from vlae_tf.reproduction import experiments, tables
from vlae_tf.runs import records
from vlae_tf.utils import console

_SCORES = {
  'NLL, nats': 'nll',
  '-ELBO, nats': '-elbo',
  'rate, nats': 'rate',
  'distortion, nats': 'distortion',
}
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


def report(runs: Sequence[RunResults], command: str = '') -> page.Page:
  """The page about some runs, made by a shell command."""
  found = [
    _summary(runs),
    _curves(runs),
    _published(runs),
    _section('samples', 'Samples', runs, _samples),
    _drawn(
      'decompression',
      'Reconstructions',
      'Test images, framed, each beside an image sampled given its latent. The '
      'latent fixes what the samples share; the decoder samples the rest.',
      'draw',
      [(s, s.outputs.draws) for s in runs],
    ),
    _drawn(
      'completion',
      'Completions',
      'Test images, framed: the upper half is given, the latent is inferred '
      'from it, and the lower half is sampled.',
      'continuation',
      [(s, s.outputs.completions) for s in runs],
    ),
    _section(
      'window',
      'Receptive field',
      runs,
      _window,
      'Dependence that the decoder models locally need not be encoded in the '
      'latent.',
    ),
    _section('code', 'Rate of the latent dimensions', runs, _rates),
    _nats(runs),
    _ends(runs),
    _section('probe', 'Classification from the latent', runs, _probes),
    _section('codec', 'Compression', runs, _codecs),
    _origin(runs, command),
  ]
  names = [s.name for s in runs]
  lead = '; '.join(
    f'{s.name}, step {s.loaded.step:,} ({s.loaded.checkpoint})' for s in runs
  )
  return page.Page(
    ', '.join(names) if len(names) < 4 else f'{len(names)} runs',
    f'{lead}. Numbers are nats per image unless another unit is given; +- is a '
    'standard error over images.',
    tuple(section for section in found if section is not None),
  )


def _section(
  name: str,
  title: str,
  runs: Sequence[RunResults],
  blocks: Callable[[RunResults], Sequence[page.Block]],
  before: str | page.Block = '',
) -> page.Section | None:
  """A section with the blocks of each run side by side; none if all lack it."""
  parts = [blocks(s) for s in runs]
  if not any(parts):
    return None
  inner = page.side_by_side([s.name for s in runs], parts)
  if len(runs) == 1 and len(inner) > 1:
    inner = [page.Columns((), tuple((block,) for block in inner))]
  if before:
    text = page.Text((before,)) if isinstance(before, str) else before
    inner.insert(0, text)
  return page.Section(name, title, tuple(inner))


def _summary(runs):
  columns = [_scores(run) for run in runs]
  rows = tuple(
    (name, *(column[name] for column in columns)) for name in columns[0]
  )
  table = page.Table(('', *(s.name for s in runs)), rows)
  own = [table] if len(runs) == 1 else []
  return _section(
    'summary',
    'Summary',
    runs,
    lambda s: [page.Text(summary(s)), *own],
    '' if own else table,
  )


def summary(run: RunResults) -> tuple[str, ...]:
  """Paragraphs about a model; its numbers are in a table."""
  config, shape = run.loaded.config, run.loaded.image_shape
  size = 'x'.join(map(str, shape[:2])) + ' colour' * (shape[2] == 3)
  latent, problem = 'without a latent', None
  if run.has_latent:
    latent_shape = 'x'.join(map(str, run.loaded.model.event_shape))
    latent = f'with {latent_shape} latent dimensions, prior {config.prior}'
    floor = config.free_bits * math.prod(shape)
    floor *= config.objective in ('free_bits', 'soft_free_bits')
    problem = latents.warning(run.score['rate'], floor)
  sees, field = '', run.outputs.field
  if field is not None:
    pixels = console.count(field.num_pixels, 'preceding pixel')
    sees = f', in which a pixel depends on {pixels}'
    if not field.num_pixels:
      sees = ', in which pixels are independent'
  text = (
    f'{run.name} models the {size} images of {run.data.name} {latent}, '
    f'and the decoder {config.decoder}{sees}.'
  )
  return (text, f'Note: {problem}') if problem else (text,)


def _scores(run):
  """Results of a run by their names, and what they took."""
  score, use, config = run.score, run.outputs.use, run.loaded.config
  cells = {n: tables.score_text(score, key) for n, key in _SCORES.items()} | {
    'rate, bits': f'{score["rate"] / math.log(2):.1f}',
    'NLL, bits/dim': f'{score["bits_per_dim"]:.4f}',
    '-ELBO, bits/dim': f'{score["elbo_bits_per_dim"]:.4f}',
  }
  samples, in_use, units = f'{score["num_samples"]:,}', *['no latent'] * 2
  if not run.has_latent:
    samples = 'exact'
  elif score['num_samples'] == 1:
    cells |= dict.fromkeys(('NLL, nats', 'NLL, bits/dim'), 'not measured')
  if use is not None:
    units = f'{use.active_units} of {len(use.variances)}'
    in_use = 'not known'
    if use.in_use is not None:
      in_use = f'{use.in_use} of {len(use.variances)}'
  images, whole = score['num_images'], len(run.data.test)
  step, minutes = run.loaded.step, run.facts.get('minutes')
  last = [
    -point.elbo
    for point in records.curve(run.log, 'train')
    if step - run.steps_per_epoch < point.step <= step
  ]
  return cells | {
    '-ELBO, last epoch of training (weights of each step, not averages)': (
      f'{np.mean(last):.2f}' if last else ''
    ),
    'latent dimensions in use (0.1 nats or more)': in_use,
    'active units (posterior mean of variance above 0.01)': units,
    'test images': f'{images:,}' + f' of {whole:,}' * (images != whole),
    'importance samples': samples,
    'training images': f'{len(run.data.split(config.train_on)):,} of '
    f'{config.train_on.replace("+", " and ")}',
    'steps': f'{step:,} of {config.batch_size} images',
    'epochs': f'{step / run.steps_per_epoch:.1f}',
    'minutes': '' if minutes is None else f'{minutes:,.0f}',
  }


def _curves(runs):
  columns = []
  for term in _TERMS:
    series = [
      series
      for k, run in enumerate(runs)
      for series in _series(run, term, None if len(runs) == 1 else k)
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


def _series(run, term, colour):
  """Curves of a run: one run has a colour for each split."""
  found = []
  splits = dict.fromkeys(line.get('split') for line in run.log)
  for k, split in enumerate(s for s in splits if s in _SPLITS):
    points = []
    for point in records.curve(run.log, split):
      value = point.rate
      if term != 'rate':
        value = -point.elbo - (term == 'distortion') * point.rate
      points.append((point.step / run.steps_per_epoch, value))
    name = _SPLITS[split]
    if colour is not None:
      name = f'{run.name}, {name}'
    found.append(
      charts.Series(name, points, k if colour is None else colour, k)
    )
  return found


def _published(runs):
  """The paper's tables of the data sets of runs, and the runs in them."""
  found = []
  for name, table in experiments.PUBLISHED.items():
    ours = [_ours(s, table) for s in runs if s.data.name == name]
    if ours:
      rows = [
        (row.name, row.nll_text, '', 'the paper' if row.own else 'quoted')
        for row in table.rows
      ]
      heads = ('model', 'NLL, nats', 'difference', 'source')
      caption = f'{table.title}: {table.where} of {experiments.SOURCE}'
      found.append(page.Table(heads, (*rows, *ours), caption))
  if not found:
    return None
  return page.Section('paper', 'Comparison with the paper', tuple(found))


def _ours(run, table):
  score = run.nll
  if score is None:
    return run.name, 'not measured', '', 'this run'
  kind = _kind(run.loaded.config)
  own = next((r for r in table.rows if r.own and r.name == kind), None)
  less = ''
  if own is not None and own.nll is not None:
    less = f'{score["nll"] - float(own.nll):+.2f} ({kind})'
  samples = console.count(score['num_samples'], 'importance sample')
  part = tables.part(score, len(run.data.test))
  return (
    run.name,
    tables.score_text(score, 'nll'),
    less,
    f'this run, {samples}{part}',
  )


def _kind(config):
  """The model of the paper that a config is of."""
  if not config.latent_size:
    return 'unconditional decoder'
  if config.prior != 'flow' or config.posterior != 'gaussian':
    return None
  return 'AF VAE' if config.decoder == 'factorised' else 'VLAE'


def _samples(run):
  images = run.outputs.samples
  alt = f'{len(images)} samples from {run.name}'
  caption = 'z ~ p(z), x ~ p(x|z)'
  return [page.picture(figures.grid(images), alt, caption, _SMALL)]


def _drawn(name, title, text, what, drawn):
  """A slider over draws of each run, beside its originals."""
  drawn = [(s, draws) for s, draws in drawn if draws is not None]
  if not drawn:
    return None
  panels = []
  for k in range(len(drawn[0][1])):
    parts = []
    for s, draws in drawn:
      originals = s.outputs.originals[: draws.shape[1]]
      pixels = figures.beside(originals, draws[k : k + 1], _COLUMNS)
      alt = (
        f'{len(originals)} test images, each beside {what} {k + 1} by {s.name}'
      )
      parts.append([page.picture(pixels, alt, scale=_LARGE)])
    panels.append(tuple(page.side_by_side([s.name for s, _ in drawn], parts)))
  options = tuple(f'{k + 1} of {len(panels)}' for k in range(len(panels)))
  slider = page.Chooser(name, 'Sample', options, tuple(panels), True)
  return page.Section(f'{name}s', title, (page.Text((text,)), slider))


def _window(run):
  field = run.outputs.field
  if field is None:
    return []
  words = receptive_field.describe(field)
  pixels = charts.field(run.outputs.originals[0], field)
  alt = f'A test image; the pixels that one depends on are blue: {words}'
  caption = (
    f'The decoder of {run.name} at the orange pixel: {words}. Later pixels '
    'are dimmed.'
  )
  return [page.picture(pixels, alt, caption, _FIELD / pixels.shape[1])]


def _rates(run):
  use = run.outputs.use
  if use is None or use.rates is None:
    return []
  order = np.argsort(-use.rates)
  nats = float(use.rates.sum())
  caption = (
    f'{nats:.2f} nats = {nats / math.log(2):.1f} bits in all, mean of '
    f'{run.outputs.num_read:,} test images; {use.in_use} of '
    f'{len(order)} dimensions have 0.1 nats or more, {use.active_units} are '
    'active units.'
  )
  label = 'latent dimensions, by their rate'
  values, names = use.rates[order].tolist(), [str(k) for k in order]
  return [charts.bars(values, 'rate, nats', label, caption, names)]


def _nats(runs):
  """The distortion of each pixel, in the same colours for all runs."""
  means = [s.outputs.mean_nats for s in runs]
  most = max((float(m.max()) for m in means if m is not None), default=0.0)
  return _section(
    'nats',
    'Distortion of the pixels',
    runs,
    lambda s: _maps(s.outputs, most),
    '-log p of each pixel, given the latent and the preceding pixels.',
  )


def _maps(outputs, most):
  if outputs.nats is None:
    return []
  mean, each = outputs.mean_nats, outputs.nats[:_MAPPED]
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


def _ends(runs):
  nums = dict.fromkeys(len(s.outputs.scored.distortion) for s in runs)
  num = ' and '.join(f'{n:,}' for n in nums)
  return _section(
    'ends',
    'Least and most distortion',
    runs,
    lambda s: [*_end(s.outputs.best, 'least'), *_end(s.outputs.worst, 'most')],
    f'Among {num} test images, by -log p(x|z) with one sample of z each. '
    'Images with more ink have more distortion.',
  )


def _end(chosen, what):
  num = len(chosen.numbers)
  if not num:
    return []
  cells, below = [chosen.images], ''
  if chosen.draws is not None:
    cells.append(chosen.draws)
    below = ', above a sample given its latent'
  nats = ', '.join(f'{x:.0f}' for x in chosen.distortions)
  caption = (
    f'The {what} distortion{below}: {nats} nats; test images number '
    f'{", ".join(map(str, chosen.numbers))}.'
  )
  alt = f'{num} test images of the {what} distortion{below}'
  return [page.picture(figures.rows(np.stack(cells)), alt, caption, _SMALL)]


def _probes(run):
  """Accuracies written by `probe`, of these weights."""
  found = []
  for probe in run.probes:
    numbers = list(dict.fromkeys(map(str, probe['num_labels'])))
    heads = ('classifier: features', *(f'{int(n):,} labels' for n in numbers))
    rows = tuple(
      (
        f'{row["classifier"]}: {row["features"]}',
        *(probing.percent(row['accuracies'].get(n)) for n in numbers),
      )
      for row in probe['rows']
    )
    caption = (
      f'Accuracy in % on {probe["num_test"]:,} test images, +- standard error '
      f'over {probe["repeats"]} draws of labelled images'
    )
    found.append(page.Table(heads, rows, caption))
  return found


def _codecs(run):
  """Sizes written by `compress --report`."""
  found = []
  for report in run.codecs:
    num = report['images'] * math.prod(report['image_shape'])
    bits = {'file': report['gross_bits']}
    if report.get('negative_elbo_bits'):
      bits['-ELBO'] = report['negative_elbo_bits']
    for name, sizes in (report.get('baselines') or {}).items():
      for way in ('together', 'one_by_one'):
        words = f'{name}, {way.replace("_", " ")}'
        bits[words] = 8 * sizes[f'{way}_bytes']
    rows = tuple(
      (n, f'{b / 8:,.0f}', f'{b / max(num, 1):.4f}') for n, b in bits.items()
    )
    caption = f'{report["images"]:,} images of {report["in"]}, {report["mode"]}'
    found.append(page.Table(('', 'bytes', 'bits/dim'), rows, caption))
  return found


def _origin(runs, command):
  """Configs, environments, and the commands that repeat all this."""
  before: list[page.Block] = []
  if command:
    text = 'Command of this page, and below those of its runs:'
    before = [page.Text((text,)), page.Listing((command,))]
  inner = page.side_by_side(
    [s.name for s in runs], [_repeated(s) for s in runs]
  )
  return page.Section(
    'origin', 'Configuration and environment', (*before, *inner)
  )


def _repeated(run) -> list[page.Block]:
  """Config, commands, and hardware, versions and data of the training."""

  def row(name, *values):
    texts = (v if isinstance(v, str) else json.dumps(v) for v in values)
    return name, *(text or 'none' for text in texts)

  preset, differences = origin(run.loaded.config)
  base = 'the defaults' if preset is None else f'preset {preset}'
  changed = tuple(row(name, *pair) for name, pair in differences.items())
  fields = sorted(vars(run.loaded.config).items())
  trained = {
    **(run.facts.get('environment') or {}),
    'training images, SHA-256': run.loaded.fingerprint,
  }
  return [
    page.Table(
      ('field', base, 'this run'), changed or (('no field', 'differs', ''),)
    ),
    page.Table(
      ('field', 'value'), tuple(row(*f) for f in fields), 'All fields', True
    ),
    page.Listing(tuple(commands(run))),
    page.Table(('', 'trained with'), tuple(row(*f) for f in trained.items())),
  ]
