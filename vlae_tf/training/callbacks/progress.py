"""What one sees while a model trains: a bar on a terminal, lines elsewhere."""

import math
from collections.abc import Mapping
from typing import TextIO

import keras

from vlae_tf.utils import console


class Progress(keras.callbacks.Callback):
  """Shows step, ETA, images/s, ELBO, and the rate in nats and bits."""

  def __init__(
    self,
    batch_size: int,
    file: TextIO | None = None,
    num_dims: int | None = None,
  ):
    super().__init__()
    self._batch_size, self._num_dims = batch_size, num_dims
    self._file = file

  def on_train_begin(self, logs=None):
    del logs
    self._meter = console.Meter(
      self.params['steps'],
      'step',
      self.params['initial'],
      (self._batch_size, 'image'),
      self._file,
      patient=False,
    )

  def on_train_batch_end(self, batch, logs=None):
    self._meter.show(batch, describe(logs, self._num_dims))

  def on_epoch_end(self, epoch, logs=None):
    values = {name.removeprefix('val_'): v for name, v in logs.items()}
    # 'validation', or what it is besides.
    curve = self.params.get('validation', 'validation').replace('_', ' ')
    self._meter.write(
      f'step {epoch}: {curve} {describe(values, self._num_dims)}'
    )

  def on_train_end(self, logs=None):
    del logs
    self._meter.close()


def describe(values: Mapping[str, float], num_dims: int | None = None) -> str:
  """One line of a bound."""
  elbo, rate = values['elbo'], values['rate']
  bits = rate / math.log(2)
  line = f'ELBO {elbo:.2f} nats, rate {rate:.2f} nats = {bits:.2f} bits'
  if num_dims:
    total = -elbo / math.log(2) / num_dims
    line += f': {bits / num_dims:.4f} of {total:.4f} bits/dim'
  return line
