"""`RESULTS.md`, from the paper's figures and the records alone."""

import math
import os
import pathlib

from vlae_tf.reproduction import paired, paper, records, rows, summaries
from vlae_tf.utils import files as files_lib

NAME = 'RESULTS.md'
_HEADS = (
  'model',
  'paper: NLL',
  'ours: NLL',
  'difference',
  'paper: KL',
  'ours: KL, nats',
  'KL, bits',
  '-ELBO',
  'codes an image',
  'epochs',
  'minutes',
  'weights',
  'data',
)


def write(plan: rows.Plan, out: str | os.PathLike) -> pathlib.Path:
  """Writes `RESULTS.md`."""
  path = pathlib.Path(out) / NAME
  files_lib.write_text(path, render(plan, out))
  return path


def render(plan: rows.Plan, out: str | os.PathLike) -> str:
  """The text of `RESULTS.md`, see `write`."""
  names = [e.name for e in plan.needed()]
  found = {name: records.read(out, name) for name in names}
  done = {name: record for name, record in found.items() if record}
  parts = [_opening(plan, done)]
  for table in plan.tables:
    parts.append(f'## {table.title}')
    parts.append(f'In the paper: {table.where}.' if table.where else '')
    parts += [_table(table, done), _told(table, done)]
    if table.reference:
      parts += [_budgets(table, plan, done), _differences(table, done, out)]
  parts += _figures(plan, out)
  parts.append(summaries.runs(plan, done))
  return '\n\n'.join(part for part in parts if part) + '\n'


def _opening(plan, done):
  own = [r for t in plan.tables for r in t.rows if r.published.own]
  own = own or [r for t in plan.tables for r in t.rows]
  found = [(row, record) for row in own if (record := _record(row, done))]
  measured = sum(record.nll is not None for _, record in found)
  overs = [over for pair in found if (over := _over(*pair)) is not None]
  reached = sum(over <= 0 for over in overs)
  return f"""\
# Results

Written by `python -m vlae_tf.reproduce`, which measures what is in it, from
`results/tables/` and the paper's figures (`vlae_tf/reproduction/paper.json`:
{paper.source()}); no number is typed in.
{measured} of {len(own)} rows that are not quoted are measured; of \
{len(overs)} that have a published NLL, {reached} reach it.

NLL, KL and -ELBO are means over test images in nats, `+-` is a standard error
over images. NLL is the importance-sampled -log p(x) from as many codes an image
as the table says; where some images alone have so many, these are from all over
the test set and correct the mean of all by their mean difference, which the
error includes. -ELBO and KL are the bound and its rate. Differences are ours
less the paper's: below zero is better. Rows without figures of ours are quoted
by the paper. Minutes are of training, without pauses, on what the last table
says. Where validation images are trained on, their -ELBO at the end is told:
the further it is below that of test images, the more a model overfits. The two
sets differ of themselves as well, as the rows without a code show, which have
too few weights to overfit much."""


def _record(row, done):
  return done.get(row.experiment)


def _table(table, done):
  lines = [_line(_HEADS), _line(['---'] * len(_HEADS))]
  for row in table.rows:
    p = row.published
    name = f'**{p.name}**' if p.own else p.name
    cells = [name, p.nll_text, *_ours(row, done)]
    cells.insert(4, _paper_kl(p))
    lines.append(_line(cells))
  return '\n'.join(lines)


def _line(cells):
  return f'| {" | ".join(cells)} |'


def _paper_kl(published):
  nats = published.kl is not None and f'{published.kl} nats'
  bits = published.kl_bits is not None and f'{published.kl_bits} bits'
  return ' = '.join(text for text in (nats, bits) if text)


def _ours(row, done):
  """Cells of what we measured: NLL, difference, and the ten behind."""
  record = _record(row, done)
  if record is None:
    is_ours = row.experiment or row.published.own
    why = row.why_not or 'not run'
    return [why if is_ours else '', *[''] * 9]
  nll, bound = record.nll, record.bound
  images = record.data['test_images']
  cells = [_nll(nll), _difference(row, record)]
  if bound is None:
    cells += [''] * 3
  else:
    bits = bound['rate'] / math.log(2)
    elbo = summaries.with_error(-bound['elbo'], bound['elbo_stderr'])
    cells += [f'{bound["rate"]:.2f}', f'{bits:.2f}', elbo]
    cells[-1] += summaries.part(bound, images)
  codes = _codes_told(record, '', images) if nll else ''
  cells += [codes, summaries.epochs(record), summaries.minutes(record)]
  return [*cells, summaries.count(record.weights), summaries.protocol(record)]


