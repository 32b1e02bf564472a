"""What was found of each image, to go on from and to compare pair by pair.

While images are scored, `NAME.part.npz` beside the score that is to come holds
what there is; in the end `NAME.npz` holds all of it: `log_prob`, `elbo`, `rate`
and `distortion` of each image, in nats, and `settings` as JSON.
"""

import hashlib
import json
import os
import pathlib
import time
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from vlae_tf.evaluation import estimates
from vlae_tf.models import vlae as model_lib
from vlae_tf.utils import console, files

_SECONDS_BETWEEN_WRITES = 30.0
_UNREADABLE = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile)


class PartialScore:
  """Estimates of more and more images of one score."""

  def __init__(
    self,
    path: str | os.PathLike,
    settings: Mapping[str, Any],
    seconds: float = _SECONDS_BETWEEN_WRITES,
  ):
    path = pathlib.Path(path)
    self._settings = dict(settings)
    self._seconds = seconds
    self._part = path.with_suffix('.part.npz')
    self._whole = path.with_suffix('.npz')
    found = self._left()
    self._parts = [] if found is None else [found]
    self._written = time.monotonic()

  @property
  def num_images(self) -> int:
    """Images that are done."""
    return sum(len(part.log_prob) for part in self._parts)

  def add(self, part: estimates.Estimates) -> None:
    """Adds the next images, and writes now and then."""
    self._parts.append(part)
    if time.monotonic() - self._written >= self._seconds:
      self._write(self._part)
      self._written = time.monotonic()

  def finish(self) -> estimates.Estimates:
    """Writes all images in place of the part."""
    found = self._write(self._whole)
    self._part.unlink(missing_ok=True)
    return found

  def _write(self, path):
    found = estimates.joined(self._parts)
    self._parts = [found]
    arrays = {name: getattr(found, name) for name in estimates.COLUMNS}
    files.write_arrays(path, arrays | {'settings': json.dumps(self._settings)})
    return found

  def _left(self):
    """`Estimates` of an earlier start of the same score, or `None`."""
    if not self._part.exists():
      return None
    try:
      with np.load(self._part) as file:
        settings = json.loads(str(file['settings']))
        columns = {name: file[name] for name in estimates.COLUMNS}
    except _UNREADABLE as error:
      console.warn(f'{self._part} cannot be read ({error!r}); from the start.')
      return None
    if settings != self._settings:
      console.warn(f'{self._part} is of another evaluation; from the start.')
      return None
    return estimates.Estimates(
      **columns, num_samples=self._settings['num_samples']
    )


def digest(model: model_lib.VLAE) -> str:
  """SHA-256 of the weights of a model."""
  found = hashlib.sha256()
  for variable in model.variables:
    found.update(np.ascontiguousarray(variable.numpy()).tobytes())
  return found.hexdigest()
