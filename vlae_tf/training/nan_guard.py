"""What keeps a run from being ruined by one bad number."""

from collections.abc import Iterable

import keras
import numpy as np
import tensorflow as tf

# Under float16 the loss is scaled; the scale doubles after so many good steps.
_GROWTH_STEPS = 2000
_FIRST_LOSS_SCALE = 2.0**12
_MAX_LOSS_SCALE = 2.0**16

ADVICE = (
  'The weights from before the first of them are kept. Look at the images, or '
  'start again in another directory with a lower --learning_rate, a lower '
  '--gradient_clip_norm or --precision=float32.'
)


class Guard:
  """Counts the updates that were skipped as they were not finite."""

  # For float16 it also keeps the factor on the loss that keeps small gradients
  # from vanishing: halved by a skipped update, doubled after many good ones.

  def __init__(self, scale_loss: bool = False):
    self._scale_loss = scale_loss
    self.skipped = _counter('skipped')
    self.skipped_in_row = _counter('skipped_in_row')
    self._good_in_row = _counter('good_in_row')
    self._loss_scale = keras.Variable(
      _FIRST_LOSS_SCALE if scale_loss else 1.0, trainable=False, name='scale'
    )
    self.variables = (
      self.skipped,
      self.skipped_in_row,
      self._good_in_row,
      self._loss_scale,
    )

  @property
  def loss_scale(self) -> tf.Tensor:
    """Factor on the loss, a float32 `Tensor` of shape `[]`."""
    return tf.convert_to_tensor(self._loss_scale.value)

  def count(self, is_good: tf.Tensor) -> None:
    """Takes note of an update."""
    # is_good []
    bad = tf.cast(~is_good, tf.int64)
    good_in_row = (1 - bad) * (self._good_in_row.value + 1)
    self.skipped.assign(self.skipped.value + bad)
    self.skipped_in_row.assign(bad * (self.skipped_in_row.value + 1))
    if self._scale_loss:
      self._adapt(is_good, good_in_row)
    self._good_in_row.assign(good_in_row % _GROWTH_STEPS)

  def _adapt(self, is_good, good_in_row):
    grown = tf.where(good_in_row == _GROWTH_STEPS, 2.0, 1.0)
    scale = self._loss_scale.value * tf.where(is_good, grown, 0.5)
    self._loss_scale.assign(tf.clip_by_value(scale, 1.0, _MAX_LOSS_SCALE))


def _counter(name):
  return keras.Variable(0, trainable=False, dtype='int64', name=name)


def check_skipped(in_row: float, step: int, limit: int) -> None:
  """Ends a run whose updates are not finite any more."""
  if in_row >= limit:
    raise ValueError(
      f'{int(in_row)} updates in a row were not finite, up to step {step} '
      f'(--max_skipped_in_row={limit}). {ADVICE}'
    )


def are_finite(variables: Iterable[tf.Variable]) -> bool:
  """Whether all numbers of a list of variables are finite."""
  return all(
    np.isfinite(v.numpy()).all()
    for v in variables
    if tf.as_dtype(v.dtype).is_floating
  )
