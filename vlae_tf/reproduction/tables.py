"""`RESULTS.md`: the paper's tables beside our numbers, from records alone."""

import math
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from vlae_tf.evaluation import likelihood
from vlae_tf.models import config as config_lib
from vlae_tf.reproduction import experiments, records, runner
from vlae_tf.utils import console, files

NAME = 'RESULTS.md'
_TRAINED_ON = 'validation_trained_on'  # Split of the learning curve.
_PACKAGES = ('tensorflow', 'keras', 'tensorflow-probability')
_PIXELS = {
  'binary': 'binary images',
  'grey': 'dynamic binarisation for training, fixed for the test',
  'levels': '256 levels',
}
_HEADS = (
  'model',
  'paper: NLL',
  'ours: NLL',
  'difference',
  'paper: KL',
  'ours: KL, nats',
  'KL, bits',
  '-ELBO',
  'importance samples',
  'epochs',
  'minutes',
  'parameters',
  'data',
)
_OPENING = """\
# Results

Written by `python -m vlae_tf.reproduce` from the records in `results/tables/`
and the published numbers in `vlae_tf/reproduction/paper.json` ({source}).
{measured} of {own} rows for the paper's own models are measured; of \
{published} that have a published NLL, {reached} reach it.

NLL, KL and -ELBO are means over test images in nats; `+-` is the standard error
over images. NLL is the importance-sampled -log p(x) with the number of samples
per image in the table. Where only some images have that many samples, they are
spread over the test set, and their mean difference corrects the mean over all
images; the error includes this. -ELBO and KL are the bound and its rate.
Differences are ours minus the paper's: negative is better. Rows without our
numbers are quoted by the paper. Minutes are training time without pauses, on
the hardware in the last table. Where the validation images are trained on,
their -ELBO at the end of training is given: the further it is below that of the
test images, the more the model overfits. The two sets also differ in
themselves, as the rows without a latent show, which have too few parameters to
overfit much."""
_RUNS = """\
## Runs

Complete configs, learning curves and all scores are in `results/tables/`. \
Hardware, versions and commit are those of the last training process.

"""


def markdown(heads: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
  """A table in Markdown."""
  lines = [heads, ['---'] * len(heads), *rows]
  return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)


def write(plan: experiments.Plan, out: str | os.PathLike) -> pathlib.Path:
  """Writes `RESULTS.md`."""
  path = pathlib.Path(out) / NAME
  files.write_text(path, render(plan, out))
  return path


def render(plan: experiments.Plan, out: str | os.PathLike) -> str:
  """The text of `RESULTS.md`."""
  needed = plan.needed()
  done = {e.name: r for e in needed if (r := records.read(out, e.name))}
  parts = [_opening(plan, done)]
  for table in plan.tables:
    rows = [(row, done.get(row.experiment or '')) for row in table.rows]
    parts.append(f'## {table.title}')
    parts.append(f'In the paper: {table.where}.' if table.where else '')
    parts.append(markdown(_HEADS, (_cells(*pair) for pair in rows)))
    parts.append('\n'.join(filter(None, (_remark(*pair) for pair in rows))))
    if table.reference:
      parts.append(_budgets(table, plan, rows))
      parts.append(_differences(table, rows, out))
  for figure in plan.figures:
    path = runner.figure_path('', figure.name)
    if pathlib.Path(out, path).exists():
      parts += [f'## Figure {figure.name}: {figure.title}', f'![]({path})']
  if done:
    runs = [_run(done[e.name]) for e in needed if e.name in done]
    parts.append(_RUNS + markdown([*runs[0]], (r.values() for r in runs)))
  return '\n\n'.join(part for part in parts if part) + '\n'


def _opening(plan, done):
  rows = [row for table in plan.tables for row in table.rows]
  own = [row for row in rows if row.own] or rows
  found = [(row, done[row.experiment]) for row in own if row.experiment in done]
  overs = [over for pair in found if (over := _over(*pair)) is not None]
  return _OPENING.format(
    source=experiments.SOURCE,
    measured=sum(record.nll is not None for _, record in found),
    own=len(own),
    published=len(overs),
    reached=sum(over <= 0 for over in overs),
  )


def _cells(row, record):
  """A row of a table, by `_HEADS`."""
  name = f'**{row.name}**' if row.own else row.name
  nats = row.kl is not None and f'{row.kl} nats'
  bits = row.kl_bits is not None and f'{row.kl_bits} bits'
  kl = ' = '.join(text for text in (nats, bits) if text)
  if record is None:
    why = (row.why_not or 'not run') if row.experiment or row.own else ''
    return [name, row.nll_text, why, '', kl, *[''] * 8]
  nll, bound, over = record.nll, record.bound, _over(row, record)
  measured = ['', '', '']
  if bound is not None:
    elbo, rate = score_text(bound, '-elbo'), bound['rate']
    measured = [f'{rate:.2f}', f'{rate / math.log(2):.2f}']
    measured.append(elbo + part(bound, record.images.test))
  return [
    name,
    row.nll_text,
    score_text(nll, 'nll') if nll else 'not measured',
    '' if over is None else f'{over:+.2f}',
    kl,
    *measured,
    _num_samples(record, '') if nll else '',
    epochs(record),
    minutes(record),
    '' if record.weights is None else f'{record.weights:,}',
    _protocol(record),
  ]


