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
from vlae_tf.runs import checkpoints, loading
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
  """Loads a model that `model` can start from; does not change `model`.

  `source` is the directory of a run, of which the last averages are read, or
  the folder or name of a shared model.
  """
  if not os.fspath(source):
    raise ValueError('`start_from` must not be empty.')
  is_run = (pathlib.Path(source) / checkpoints.LAST).is_dir()
  run = loading.load(
    source if is_run else None,
    'last',
    None if is_run else source,
    build,
    'start_from',
  )
  about, name = run.about(), str(loading.name_of(source))
  theirs, ours = (
    {
      path: tuple(w.shape)
      for path, w in serialization.by_path(m.weights).items()
    }
    for m in (run.model, model)
  )
  others = {path for path, _ in theirs.items() ^ ours.items()}
  if others:
    raise ValueError(
      f'`start_from` must be a model of the same parts, got {name}, which '
      f'differs in {checks.few(others)}.'
    )
  same = about.get('dataset') == config.dataset
  seen = about.get('train_on') == 'train+validation'
  if same and seen and not config.trains_on_validation:
    console.warn(
      f'{name} was trained on the validation images of {config.dataset}: '
      'validation is no estimate for new images.'
    )
  record = dict(name=name, sha256=fingerprint(run.model), about=about)
  return Start(run.model, record)


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
