"""Model card of a shared model, `README.md`, made from its description.

The YAML header is for model hubs; its values are JSON, which is YAML as well.
"""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

import jinja2

from vlae_tf.formats import description

NOT_MEASURED = 'not measured'
_TEMPLATES = pathlib.Path(__file__).with_name('templates')
_PROTOCOL = {
  'dataset': 'data set',
  'dataset_words': 'description',
  'train_on': 'training split',
  'num_train': 'training images',
  'data_sha256': 'SHA-256 of the training images',
  'steps': 'steps',
  'planned_epochs': 'planned epochs',
  'batch_size': 'batch size',
  'minutes': 'training time in minutes',
  'checkpoint': 'checkpoint',
}
_METRICS = {
  'nll': 'negative log-likelihood in nats per image',
  'bits_per_dim': 'negative log-likelihood in bits per dimension',
}


def render(template: str, **values: Any) -> str:
  """A text of one of the templates."""
  environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_TEMPLATES),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    keep_trailing_newline=True,
  )
  return environment.get_template(template).render(values)


def text(name: str, described: description.Description) -> str:
  """The card."""
  about = described.about
  scores = about.get('scores') or []
  return render(
    'card.md.jinja',
    name=name,
    model=described,
    dataset=about.get('dataset'),
    scores=scores,
    number=_number,
    with_error=_with_error,
    index=[_indexed(about, score) for score in scores],
    protocol=list(_protocol(about)),
    keras_file=description.KERAS,
    json=json.dumps,
  )


def expected(about: Mapping[str, Any]) -> str:
  """The first score: '242.1 +- 1.3 nats (9 test images, 16 samples each)'."""
  scores = about.get('scores') or []
  if not scores:
    return NOT_MEASURED
  first = scores[0]
  return (
    f'{_with_error(first, "nll", 2)} nats ({first["num_images"]:,} '
    f'{first.get("split", "test")} images, {first["num_samples"]:,} samples '
    'each)'
  )


def _number(score, key, digits, sign=1):
  value = score.get(key)
  return NOT_MEASURED if value is None else f'{sign * value:.{digits}f}'


def _with_error(score, key, digits, sign=1):
  error = score.get(f'{key}_stderr')
  spread = '' if error is None else f' +- {error:.{digits}f}'
  return f'{_number(score, key, digits, sign)}{spread}'


def _indexed(about, score):
  """A score as model hubs read it."""
  dataset = about.get('dataset') or 'unknown'
  counts = f'{score["num_images"]} images, {score["num_samples"]} samples each'
  return {
    'task': {
      'type': 'unconditional-image-generation',
      'name': 'density estimation',
    },
    'dataset': {
      'type': dataset,
      'name': dataset,
      'split': score.get('split', 'test'),
    },
    'metrics': [
      {'type': key, 'name': f'{words}, {counts}', 'value': score[key]}
      for key, words in _METRICS.items()
      if score.get(key) is not None
    ],
  }


def _protocol(about):
  """Pairs of words and values."""
  for key, words in _PROTOCOL.items():
    if about.get(key) is not None:
      yield words, _plain(about[key])
  start = about.get('started_from')
  if start:
    yield 'started from', _started_from(start)
  environment = about.get('environment')
  if environment:
    versions = (f'{k} {_plain(v)}' for k, v in environment.items())
    yield 'computed with', ', '.join(versions)


def _started_from(start):
  """The trained model that it started from, and the start of that one."""
  about = start['about']
  facts = [
    f'{_plain(about[key])} {key}'
    for key in ('steps', 'minutes')
    if about.get(key) is not None
  ]
  before = about.get('started_from')
  facts += [f'started from {_started_from(before)}'] if before else []
  facts.append(f'weights of SHA-256 {start["sha256"]}')
  return f'{start["name"]} ({", ".join(facts)})'


def _plain(value):
  if isinstance(value, bool) or not isinstance(value, int | float):
    return f'{value}' if value or value is False else 'none'
  return f'{value:,}' if isinstance(value, int) else f'{value:,.1f}'
