"""TensorBoard: scalars at every look, images at every validation."""

import pathlib

import keras
import tensorflow as tf

from vlae_tf import sampling, visualization


class TensorBoardLog(keras.callbacks.Callback):
  """Writes training and validation scalars, samples and decompressions."""

  def __init__(self, workdir, averages, images, seed=0):
    """Creates the callback.

    Args:
      workdir: Directory of the run; logs go to `logs/` in it.
      averages: Built `VLAE` with the averaged weights.
      images: Binary array of shape `[num, height, width, channels]` to
        decompress.
      seed: Python integer, the same noise at every validation.
    """
    super().__init__()
    self._writer = tf.summary.create_file_writer(
      str(pathlib.Path(workdir) / 'logs')
    )
    self._averages = averages
    self._images = images
    self._seed = seed

  def on_train_batch_end(self, batch, logs=None):
    self._scalars('train', batch, logs)

  def on_epoch_end(self, epoch, logs=None):
    values = {name.removeprefix('val_'): v for name, v in logs.items()}
    self._scalars('validation', epoch, values)
    samples = sampling.sample_prior(
      self._averages, len(self._images), self._seed
    )
    draws = sampling.decompress(self._averages, self._images, 1, self._seed)
    self._image('samples', epoch, visualization.grid(samples))
    self._image(
      'decompressions', epoch, visualization.beside(self._images, draws)
    )

  def on_train_end(self, logs=None):
    del logs
    self._writer.close()

  def _scalars(self, group, step, values):
    with self._writer.as_default(step):
      for name, value in values.items():
        unit = '' if name == 'gradient_norm' else '_nats'
        tf.summary.scalar(f'{group}/{name}{unit}', value)
      tf.summary.scalar(f'{group}/rate_bits', values['rate'] / tf.math.log(2.0))

  def _image(self, name, step, picture):
    with self._writer.as_default(step):
      tf.summary.image(name, picture[None])
