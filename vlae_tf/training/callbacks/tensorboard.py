"""TensorBoard: scalars at every look, more of them at every validation."""

import dataclasses
import os
import pathlib
import time
from typing import Any

import numpy as np
import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams

from vlae_tf.evaluation import figures, sampling
from vlae_tf.training import trainer as trainer_lib
from vlae_tf.training.callbacks import non_fatal

_IN_NATS = ('loss', 'elbo', 'distortion', 'rate')
# Pictures wait for two minutes, and take a twentieth of the time at most.
_SECONDS_BEFORE_IMAGES = 120.0
_SHARE_OF_IMAGES = 0.05


class TensorBoardLog(non_fatal.Expendable):
  """Writes scalars, hyper-parameters, histograms, samples, decompressions."""

  def __init__(
    self,
    workdir: str | os.PathLike,
    trainer: trainer_lib.Trainer,
    images: np.ndarray,
    seed: int = 0,
  ):
    # images [num, height, width, channels]
    super().__init__(pathlib.Path(workdir) / 'logs')
    self._writer: Any = None
    self._trainer = trainer
    self._images = images
    self._seed = seed
    self._next_images = time.monotonic() + _SECONDS_BEFORE_IMAGES

  def begin(self) -> None:
    if self.path.exists() and not self.path.is_dir():
      self.set_aside()
    self._writer = tf.summary.create_file_writer(str(self.path))
    with self._writer.as_default(self.params['initial']):
      hparams.hparams(dataclasses.asdict(self._trainer.config))

  def look(self, step: int, values: dict[str, float]) -> None:
    self._scalars('train', step, values)

  def validated(self, step: int, values: dict[str, float]) -> None:
    self._scalars(self.curve, step, values)
    self._histograms(step)
    start = time.monotonic()
    if start >= self._next_images:
      self._pictures(step)
      end = time.monotonic()
      self._next_images = end + (end - start) / _SHARE_OF_IMAGES

  def end(self) -> None:
    if self._writer is not None:
      self._writer.close()

  def _scalars(self, group, step, values):
    with self._writer.as_default(step):
      for name, value in values.items():
        unit = '_nats' if name in _IN_NATS else ''
        tf.summary.scalar(f'{group}/{name}{unit}', value)
      tf.summary.scalar(f'{group}/rate_bits', values['rate'] / tf.math.log(2.0))

  def _histograms(self, step):
    with self._writer.as_default(step):
      for weight in self._trainer.averages.trainable_variables:
        tf.summary.histogram(f'weights/{weight.path}', weight.value)
      code = self._trainer.code
      if code is None:
        return
      tf.summary.histogram('code/variance_of_mean', code.variances)
      if code.rates is not None:
        tf.summary.histogram('code/rate_of_dimension_nats', code.rates)

  def _pictures(self, step):
    model, images = self._trainer.averages, self._images
    samples = sampling.sample_prior(model, len(images), self._seed)
    draws = sampling.decompress(model, images, 1, self._seed)
    self._image('samples', step, figures.grid(samples))
    self._image('decompressions', step, figures.beside(images, draws))

  def _image(self, name, step, picture):
    with self._writer.as_default(step):
      tf.summary.image(name, picture[None])
