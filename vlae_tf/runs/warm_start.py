"""Trained models that a run starts from, instead of from fresh weights."""

import hashlib
import os
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from vlae_tf.models import builder
from vlae_tf.models import config as config_lib
from vlae_tf.models import vlae as model_lib
from vlae_tf.runs import about, images, pretrained, workdirs
from vlae_tf.utils import checks, console, serialization


class Start(NamedTuple):
  """A trained model that another run starts from, and what is told of it."""

  model: model_lib.VLAE  # Built `VLAE`.
  told: Mapping[str, Any]  # As `start_files` keeps it.


def load(
  source: str | os.PathLike,
  model: model_lib.VLAE,
  config: config_lib.Config,
  build: builder.ModelBuilder = builder.build_model,
) -> Start:
  """Loads a model to start from; warns where validation will tell nothing.

  Args:
    source: Directory of a run, of which the last averages are taken; folder of
      a shared model; or name of a model that comes with the package.
    model: Built `VLAE` that is to start from it, which is not changed.
    config: `Config` of its run.
    build: What both were made by, see `Trainer`.

  Returns:
    A `Start`.

  Raises:
    ValueError: There is no such model, it is damaged, or of other parts.
  """
  if not os.fspath(source):
    raise ValueError('`start_from` must not be empty.')
  if (pathlib.Path(source) / workdirs.LAST).is_dir():
    run = workdirs.restore(source, 'last', build)
    found, known = run.model, about.of_run(source, run)
  else:
    found = _shared(source, build)
    known = dict(pretrained.describe(source).about)
  name = str(images.name_of(source))
  _check_parts(found, model, name)
  _warn_of_leak(name, known, config)
  told = dict(name=name, sha256=fingerprint(found), about=known)
  return Start(found, told)


def _shared(source, build):
  try:
    return pretrained.from_pretrained(source, build)
  except ValueError as error:
    told = str(error).replace('`name_or_directory`', '`start_from`')
    raise ValueError(told) from error


def _check_parts(found, model, name):
  """Checks that two models have the same weights but for their values."""
  theirs, ours = (
    {
      path: tuple(w.shape)
      for path, w in serialization.by_path(m.weights).items()
    }
    for m in (found, model)
  )
  others = {path for path, _ in theirs.items() ^ ours.items()}
  if others:
    raise ValueError(
      f'`start_from` must be a model of the same parts, got {name}, which '
      f'differs in {checks.few(others)}.'
    )


def _warn_of_leak(name, known, config):
  """Warns where images that a run is validated on have been trained on."""
  same = known.get('dataset') == config.dataset
  seen = known.get('train_on') == 'train+validation'
  if same and seen and not config.trains_on_validation:
    console.warn(
      f'{name} was trained on the validation images of {config.dataset}: '
      'validation does not tell how new images go.'
    )


def fingerprint(model: model_lib.VLAE) -> str:
  """SHA-256 of a model's weights, by path and as float32, in hexadecimal."""
  found = hashlib.sha256()
  for path, weight in sorted(serialization.by_path(model.weights).items()):
    found.update(path.encode('utf-8'))
    found.update(np.float32(weight.numpy()).tobytes())
  return found.hexdigest()


def assign(start: Start, model: model_lib.VLAE) -> None:
  """Sets a model's weights to those that it starts from."""
  theirs = serialization.by_path(start.model.weights)
  for path, weight in serialization.by_path(model.weights).items():
    weight.assign(theirs[path].value)
