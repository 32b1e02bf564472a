"""What became of a run, in plain sentences."""

import math
from collections.abc import Mapping
from typing import Any

from vlae_tf.evaluation import latents
from vlae_tf.reporting import looks, subjects
from vlae_tf.reproduction import summaries
from vlae_tf.runs import history


def summary(subject: subjects.Subject, look: looks.Look) -> tuple[str, ...]:
  """Paragraphs about a run."""
  score = measured(subject, look)
  parts = [
    f'{_model(subject, look)} {_training(subject)}',
    _likelihood(subject, score),
    _code(subject, look, score),
    _generalisation(subject, score),
  ]
  return tuple(part for part in parts if part)


def measured(subject: subjects.Subject, look: looks.Look) -> Mapping[str, Any]:
  """The fullest score of the test images: one on file, or that of the page."""
  shape = subject.run.image_shape
  return subject.nll or subject.bound or look.scored.summary(shape)


def with_error(score: Mapping[str, Any], key: str, sign: int = 1) -> str:
  """A mean and its standard error: '91.40 +- 0.31'."""
  error = score.get(f'{key}_stderr')
  is_known = error is not None and math.isfinite(error)
  return summaries.with_error(sign * score[key], error if is_known else None)


def count(num: float, what: str) -> str:
  """A number of things: '1 image', '8,070 images'."""
  return f'{num:,} {what}' + 's' * (num != 1)


def _model(subject, look):
  config, shape = subject.run.config, subject.run.image_shape
  size = 'x'.join(map(str, shape[:2])) + ' colour' * (shape[2] == 3)
  code = 'without a code'
  if subject.has_code:
    code_shape = 'x'.join(map(str, subject.run.model.event_shape))
    code = f'by a code of {code_shape} numbers, prior {config.prior}'
  sees = ''
  if look.field is not None:
    pixels = count(look.field.num_pixels, 'pixel')
    sees = f', in which a pixel sees {pixels} before it'
    if not look.field.num_pixels:
      sees = ', in which a pixel sees none of the others'
  return (
    f'{subject.name} models the {size} images of {subject.data.name} {code}, '
    f'and the decoder {config.decoder}{sees}.'
  )


def _training(subject):
  config = subject.run.config
  split = config.train_on.replace('+', ' and ')
  num = len(subject.data.split(config.train_on))
  text = (
    f'It was trained for {subject.epochs:.1f} epochs of the {num:,} images of '
    f'{split}: {count(subject.run.step, "step")} of {config.batch_size}'
  )
  minutes = subject.facts.get('minutes')
  return f'{text}.' if not minutes else f'{text}, {minutes:,.0f} minutes.'


def _likelihood(subject, score):
  images = count(score['num_images'], 'test image')
  whole = len(subject.data.test)
  first = '' if score['num_images'] == whole else f' of {whole:,}'
  if score['num_samples'] == 1 and subject.has_code:
    return (
      f'The bound -ELBO on -log p(x) of {images}{first} is '
      f'{with_error(score, "elbo", -1)} nats, '
      f'{score["elbo_bits_per_dim"]:.4f} bits a dimension. The NLL itself is '
      'not measured yet.'
    )
  codes = f'{count(score["num_samples"], "code")} an image'
  by = f'estimated by {codes}' if subject.has_code else 'exact'
  return (
    f'-log p(x) of {images}{first} is {with_error(score, "nll")} nats, '
    f'{score["bits_per_dim"]:.4f} bits a dimension, {by}; -ELBO is '
    f'{with_error(score, "elbo", -1)}.'
  )


def _code(subject, look, score):
  if not subject.has_code:
    return 'It has no code: what an image has in common is not kept anywhere.'
  nats, bits = score['rate'], score['rate'] / math.log(2)
  text = (
    f'Of these {-score["elbo"]:.2f} nats {nats:.2f} are in the code, '
    f'{bits:.1f} bits, and {score["distortion"]:.2f} in the pixels given it.'
  )
  if look.use is not None:
    size = len(look.use.variances)
    text += f' {look.use.active_units} of {size} numbers of the code are used.'
  config = subject.run.config
  floor = config.free_bits * math.prod(subject.run.image_shape)
  floor *= config.objective in ('free_bits', 'soft_free_bits')
  problem = latents.warning(nats, floor)
  return text if problem is None else f'{text} Mind that {problem}'


def _generalisation(subject, score):
  curve = history.curve(subject.log, 'train')
  # Of the last epoch.
  first = subject.run.step - subject.steps_per_epoch
  last = [p.elbo for p in curve if first < p.step <= subject.run.step]
  if not last:
    return ''
  training = -sum(last) / len(last)
  return (
    f'In the last epoch -ELBO of the training images was {training:.2f} nats '
    f'(of the weights as they were, not of their averages); of test images it '
    f'is {-score["elbo"]:.2f}.'
  )