def _over(row, record):
  """Nats by which our NLL is above the paper's."""
  if row.nll is None or record.nll is None:
    return None
  return record.nll['nll'] - float(row.nll)


def _num_samples(record, unit):
  if not record.has_latent:
    return 'exact, without a latent' if unit else 'none, exact'
  score = record.nll
  return f'{score["num_samples"]:,}{unit}{part(score, record.images.test)}'


def _remark(row, record):
  """Whether the paper's number is reached, and what qualifies ours."""
  if not row.own:
    return ''
  if record is None:
    return f'- {row.name}: {row.why_not or "not run"}.'
  words, over = [], _over(row, record)
  if over is not None:
    word, side = ('reached', 'below') if over <= 0 else ('not reached', 'above')
    words.append(
      f"the paper's {row.nll} is {word}: {abs(over):.2f} nats {side} it, "
      f'{_num_samples(record, " importance samples per image")}'
    )
  if not record.finished:
    words.append(
      f'training is not finished: {record.steps:,} of '
      f'{record.steps_planned:,} steps'
    )
  words += _overfitting(record)
  return f'- {row.name}: {"; ".join(words)}.' if words else ''


def _overfitting(record):
  """The gap between the bounds of training and test images, if known."""
  # Of validation images that are trained on, at the end of the run, by the
  # averaged weights that test images are scored with.
  points = record.curve.get(_TRAINED_ON)
  if not (record.finished and points and record.bound):
    return []
  epoch, elbo, _ = points[-1]
  if record.epochs - epoch > 1:
    return []
  gap = elbo - record.bound['elbo']
  side = 'below' if gap >= 0 else 'above'
  return [
    f'-ELBO of the validation images, which are trained on, is {-elbo:.2f}, '
    f'{abs(gap):.2f} {side} that of the test images'
  ]


def _budgets(table, plan, rows):
  """Epochs of rows that are compared, and which rows had others."""
  there = [(row, record) for row, record in rows if row.experiment]
  planned = {plan.experiments[r.experiment].config.max_epochs for r, _ in there}
  assert len(planned) == 1, f'{table.name}: {planned}'
  text = f'These rows train for equally many epochs, {planned.pop():g}.'
  there = [(row, record) for row, record in there if record]
  if late := [row.name for row, record in there if not record.finished]:
    text += f' Unfinished: {", ".join(late)}.'
  others = [
    f'{row.name}, `{" ".join(flags)}`'
    for row, record in there
    if (flags := changed_flags(record))
  ]
  if others:
    text += ' Trained with flags that differ from the current presets: '
    text += f'{", ".join(others)}.'
  return text


def _differences(table, rows, out):
  """NLL of rows less that of the reference, paired by image if possible."""
  pairs = [(row, record) for row, record in rows if record and record.nll]
  found = [pair for pair in pairs if pair[0].name == table.reference]
  if not found or len(pairs) < 2:
    return ''
  reference, other = found[0]
  lines = []
  for row, record in pairs:
    if row is reference:
      continue
    published = row.over_reference
    if published is None and None not in (row.nll, reference.nll):
      published = row.nll - reference.nll
    published = '' if published is None else f'{published:+}'
    lines.append((row.name, _paired(record, other, out), published))
  head = f'ours: NLL minus that of {table.reference}'
  return markdown((table.title, head, 'paper'), lines)


def _paired(record, other, out):
  both = (record, other)
  paths = [records.path(out, r.name).with_suffix('.npz') for r in both]
  nums = {r.nll['num_images'] for r in both}
  sets = {r.config['dataset'] for r in both}
  samples = {
    (r.nll['num_samples'], r.nll.get('num_corrected'))
    for r in both
    if r.has_latent
  }
  same = len(nums) == len(sets) == 1 and len(samples) < 2
  if same and all(path.exists() for path in paths):
    mean, error, num = difference(*paths)
    text = likelihood.with_error(mean, error, sign='+')
    return f'{text}, of the same {num:,} images'
  return f'{record.nll["nll"] - other.nll["nll"]:+.2f}'


