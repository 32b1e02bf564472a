"""Tables of a page: scores, the paper's, probes, codecs, configs."""

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from vlae_tf.evaluation import likelihood
from vlae_tf.reporting import blocks, looks, subjects, words
from vlae_tf.reproduction import paper, summaries

_SCORES = (
  ('NLL, nats', 'nll', 1),
  ('-ELBO, nats', 'elbo', -1),
  ('rate, nats', 'rate', 1),
  ('distortion, nats', 'distortion', 1),
)


def scores(
  about: Sequence[subjects.Subject], seen: Sequence[looks.Look]
) -> blocks.Table:
  """What was measured of each run, a column each."""
  found = [words.measured(s, v) for s, v in zip(about, seen)]
  rows = [
    (name, *(_score(score, key, sign) for score in found))
    for name, key, sign in _SCORES
  ]
  rows.append(
    ('in the code, bits', *(f'{s["rate"] / math.log(2):.1f}' for s in found))
  )
  rows.append(
    ('bits a dimension', *(f'{s["bits_per_dim"]:.4f}' for s in found))
  )
  rows.append(('numbers of the code in use', *(_units(look) for look in seen)))
  rows.append(('test images', *(f'{s["num_images"]:,}' for s in found)))
  rows.append(('codes an image', *(f'{s["num_samples"]:,}' for s in found)))
  rows.append(('epochs', *(f'{s.epochs:.1f}' for s in about)))
  minutes = (s.facts.get('minutes') for s in about)
  rows.append(('minutes', *('' if m is None else f'{m:,.0f}' for m in minutes)))
  return blocks.Table(('', *(s.name for s in about)), tuple(rows))


def _score(score, key, sign):
  if key == 'nll' and score['num_samples'] == 1 and score['rate']:
    return 'not measured'
  return words.with_error(score, key, sign)


def _units(look):
  if look.use is None:
    return 'no code'
  return f'{look.use.active_units} of {len(look.use.variances)}'


def published(about: Sequence[subjects.Subject]) -> list[blocks.Table]:
  """The paper's tables of the data sets of some runs, and the runs in them."""
  found = []
  for name, table in paper.tables().items():
    ours = [s for s in about if s.data.name == name]
    if ours:
      rows = [
        (
          row.name,
          row.nll_text,
          '',
          'the paper' if row.own else 'quoted',
        )
        for row in table.rows
      ]
      rows += [_ours(s, table) for s in ours]
      heads = ('model', 'NLL, nats', 'less the paper', 'measured by')
      caption = f'{table.title}: {table.where} of {paper.source()}'
      found.append(blocks.Table(heads, tuple(rows), caption))
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
  codes = words.count(score['num_samples'], 'code')
  part = summaries.part(score, len(subject.data.test))
  return (
    subject.name,
    words.with_error(score, 'nll'),
    less,
    f'this run, {codes} an image{part}',
  )


def _kind(config):
  """Which model of the paper a config is."""
  if not config.latent_size:
    return 'unconditional decoder'
  if config.prior != 'flow' or config.posterior != 'gaussian':
    return None
  return 'AF VAE' if config.decoder == 'factorised' else 'VLAE'


def probes(subject: subjects.Subject) -> list[blocks.Table]:
  """What `probe` found, if it was run on these weights."""
  found = []
  for probe in subject.probes:
    numbers = list(dict.fromkeys(map(str, probe['num_labels'])))
    heads = ('classifier: features', *(f'{int(n):,} labels' for n in numbers))
    rows = tuple(
      (
        f'{row["classifier"]}: {row["features"]}',
        *(_percent(row['accuracies'].get(n)) for n in numbers),
      )
      for row in probe['rows']
    )
    caption = (
      f'Accuracy in % on {probe["num_test"]:,} test images, +- standard error '
      f'over {probe["repeats"]} draws of labelled images'
    )
    found.append(blocks.Table(heads, rows, caption))
  return found


def _percent(accuracies):
  if not accuracies:
    return ''
  percent = 100 * np.asarray(accuracies)
  if len(percent) == 1:
    return f'{percent[0]:.1f}'
  return f'{percent.mean():.1f} +- {likelihood.standard_error(percent):.1f}'


def codecs(subject: subjects.Subject) -> list[blocks.Table]:
  """What `compress --report` wrote into `eval/`, if it did."""
  return [_codec(report) for report in subject.codecs]


def _codec(report):
  num = report['images'] * math.prod(report['image_shape'])
  rows = [
    ('file', f'{report["gross_bits"] // 8:,}', _bits(report['gross_bits'], num))
  ]
  if report.get('negative_elbo_bits'):
    bound = report['negative_elbo_bits']
    rows.append(('-ELBO', f'{bound / 8:,.0f}', _bits(bound, num)))
  for name, sizes in (report.get('baselines') or {}).items():
    for way in ('together', 'one_by_one'):
      size = sizes[f'{way}_bytes']
      words_ = f'{name}, {way.replace("_", " ")}'
      rows.append((words_, f'{size:,}', _bits(8 * size, num)))
  caption = f'{report["images"]:,} images of {report["in"]}, {report["mode"]}'
  return blocks.Table(('', 'bytes', 'bits a dimension'), tuple(rows), caption)


def _bits(bits, num):
  return f'{bits / num:.4f}'


def config(subject: subjects.Subject) -> blocks.Table:
  """How a run's config differs from its preset."""
  preset, differences = subjects.origin(subject.run.config)
  rows = tuple(
    (name, _plain(there), _plain(here))
    for name, (there, here) in differences.items()
  )
  base = 'the defaults' if preset is None else f'preset {preset}'
  if not rows:
    rows = (('no field', 'differs', ''),)
  return blocks.Table(('field', base, 'here'), rows)


def whole_config(subject: subjects.Subject) -> blocks.Table:
  """All fields of a config, folded."""
  fields = sorted(vars(subject.run.config).items())
  rows = tuple((name, _plain(value)) for name, value in fields)
  return blocks.Table(('field', 'value'), rows, 'All fields', folded=True)


def environment(subject: subjects.Subject) -> blocks.Table:
  """What it was computed with."""
  found: dict[str, Any] = dict(subject.facts.get('environment') or {})
  found['images trained on, SHA-256'] = subject.run.fingerprint
  rows = tuple((name, _plain(value)) for name, value in found.items())
  return blocks.Table(('', 'trained with'), rows)


def _plain(value):
  if isinstance(value, str):
    return value or 'none'
  return json.dumps(value)
