"""Says in words, while a model trains, what is wrong with its code."""

import keras

from vlae_tf.evaluation import latents
from vlae_tf.utils import console


class CodeWatch(keras.callbacks.Callback):
  """Warns when two validations in a row say that something is wrong."""

  def __init__(self, floor: float):
    super().__init__()
    self._floor = floor
    self._in_row = 0

  def on_epoch_end(self, epoch, logs=None):
    text = latents.warning(logs['val_rate'], self._floor)
    self._in_row = self._in_row + 1 if text else 0
    if self._in_row == 2:
      console.warn(f'step {epoch}: {text}')
