"""What one sees while a model trains: a bar on a terminal, lines elsewhere."""

import math
import sys
import time
from collections.abc import Mapping
from typing import TextIO

import keras
from tqdm import tqdm

_SECONDS_BETWEEN_LINES = 10.0


class Progress(keras.callbacks.Callback):
  """Shows step, ETA, images/s, ELBO, and the rate in nats and bits."""

  def __init__(self, batch_size: int, file: TextIO | None = None):
    """Creates the callback.

    Args:
      batch_size: Images in a step.
      file: Where to write; standard output by default.
    """
    super().__init__()
    self._batch_size = batch_size
    self._file = sys.stdout if file is None else file

  def on_train_begin(self, logs=None):
    del logs
    self._last = self.params['steps']
    self._bar = tqdm(
      total=self._last,
      initial=self.params['initial'],
      file=self._file,
      unit='step',
      disable=not self._file.isatty(),
      dynamic_ncols=True,
    )
    # The first call compiles: the clock starts behind it.
    self._started, self._shown = False, -math.inf

  def on_train_batch_end(self, batch, logs=None):
    now = time.monotonic()
    if not self._started:
      self._origin, self._started = (now, batch), True
    text = describe(logs)
    if self._bar.disable:
      self._line(batch, now, text)
    else:
      self._bar.set_postfix_str(f'{self._speed(batch, now)}{text}', False)
      self._bar.update(batch - self._bar.n)

  def on_epoch_end(self, epoch, logs=None):
    values = {name.removeprefix('val_'): v for name, v in logs.items()}
    # 'validation', or what it is besides.
    curve = self.params.get('validation', 'validation').replace('_', ' ')
    self._write(f'step {epoch}: {curve} {describe(values)}')

  def on_train_end(self, logs=None):
    del logs
    self._bar.close()

  def _speed(self, step, now):
    seconds, steps = now - self._origin[0], step - self._origin[1]
    if not steps:
      return ''
    return f'{self._batch_size * steps / seconds:.0f} images/s '

  def _line(self, step, now, text):
    if now - self._shown < _SECONDS_BETWEEN_LINES and step < self._last:
      return
    self._shown = now
    seconds, steps = now - self._origin[0], step - self._origin[1]
    eta = ''
    if steps:
      left = round(seconds / steps * (self._last - step))
      eta = f'ETA {left // 60}:{left % 60:02d} '
    speed = self._speed(step, now)
    self._write(f'step {step}/{self._last} {eta}{speed}{text}')

  def _write(self, text):
    if self._bar.disable:
      print(text, file=self._file, flush=True)
    else:
      self._bar.write(text, file=self._file)


def describe(values: Mapping[str, float]) -> str:
  """One line of a bound.

  Args:
    values: Dictionary with `elbo` and `rate` in nats an image.

  Returns:
    A string.
  """
  rate = values['rate']
  return (
    f'ELBO {values["elbo"]:.2f} nats, rate {rate:.2f} nats = '
    f'{rate / math.log(2):.2f} bits'
  )
