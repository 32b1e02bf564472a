"""`metrics.jsonl`: the scalars of a run, one JSON object a line."""

import json
import math
import os
import pathlib
import time

import keras

from vlae_tf.system import atomic, notices


class MetricsLog(keras.callbacks.Callback):
  """Appends training and validation scalars, each with step and split.

  A run that goes on from a checkpoint first drops the lines beyond it, so every
  step is there once. Numbers that are not finite become `null`.
  """

  def __init__(self, workdir: str | os.PathLike):
    """Creates the callback.

    Args:
      workdir: Directory of the run.
    """
    super().__init__()
    self._path = pathlib.Path(workdir) / 'metrics.jsonl'
    self._warned = False

  def on_train_begin(self, logs=None):
    del logs
    first = self.params['initial']
    if not self._path.exists():
      return
    lines = self._path.read_text(encoding='utf-8').splitlines()
    kept = [line for line in lines if _step(line) <= first]
    if len(kept) < len(lines):
      atomic.write_text(self._path, ''.join(f'{line}\n' for line in kept))

  def on_train_batch_end(self, batch, logs=None):
    self._append('train', batch, logs)

  def on_epoch_end(self, epoch, logs=None):
    values = {name.removeprefix('val_'): v for name, v in logs.items()}
    self._append('validation', epoch, values)

  def _append(self, split, step, values):
    record = {'step': step, 'time': round(time.time(), 3), 'split': split}
    record |= {n: v if math.isfinite(v) else None for n, v in values.items()}
    try:
      with open(self._path, 'a', encoding='utf-8') as file:
        file.write(json.dumps(record) + '\n')
    except OSError as error:
      # A full disk must not end what may go on when there is room again.
      if not self._warned:
        notices.warn(f'Cannot write {self._path}: {error}.')
      self._warned = True


def _step(line):
  """The step of a line; one cut short by a crash is beyond all of them."""
  try:
    return json.loads(line)['step']
  except (ValueError, KeyError, TypeError):
    return math.inf
