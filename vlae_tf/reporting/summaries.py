"""Text and tables of a report: scores, the paper's, probes, codecs, configs."""

import json
import math
from collections.abc import Sequence

from vlae_tf.evaluation import latents
from vlae_tf.reporting import page
from vlae_tf.reporting.subjects import origin, Subject
from vlae_tf.reproduction import paper, tables
from vlae_tf.runs import records

_SCORES = {
  'NLL, nats': 'nll',
  '-ELBO, nats': '-elbo',
  'rate, nats': 'rate',
  'distortion, nats': 'distortion',
}


def summary(subject: Subject) -> tuple[str, ...]:
  """Paragraphs about a run."""
  parts = [
    f'{_model(subject)} {_training(subject)}',
    _likelihood(subject),
    _latent(subject),
    _generalisation(subject),
  ]
  return tuple(part for part in parts if part)


def _count(num: float, what: str) -> str:
  """A number of things: '1 image', '8,070 images'."""
  return f'{num:,} {what}' + 's' * (num != 1)


def _model(subject):
  config, shape = subject.run.config, subject.run.image_shape
  size = 'x'.join(map(str, shape[:2])) + ' colour' * (shape[2] == 3)
  latent = 'without a latent'
  if subject.has_latent:
    latent_shape = 'x'.join(map(str, subject.run.model.event_shape))
    latent = f'with {latent_shape} latent dimensions, prior {config.prior}'
  sees, field = '', subject.outputs.field
  if field is not None:
    pixels = _count(field.num_pixels, 'preceding pixel')
    sees = f', in which a pixel depends on {pixels}'
    if not field.num_pixels:
      sees = ', in which pixels are independent'
  return (
    f'{subject.name} models the {size} images of {subject.data.name} {latent}, '
    f'and the decoder {config.decoder}{sees}.'
  )


def _training(subject):
  config = subject.run.config
  split = config.train_on.replace('+', ' and ')
  num = len(subject.data.split(config.train_on))
  text = (
    f'It was trained for {subject.epochs:.1f} epochs on the {num:,} images of '
    f'{split}: {_count(subject.run.step, "step")} of {config.batch_size}'
  )
  minutes = subject.facts.get('minutes')
  return f'{text}.' if not minutes else f'{text}, {minutes:,.0f} minutes.'


def _likelihood(subject):
  score, whole = subject.score, len(subject.data.test)
  images = _count(score['num_images'], 'test image')
  first = '' if score['num_images'] == whole else f' of {whole:,}'
  if score['num_samples'] == 1 and subject.has_latent:
    return (
      f'The bound -ELBO on -log p(x) of {images}{first} is '
      f'{tables.score_text(score, "-elbo")} nats, '
      f'{score["elbo_bits_per_dim"]:.4f} bits/dim. The NLL itself is not '
      'measured yet.'
    )
  samples = _count(score['num_samples'], 'importance sample')
  by = f'by {samples} per image' if subject.has_latent else 'exact'
  return (
    f'-log p(x) of {images}{first} is {tables.score_text(score, "nll")} nats, '
    f'{score["bits_per_dim"]:.4f} bits/dim, {by}; -ELBO is '
    f'{tables.score_text(score, "-elbo")}.'
  )


def _latent(subject):
  if not subject.has_latent:
    return 'It has no latent.'
  score, use = subject.score, subject.outputs.use
  nats, bits = score['rate'], score['rate'] / math.log(2)
  text = (
    f'Of this -ELBO, {nats:.2f} nats ({bits:.1f} bits) are the rate and '
    f'{score["distortion"]:.2f} nats the distortion.'
  )
  if use is not None:
    size = len(use.variances)
    text += f' {use.active_units} of {size} latent dimensions are active.'
  config = subject.run.config
  floor = config.free_bits * math.prod(subject.run.image_shape)
  floor *= config.objective in ('free_bits', 'soft_free_bits')
  problem = latents.warning(nats, floor)
  return text if problem is None else f'{text} Note: {problem}'


def _generalisation(subject):
  # Of the last epoch.
  first = subject.run.step - subject.steps_per_epoch
  last = [
    point.elbo
    for point in records.curve(subject.log, 'train')
    if first < point.step <= subject.run.step
  ]
  if not last:
    return ''
  return (
    f'In the last epoch, -ELBO of the training images was '
    f'{-sum(last) / len(last):.2f} nats, with the weights of each step and not '
    f'their averages; that of the test images is '
    f'{-subject.score["elbo"]:.2f}.'
  )


def scores(subjects: Sequence[Subject]) -> page.Table:
  """The scores of runs, a column each."""
  columns = [_scores(subject) for subject in subjects]
  rows = tuple(
    (name, *(column[name] for column in columns)) for name in columns[0]
  )
  return page.Table(('', *(s.name for s in subjects)), rows)