def _codes_told(record, unit, images):
  """Of how many codes the NLL is."""
  if not record.has_code:
    return 'none, exact' if not unit else 'without a code and exact'
  score = record.nll
  return f'{score["num_samples"]:,}{unit}{summaries.part(score, images)}'


def _nll(score):
  if score is None:
    return 'not measured'
  return summaries.with_error(score['nll'], score['nll_stderr'])


def _difference(row, record):
  over = _over(row, record)
  return '' if over is None else f'{over:+.2f}'


def _over(row, record):
  """Nats by which our NLL is above the paper's."""
  if row.published.nll is None or record.nll is None:
    return None
  return record.nll['nll'] - float(row.published.nll)


def _told(table, done):
  """In words: which figures of the paper are reached, and which are not."""
  lines = []
  for row in table.rows:
    if not row.published.own:
      continue
    record = _record(row, done)
    name = row.published.name
    if record is None:
      lines.append(f'- {name}: {row.why_not or "not run"}.')
      continue
    over = _over(row, record)
    words = [] if record.finished else [summaries.unfinished(record)]
    if over is not None:
      word = 'reached' if over <= 0 else 'not reached'
      side = 'below' if over <= 0 else 'above'
      images = record.data['test_images']
      words.insert(
        0,
        f"the paper's {row.published.nll} is {word}: {abs(over):.2f} nats "
        f'{side} it, {_codes_told(record, " codes an image", images)}',
      )
    if fitted := summaries.overfitting(record):
      words.append(fitted)
    if words:
      lines.append(f'- {name}: {"; ".join(words)}.')
  return '\n'.join(lines)


def _budgets(table, plan, done):
  """How long compared rows train, and whether they do so equally long."""
  there = [r for r in table.rows if r.experiment]
  planned = {plan.experiments[r.experiment].config.max_epochs for r in there}
  assert len(planned) == 1, f'{table.name}: {planned}'
  text = f'Rows are compared at equal budgets, in epochs: {planned.pop():g}.'
  late = [
    r.published.name
    for r in there
    if (record := _record(r, done)) and not record.finished
  ]
  text += f' Not yet trained so long: {", ".join(late)}.' if late else ''
  others = [
    f'{r.published.name}, `{" ".join(flags)}`'
    for r in there
    if (record := _record(r, done))
    and (flags := summaries.since_changed(record))
  ]
  return text + (
    f' Trained by other flags than the presets have now: {", ".join(others)}.'
    if others
    else ''
  )


def _differences(table, done, out):
  """Rows against the reference, over the same images where these are there."""
  reference = next(r for r in table.rows if r.published.name == table.reference)
  other = _record(reference, done)
  lines = []
  for row in table.rows:
    record = _record(row, done)
    if row is not reference and record and other and record.nll and other.nll:
      ours = _paired(record, other, out)
      name = row.published.name
      lines.append(_line([name, ours, _published_difference(row, reference)]))
  if not lines:
    return ''
  head = f'NLL less that of {table.reference}, ours'
  return '\n'.join(
    [_line([table.title, head, 'the paper']), _line(['---'] * 3), *lines]
  )


def _paired(record, other, out):
  files = [
    records.path(out, r.name).with_suffix('.npz') for r in (record, other)
  ]
  nums = {r.nll['num_images'] for r in (record, other)}
  sets = {r.config['dataset'] for r in (record, other)}
  codes = {_codes(r.nll) for r in (record, other) if r.has_code}
  same = len(nums) == len(sets) == 1 and len(codes) < 2
  if same and all(file.exists() for file in files):
    found = paired.difference(*files)
    text = summaries.with_error(found.mean, found.stderr, '+')
    return f'{text}, of the same {found.num_images:,} images'
  return f'{record.nll["nll"] - other.nll["nll"]:+.2f}'


def _codes(score):
  return score['num_samples'], score.get('num_corrected')


def _published_difference(row, reference):
  ours, theirs = row.published, reference.published
  if ours.over_reference is not None:
    return f'{ours.over_reference:+}'
  if None in (ours.nll, theirs.nll):
    return ''
  return f'{ours.nll - theirs.nll:+}'


def _figures(plan, out):
  """Links to the figures that are there."""
  parts = []
  for figure in plan.figures:
    name = f'results/figure_{figure.name}.png'
    if (pathlib.Path(out) / name).exists():
      parts += [f'## Figure {figure.name}: {figure.title}', f'![]({name})']
  return parts
