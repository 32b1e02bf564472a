"""Keras callbacks of `train`: progress, metrics, TensorBoard, warnings."""

import dataclasses
import functools
import json
import math
import os
import pathlib
import time
from typing import Any, TextIO

import keras
import numpy as np
import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams

from vlae_tf.evaluation import figures, latents, sampling
from vlae_tf.runs import records
from vlae_tf.training.trainer import Trainer
from vlae_tf.utils import console, files, json_files

_IN_NATS = ('loss', 'elbo', 'distortion', 'rate')
# Images are logged after two minutes, in at most a twentieth of the time.
_SECONDS_BEFORE_IMAGES = 120.0
_SHARE_OF_IMAGES = 0.05


class CodeWatch(keras.callbacks.Callback):
  """Warns when two validations in a row show a collapsed latent."""

  def __init__(self, floor: float):
    super().__init__()
    self._floor = floor
    self._in_row = 0

  def on_epoch_end(self, epoch, logs=None):
    text = latents.warning(logs['val_rate'], self._floor)
    self._in_row = self._in_row + 1 if text else 0
    if self._in_row == 2:
      console.warn(f'step {epoch}: {text}')


class Progress(keras.callbacks.Callback):
  """Shows a bar on a terminal, lines elsewhere: step, ETA, images/s, ELBO."""

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
    self._meter.show(batch, self._describe(logs))

  def on_epoch_end(self, epoch, logs=None):
    curve = self.params.get('validation', 'validation').replace('_', ' ')
    text = self._describe(_without_prefix(logs))
    self._meter.write(f'step {epoch}: {curve} {text}')

  def on_train_end(self, logs=None):
    del logs
    self._meter.close()

  def _describe(self, values):
    elbo, rate = values['elbo'], values['rate']
    bits = rate / math.log(2)
    line = f'ELBO {elbo:.2f} nats, rate {rate:.2f} nats = {bits:.2f} bits'
    if self._num_dims:
      total = -elbo / math.log(2) / self._num_dims
      line += f': {bits / self._num_dims:.4f} of {total:.4f} bits/dim'
    return line


def _without_prefix(logs):
  return {name.removeprefix('val_'): value for name, value in logs.items()}


def _may_fail(method):
  """Makes a method of a `_Writer` warn, once, where it would fail."""
  # A full disk, or a file where a directory should be, must not end a run of
  # days. A method that failed is called again at the next report.

  @functools.wraps(method)
  def attempt(self, *args, **kwargs):
    try:
      method(self, *args, **kwargs)
    # TensorFlow raises errors of many kinds, and none is worth the run.
    except Exception as error:
      if not self._warned:
        why = console.brief(error)
        console.warn(f'Cannot write {self.path}: {why}. Training goes on.')
      self._warned = True

  return attempt


class _Writer(keras.callbacks.Callback):
  def __init__(self, path: str | os.PathLike):
    super().__init__()
    self.path = pathlib.Path(path)
    self._warned = False

  @property
  def curve(self) -> str:
    return self.params.get('validation', 'validation')

  def set_aside(self) -> None:
    """Renames a file or directory at `path` that training did not write."""
    moved = files.set_aside(self.path)
    console.warn(f'{self.path} was not written by training; it is now {moved}.')


class MetricsLog(_Writer):
  """Appends metrics to `metrics.jsonl`, one JSON object with step and split.

  A resumed run first removes the lines after its checkpoint, so that every step
  occurs once. Numbers that are not finite become `null`.
  """

  def __init__(self, workdir: str | os.PathLike):
    super().__init__(pathlib.Path(workdir) / records.METRICS)

  @_may_fail
  def on_train_begin(self, logs=None):
    if not self.path.exists():
      return
    try:
      lines = self.path.read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError):
      self.set_aside()
      return
    kept = [x for x in lines if _step(x) <= self.params['initial']]
    if len(kept) < len(lines):
      files.write_text(self.path, ''.join(f'{line}\n' for line in kept))

  @_may_fail
  def on_train_batch_end(self, batch, logs=None):
    self._append('train', batch, logs)

  @_may_fail
  def on_epoch_end(self, epoch, logs=None):
    self._append(self.curve, epoch, _without_prefix(logs))

  def _append(self, split, step, values):
    record = {'step': step, 'time': round(time.time(), 3), 'split': split}
    record |= {n: v if math.isfinite(v) else None for n, v in values.items()}
    with open(self.path, 'a', encoding='utf-8') as file:
      file.write(json.dumps(record) + '\n')


def _step(line):
  """The step of a line; infinity for one that was cut short by a crash."""
  try:
    return json_files.parse(line, {'step': int})['step']
  except ValueError:
    return math.inf


class TensorBoardLog(_Writer):
  """Writes metrics, hyper-parameters, histograms, samples, reconstructions."""

  def __init__(
    self, workdir: str | os.PathLike, trainer: Trainer, images: np.ndarray
  ):
    """`images` `[num, height, width, channels]` are reconstructed."""
    super().__init__(pathlib.Path(workdir) / 'logs')
    self._writer: Any = None
    self._trainer = trainer
    self._images = images
    self._next_images = time.monotonic() + _SECONDS_BEFORE_IMAGES

  @_may_fail
  def on_train_begin(self, logs=None):
    if self.path.exists() and not self.path.is_dir():
      self.set_aside()
    self._writer = tf.summary.create_file_writer(os.fsencode(self.path))
    with self._writer.as_default(self.params['initial']):
      hparams.hparams(dataclasses.asdict(self._trainer.config))

  @_may_fail
  def on_train_batch_end(self, batch, logs=None):
    self._scalars('train', batch, logs)

  @_may_fail
  def on_epoch_end(self, epoch, logs=None):
    self._scalars(self.curve, epoch, _without_prefix(logs))
    self._histograms(epoch)
    start = time.monotonic()
    if start >= self._next_images:
      model, images = self._trainer.averages, self._images
      samples = sampling.sample_prior(model, len(images), seed=0)
      draws = sampling.decompress(model, images, 1, seed=0)
      pictures = figures.beside(images, draws)
      with self._writer.as_default(epoch):
        tf.summary.image('samples', figures.grid(samples)[None])
        tf.summary.image('decompressions', pictures[None])
      end = time.monotonic()
      self._next_images = end + (end - start) / _SHARE_OF_IMAGES

  @_may_fail
  def on_train_end(self, logs=None):
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
      if code is not None:
        tf.summary.histogram('code/variance_of_mean', code.variances)
        if code.rates is not None:
          tf.summary.histogram('code/rate_of_dimension_nats', code.rates)
