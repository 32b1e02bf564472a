"""Words and cells for what records say; blank where they say nothing."""

from collections.abc import Mapping
from typing import Any

from vlae_tf.models import config as config_lib
from vlae_tf.reproduction import records, rows, status

_PIXELS = {
  'binary': 'binary as they come',
  'grey': 'binarised afresh for training, once for the test',
  'levels': '256 levels',
}
_TRAINED_ON = 'validation_trained_on'  # Split of the learning curve.
_PACKAGES = ('tensorflow', 'keras', 'tensorflow-probability')
_HEADS = (
  'run',
  'flags of `train`',
  'state',
  'steps',
  'images/s',
  'active units',
  'hardware',
  'versions',
  'commit',
)


def with_error(mean: float, error: float | None, sign: str = '') -> str:
  """A mean, and its standard error where there is one.

  >>> with_error(79.034, 0.128), with_error(0.5, None, '+')
  ('79.03 +- 0.13', '+0.50')
  """
  text = format(mean, f'{sign}.2f')
  return text if error is None else f'{text} +- {error:.2f}'


def count(number: int | None) -> str:
  """A whole number with commas."""
  return '' if number is None else f'{number:,}'


def part(score: Mapping[str, Any], images: int) -> str:
  """Which part of the test images a score is of; nothing for all."""
  if 'num_corrected' in score:
    return (
      f' ({score["num_corrected"]:,} of {images:,} images, '
      f'{score["num_samples_of_all"]:,} codes of the others)'
    )
  if score['num_images'] == images:
    return ''
  return f' (first {score["num_images"]:,} of {images:,} images)'


def epochs(record: records.Record) -> str:
  """Epochs, and of how many; before them those of what it started from."""
  own = f'{record.epochs:.0f}'
  if not record.finished:
    own = f'{record.epochs:.1f} of {record.epochs_planned:g}'
  return ' + '.join([*_in_order(record.epochs_before), own])


def minutes(record: records.Record) -> str:
  """Minutes of training; before them those of what it started from."""
  if record.minutes is None:
    return ''
  before = _in_order([about.get('minutes') for about in record.before])
  return ' + '.join([*before, f'{record.minutes:,.0f}'])


def steps(record: records.Record) -> str:
  """Steps taken; before them those of what it started from."""
  before = _in_order([about.get('steps') for about in record.before])
  return ' + '.join([*before, f'{record.steps:,}'])


def _in_order(numbers):
  """Whole numbers of runs, the first run first."""
  return ['?' if n is None else f'{n:,.0f}' for n in reversed(numbers)]


def unfinished(record: records.Record) -> str:
  """How far a run is that has not ended."""
  return (
    f'training is not finished: {record.steps:,} of {record.steps_planned:,} '
    'steps'
  )


def overfitting(record: records.Record) -> str:
  """Says how far a run that trains on validation images overfits them."""
  # Their -ELBO at the end of the run, by the averaged weights that test images
  # are scored with, beside that of test images, in nats. The two sets differ of
  # themselves as well.
  points = record.curve.get(_TRAINED_ON)
  if not (record.finished and points and record.bound):
    return ''
  epoch, elbo, _ = points[-1]
  if record.epochs - epoch > 1:
    return ''
  gap = elbo - record.bound['elbo']
  side = 'below' if gap >= 0 else 'above'
  return (
    f'-ELBO of validation images, which it is trained on, is {-elbo:.2f}, '
    f'{abs(gap):.2f} {side} that of test images'
  )


def since_changed(record: records.Record) -> list[str]:
  """Flags that the run needs besides its own, as presets are by now."""
  now = config_lib.from_args([f'--preset={record.preset}', *record.flags])
  return [
    config_lib.as_arg(name, value)
    for name, value in record.config.items()
    if name not in status.FREE and getattr(now, name) != value
  ]


def protocol(record: records.Record) -> str:
  """What was trained and tested on."""
  images = record.images
  split = record.config['train_on'].replace('+', ' + ')
  flips = record.config.get('horizontal_flips')
  mirrored = ', mirrored at random' if flips else ''
  return (
    f'{split}, {images.training:,}{mirrored}; test, {images.test:,}; '
    f'{_PIXELS.get(images.kind, images.kind)}'
  )


def runs(plan: rows.Plan, done: Mapping[str, records.Record]) -> str:
  """The section on runs: a line for each that there is a record of."""
  lines = [_run(done[e.name]) for e in plan.needed() if e.name in done]
  if not lines:
    return ''
  head = [_line(_HEADS), _line(['---'] * len(_HEADS))]
  text = (
    'Configs as a whole, learning curves and all scores are in '
    '`results/tables/`. A run that went on elsewhere is told by where it was '
    'last.'
  )
  return '\n'.join(['## Runs', '', text, '', *head, *lines])


def _run(record):
  flags = ' '.join(
    [f'--preset={record.preset}', *record.flags, *since_changed(record)]
  )
  start = record.started_from
  after = '' if start is None else _after(start)
  speed = record.images_per_s
  found = record.environment
  versions = [f'{name} {found[name]}' for name in _PACKAGES if name in found]
  return _line(
    [
      f'`{record.name}`',
      f'`{flags}`{after}',
      'finished' if record.finished else 'not finished',
      f'{record.steps:,} of {record.steps_planned:,}',
      '' if speed is None else f'{speed:,.0f}',
      _units(record),
      _hardware(found),
      ', '.join(versions),
      _commit(found.get('git_commit')),
    ]
  )


def _after(start):
  """What a run started from."""
  steps = start['about'].get('steps')
  told = '' if steps is None else f', {steps:,} steps'
  return (
    f' with `--start_from` a trained model: {start["name"]}{told}, '
    f'weights {start["sha256"][:12]}'
  )


def _commit(name):
  """The first digits, and whether files were changed."""
  digits, dash, rest = (name or '').partition('-')
  return digits[:12] + dash + rest


def _units(record):
  if record.active_units is None:
    return ''
  return f'{record.active_units} of {record.config["latent_size"]}'


def _hardware(found):
  cores = found.get('cores')
  cpu = found.get('cpu') or found.get('processor') or ''
  if cores:
    cpu = f'{cpu}, {cores} core{"" if cores == 1 else "s"}'
  parts = [*found.get('gpus', ()), cpu]
  return '; '.join(part for part in parts if part)


def _line(cells):
  return f'| {" | ".join(cells)} |'
