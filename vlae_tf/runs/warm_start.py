"""Start of a run from a trained model."""

import hashlib
import os
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from vlae_tf.models import builder
from vlae_tf.models import config as config_lib
from vlae_tf.models import vlae as model_lib
from vlae_tf.runs import checkpoints, loading, pretrained
from vlae_tf.utils import checks, console, serialization


class Start(NamedTuple):
  """A trained model that another run starts from."""

  model: model_lib.VLAE
  record: Mapping[str, Any]  # See `records.write_start`.


def load(
  source: str | os.PathLike,
  model: model_lib.VLAE,
  config: config_lib.Config,
  build: builder.ModelBuilder = builder.build_model,
) -> Start:
  """Loads a model to start from: the last averages of a run, or a shared one.

  Args:
    source: Directory of a run, folder of a shared model, or name of a model
      that comes with the package.
    model: Built `VLAE` that is to start from it, which is not changed.
    config: `Config` of its run.
    build: Builder of both, see `Trainer`.

  Returns:
    A `Start`.

  Raises:
    ValueError: There is no such model, it is damaged, or of other parts.
  """
  if not os.fspath(source):
    raise ValueError('`start_from` must not be empty.')
  if (pathlib.Path(source) / checkpoints.LAST).is_dir():
    run = loading.restore(source, 'last', build)
    found, about = run.model, run.about()
  else:
    found, described = pretrained.load(source, build, 'start_from')
    about = dict(described.about)
  name = str(loading.name_of(source))
  _check_parts(found, model, name)
  _warn_of_leak(name, about, config)
  record = dict(name=name, sha256=fingerprint(found), about=about)
  return Start(found, record)


def _check_parts(found, model, name):
  """Checks that two models have weights of the same paths and shapes."""
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


def _warn_of_leak(name, about, config):
  """Warns if the start was trained on the validation images."""
  same = about.get('dataset') == config.dataset
  seen = about.get('train_on') == 'train+validation'
  if same and seen and not config.trains_on_validation:
    console.warn(
      f'{name} was trained on the validation images of {config.dataset}: '
      'validation is no estimate for new images.'
    )


def fingerprint(model: model_lib.VLAE) -> str:
  """SHA-256 of a model's weights, by path and as float32, in hexadecimal."""
  found = hashlib.sha256()
  for path, weight in sorted(serialization.by_path(model.weights).items()):
    found.update(path.encode('utf-8'))
    found.update(np.float32(weight.numpy()).tobytes())
  return found.hexdigest()


def assign(start: Start, model: model_lib.VLAE) -> None:
  """Sets a model's weights to those of its start."""
  theirs = serialization.by_path(start.model.weights)
  for path, weight in serialization.by_path(model.weights).items():
    weight.assign(theirs[path].value)