def _scores(subject):
  score, use = subject.score, subject.outputs.use
  cells = {n: tables.score_text(score, key) for n, key in _SCORES.items()}
  if score['num_samples'] == 1 and score['rate']:
    cells['NLL, nats'] = 'not measured'
  units = 'no latent'
  if use is not None:
    units = f'{use.active_units} of {len(use.variances)}'
  minutes = subject.facts.get('minutes')
  return cells | {
    'rate, bits': f'{score["rate"] / math.log(2):.1f}',
    'NLL, bits/dim': f'{score["bits_per_dim"]:.4f}',
    'active latent dimensions': units,
    'test images': f'{score["num_images"]:,}',
    'importance samples': f'{score["num_samples"]:,}',
    'epochs': f'{subject.epochs:.1f}',
    'minutes': '' if minutes is None else f'{minutes:,.0f}',
  }


def published(subjects: Sequence[Subject]) -> list[page.Table]:
  """The paper's tables of the data sets of runs, and the runs in them."""
  found = []
  for name, table in paper.tables().items():
    ours = [_ours(s, table) for s in subjects if s.data.name == name]
    if ours:
      rows = [
        (row.name, row.nll_text, '', 'the paper' if row.own else 'quoted')
        for row in table.rows
      ]
      heads = ('model', 'NLL, nats', 'difference', 'source')
      caption = f'{table.title}: {table.where} of {paper.source()}'
      found.append(page.Table(heads, (*rows, *ours), caption))
  return found


def _ours(subject, table):
  score = subject.nll
  if score is None:
    return subject.name, 'not measured', '', 'this run'
  kind = _kind(subject.run.config)
  own = next((r for r in table.rows if r.own and r.name == kind), None)
  less = ''
  if own is not None and own.nll is not None:
    less = f'{score["nll"] - float(own.nll):+.2f} ({kind})'
  samples = _count(score['num_samples'], 'importance sample')
  part = tables.part(score, len(subject.data.test))
  return (
    subject.name,
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


def probes(subject: Subject) -> list[page.Table]:
  """Accuracies written by `probe`, of these weights."""
  found = []
  for probe in subject.probes:
    numbers = list(dict.fromkeys(map(str, probe['num_labels'])))
    heads = ('classifier: features', *(f'{int(n):,} labels' for n in numbers))
    rows = tuple(
      (
        f'{row["classifier"]}: {row["features"]}',
        *(tables.percent(row['accuracies'].get(n)) for n in numbers),
      )
      for row in probe['rows']
    )
    caption = (
      f'Accuracy in % on {probe["num_test"]:,} test images, +- standard error '
      f'over {probe["repeats"]} draws of labelled images'
    )
    found.append(page.Table(heads, rows, caption))
  return found


def codecs(subject: Subject) -> list[page.Table]:
  """Sizes written by `compress --report`."""
  found = []
  for report in subject.codecs:
    num = report['images'] * math.prod(report['image_shape'])
    bits = {'file': report['gross_bits']}
    if report.get('negative_elbo_bits'):
      bits['-ELBO'] = report['negative_elbo_bits']
    for name, sizes in (report.get('baselines') or {}).items():
      for way in ('together', 'one_by_one'):
        words = f'{name}, {way.replace("_", " ")}'
        bits[words] = 8 * sizes[f'{way}_bytes']
    rows = tuple(
      (n, f'{b / 8:,.0f}', f'{b / num:.4f}') for n, b in bits.items()
    )
    caption = f'{report["images"]:,} images of {report["in"]}, {report["mode"]}'
    found.append(page.Table(('', 'bytes', 'bits/dim'), rows, caption))
  return found


def config(subject: Subject) -> page.Table:
  """Fields of a config that differ from its preset."""
  preset, differences = origin(subject.run.config)
  rows = tuple(
    (name, _plain(there), _plain(here))
    for name, (there, here) in differences.items()
  )
  base = 'the defaults' if preset is None else f'preset {preset}'
  rows = rows or (('no field', 'differs', ''),)
  return page.Table(('field', base, 'this run'), rows)


def whole_config(subject: Subject) -> page.Table:
  """All fields of a config, folded."""
  fields = sorted(vars(subject.run.config).items())
  rows = tuple((name, _plain(value)) for name, value in fields)
  return page.Table(('field', 'value'), rows, 'All fields', folded=True)


def environment(subject: Subject) -> page.Table:
  """Hardware, versions and data of the training."""
  found = dict(subject.facts.get('environment') or {})
  found['training images, SHA-256'] = subject.run.fingerprint
  rows = tuple((name, _plain(value)) for name, value in found.items())
  return page.Table(('', 'trained with'), rows)


def _plain(value):
  if isinstance(value, str):
    return value or 'none'
  return json.dumps(value)
