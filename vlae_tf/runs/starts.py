"""Trained models that a run starts from, instead of from fresh weights."""

import hashlib
import os
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from vlae_tf import builder, pretrained
from vlae_tf import config as config_lib
from vlae_tf import model as model_lib
from vlae_tf.runs import about, images, workdirs
from vlae_tf.system import notices
from vlae_tf.system import variables as variables_lib


class Start(NamedTuple):
  """A trained model that another run starts from, and what is told of it.

  Attributes:
    model: Built `VLAE`.
    told: As `start_files` keeps it.
  """

  model: model_lib.VLAE
  told: Mapping[str, Any]


def load(
  source: str | os.PathLike,
  build: builder.ModelBuilder = builder.build_model,
) -> Start:
  """Loads a model to start from.

  Args:
    source: Directory of a run, of which the last averages are taken; folder of
      a shared model; or name of a model that comes with the package.
    build: What the model was made by, see `Trainer`.

  Returns:
    A `Start`.

  Raises:
    ValueError: There is no such model, or it is damaged.
  """
  if not os.fspath(source):
    raise ValueError('`start_from` must not be empty.')
  if (pathlib.Path(source) / workdirs.LAST).is_dir():
    run = workdirs.restore(source, 'last', build)
    model, known = run.model, about.of_run(source, run)
  else:
    try:
      model = pretrained.from_pretrained(source, build)
    except ValueError as error:
      told = str(error).replace('`name_or_directory`', '`start_from`')
      raise ValueError(told) from error
    known = dict(pretrained.describe(source).about)
  name = images.name_of(source)
  told = dict(name=name, sha256=fingerprint(model), about=known)
  return Start(model, told)


def fingerprint(model: model_lib.VLAE) -> str:
  """SHA-256 of a model's weights, by path and as float32, in hexadecimal."""
  found = hashlib.sha256()
  for path, weight in sorted(variables_lib.keyed(model.weights).items()):
    found.update(path.encode('utf-8'))
    found.update(np.float32(weight.numpy()).tobytes())
  return found.hexdigest()


def assign(start: Start, model: model_lib.VLAE) -> None:
  """Sets a model's weights to those that it starts from.

  Args:
    start: `Start`.
    model: Built `VLAE`.

  Raises:
    ValueError: The models have not the same weights; nothing is changed.
  """
  theirs = variables_lib.keyed(start.model.weights)
  ours = variables_lib.keyed(model.weights)
  others = [
    path
    for path in theirs.keys() | ours.keys()
    if path not in theirs
    or path not in ours
    or theirs[path].shape != ours[path].shape
  ]
  if others:
    raise ValueError(
      f'`start_from` must be a model of the same parts, got '
      f'{start.told["name"]}, which differs in '
      f'{variables_lib.some(others)}.'
    )
  for path, weight in ours.items():
    weight.assign(theirs[path].value)


def warn_of_leak(start: Start, config: config_lib.Config) -> None:
  """Warns where images that a run is validated on have been trained on.

  Args:
    start: `Start`.
    config: `Config` of the run that starts from it.
  """
  known = start.told['about']
  same = known.get('dataset') == config.dataset
  seen = known.get('train_on') == 'train+validation'
  if same and seen and not config.trains_on_validation:
    notices.warn(
      f'{start.told["name"]} was trained on the validation images of '
      f'{config.dataset}: validation does not tell how new images go.'
    )
