"""Callbacks that may fail without harm to the training that they look at."""

import os
import pathlib
from collections.abc import Callable

import keras

from vlae_tf.utils import console, files


class Expendable(keras.callbacks.Callback):
  """Does its work in methods of other names, and warns once if they fail."""

  # A full disk, or a file where a directory should be, must not end a run of
  # days. What failed is tried again at the next look.

  def __init__(self, path: str | os.PathLike):
    super().__init__()
    self.path = pathlib.Path(path)
    self._warned = False

  def begin(self) -> None:
    """Called when training begins."""

  def look(self, step: int, values: dict[str, float]) -> None:
    """Called with the scalars of a training step."""

  def validated(self, step: int, values: dict[str, float]) -> None:
    """Called with the scalars of a validation."""

  def end(self) -> None:
    """Called when training ends, however it does."""

  def on_train_begin(self, logs=None):
    del logs
    self._try(self.begin)

  def on_train_batch_end(self, batch, logs=None):
    self._try(self.look, batch, logs)

  def on_epoch_end(self, epoch, logs=None):
    values = {name.removeprefix('val_'): v for name, v in logs.items()}
    self._try(self.validated, epoch, values)

  def on_train_end(self, logs=None):
    del logs
    self._try(self.end)

  @property
  def curve(self) -> str:
    """What the scalars of `validated` are called."""
    return self.params.get('validation', 'validation')

  def set_aside(self) -> None:
    """Makes room where something else is in the way of `path`."""
    moved = files.set_aside(self.path)
    console.warn(
      f'{self.path} is not what training writes there; it is now {moved}.'
    )

  def _try(self, work: Callable[..., None], *args):
    try:
      work(*args)
    # TensorFlow raises errors of many kinds, and none is worth the run.
    except Exception as error:
      if not self._warned:
        why = console.brief(error)
        console.warn(f'Cannot write {self.path}: {why}. Training goes on.')
      self._warned = True