def difference(
  path: str | os.PathLike, reference: str | os.PathLike
) -> tuple[float, float, int]:
  """NLL less that of a reference: mean, standard error, number of images."""
  # What makes an image hard for both falls out of the standard error, `s /
  # n^0.5` of the differences, which is smaller than those of the two means.
  # More samples of some images, `better_log_prob`, correct the mean.
  ours, theirs = _read_log_prob(path), _read_log_prob(reference)
  sizes = [len(side['log_prob']) for side in (ours, theirs)]
  if sizes[0] != sizes[1]:
    raise ValueError(
      '`path` and `reference` must be of the same images, got '
      f'{sizes[0]} in {path} and {sizes[1]} in {reference}.'
    )
  values = theirs['log_prob'] - ours['log_prob']
  name = 'better_numbers'
  found = [side[name] for side in (ours, theirs) if name in side]
  if not found:
    error = likelihood.standard_error(values)
    return float(values.mean()), error, len(values)
  if not all(np.array_equal(numbers, found[0]) for numbers in found):
    raise ValueError(
      '`path` and `reference` must have more samples of the same images, got '
      f'{path} and {reference}.'
    )
  best, of_reference = (
    side.get('better_log_prob', side['log_prob'][found[0]])
    for side in (ours, theirs)
  )
  mean, error = likelihood.corrected_mean(values, found[0], of_reference - best)
  return mean, error, len(values)


def _read_log_prob(path):
  """The arrays of a file of `records.write`."""
  try:
    with np.load(path) as stored:
      found = dict(stored)
    found['log_prob'] = np.float64(found['log_prob'])
  except (OSError, ValueError, KeyError) as error:
    raise ValueError(f'{path} holds no log_prob of images: {error}') from error
  shape = found['log_prob'].shape
  if len(shape) != 1 or not shape[0]:
    raise ValueError(f'{path} must hold a log_prob per image, got {shape}')
  return found


def score_text(score: Mapping[str, Any], name: str) -> str:
  """A quantity of a score, 'nll', '-elbo' and others, with its error."""
  key, sign = name.removeprefix('-'), -1 if name[0] == '-' else 1
  return likelihood.with_error(sign * score[key], score.get(f'{key}_stderr'))


def part(score: Mapping[str, Any], images: int) -> str:
  """The part of the test images that a score is of; '' for all of them."""
  if 'num_corrected' in score:
    return (
      f' ({score["num_corrected"]:,} of {images:,} images, '
      f'{score["num_samples_of_all"]:,} for the others)'
    )
  if score['num_images'] == images:
    return ''
  return f' (first {score["num_images"]:,} of {images:,} images)'


def epochs(record: records.Record) -> str:
  """Epochs of the run and, before them, of the runs it started from."""
  own = f'{record.epochs:.0f}'
  if not record.finished:
    own = f'{record.epochs:.1f} of {record.epochs_planned:g}'
  return _added(record.epochs_before, own)


def minutes(record: records.Record) -> str:
  """Minutes of training, as `epochs`."""
  if record.minutes is None:
    return ''
  before = [about.get('minutes') for about in record.before]
  return _added(before, f'{record.minutes:,.0f}')


def steps(record: records.Record) -> str:
  """Steps, as `epochs`."""
  before = [about.get('steps') for about in record.before]
  return _added(before, f'{record.steps:,}')


def _added(before, own):
  """A sum over runs, the first run first."""
  texts = ['?' if n is None else f'{n:,.0f}' for n in reversed(before)]
  return ' + '.join([*texts, own])


def changed_flags(record: records.Record) -> list[str]:
  """Flags that the run needs besides its own, as presets are by now."""
  now = config_lib.from_args([f'--preset={record.preset}', *record.flags])
  return [
    config_lib.as_arg(name, value)
    for name, value in record.config.items()
    if name not in records.FREE and getattr(now, name) != value
  ]


def _protocol(record):
  images = record.images
  split = record.config['train_on'].replace('+', ' + ')
  flips = record.config.get('horizontal_flips')
  mirrored = ', mirrored at random' if flips else ''
  return (
    f'{split}, {images.training:,}{mirrored}; test, {images.test:,}; '
    f'{_PIXELS.get(images.kind, images.kind)}'
  )


def _run(record):
  """A row of the table of runs, by its heads."""
  flags = [f'--preset={record.preset}', *record.flags, *changed_flags(record)]
  after, start = '', record.started_from
  if start is not None:
    taken = start['about'].get('steps')
    after = f', initialised by `--start_from` with {start["name"]}'
    after += '' if taken is None else f', {taken:,} steps'
    after += f', weights {start["sha256"][:12]}'
  units = record.active_units
  speed = record.images_per_s
  found = record.environment
  cpu = found.get('cpu') or found.get('processor') or ''
  if cores := found.get('cores'):
    cpu += f', {console.count(cores, "core")}'
  versions = [f'{name} {found[name]}' for name in _PACKAGES if name in found]
  # Behind a dash: whether files were changed.
  digits, dash, rest = (found.get('git_commit') or '').partition('-')
  return {
    'run': f'`{record.name}`',
    'flags of `train`': f'`{" ".join(flags)}`{after}',
    'state': 'finished' if record.finished else 'not finished',
    'steps': f'{record.steps:,} of {record.steps_planned:,}',
    'images/s': '' if speed is None else f'{speed:,.0f}',
    'active units': ''
    if units is None
    else f'{units} of {record.config["latent_size"]}',
    'hardware': '; '.join(x for x in (*found.get('gpus', ()), cpu) if x),
    'versions': ', '.join(versions),
    'commit': digits[:12] + dash + rest,
  }
