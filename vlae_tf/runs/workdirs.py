"""A run's directory: whose it is, and how to read a trained model from it.

config.json    the experiment (`Config`)
data.json      shape and fingerprint of the images it was trained on
checkpoints/   the last ones: weights, averages, optimiser, all state
best/          the averages at the best validation
metrics.jsonl  scalars, one look a line
logs/          TensorBoard
eval/          one JSON a split
"""

import hashlib
import json
import os
import pathlib
from typing import NamedTuple

from vlae_tf import builder
from vlae_tf import config as config_lib
from vlae_tf import data as data_lib
from vlae_tf import model as model_lib
from vlae_tf.runs import checkpoints
from vlae_tf.system import atomic

# Directories of checkpoints.
LAST, BEST = 'checkpoints', 'best'
# The same by the words that users have for them.
CHECKPOINTS = {'last': LAST, 'best': BEST}


class Run(NamedTuple):
  """A trained model and where it comes from."""

  config: config_lib.Config
  model: model_lib.VLAE  # With the averaged weights.
  step: int
  image_shape: tuple[int, ...]  # Height, width, channels.
  data_dir: str | None  # Root of the data sets when it was trained.
  fingerprint: str  # Of the images it was trained on.
  checkpoint: str  # A key of `CHECKPOINTS`.


def claim(
  workdir: str | os.PathLike,
  config: config_lib.Config,
  data: data_lib.ImageData,
  data_dir: str | os.PathLike | None = None,
) -> None:
  """Makes a directory this experiment's, or checks that it is.

  Args:
    workdir: Path of the directory.
    config: `Config` of the experiment.
    data: `ImageData` that it is trained on.
    data_dir: Root of the data sets, remembered for other commands.

  Raises:
    ValueError: The directory belongs to another experiment or to other images
      (nothing is changed in it), or cannot be written.
  """
  workdir = pathlib.Path(workdir)
  facts = {
    'image_shape': list(data.image_shape),
    'sha256': _fingerprint(data.split(config.train_on)),
  }
  if (workdir / 'config.json').exists():
    _check_config(workdir, config)
    _check_facts(workdir, facts)
    return
  if data_dir is not None:
    facts['data_dir'] = os.path.abspath(data_dir)
  atomic.write_text(workdir / 'data.json', json.dumps(facts, indent=2) + '\n')
  config_lib.save(config, workdir / 'config.json')


def restore(
  workdir: str | os.PathLike,
  which: str | None = None,
  build: builder.ModelBuilder = builder.build_model,
) -> Run:
  """Reads the averaged weights of a run's newest or best checkpoint.

  Args:
    workdir: Path of a directory that `train` wrote.
    which: 'last', or 'best' by validation; by default 'best' of runs with
      early stopping, 'last' of others.
    build: What the run was trained with, see `Trainer`.

  Returns:
    A `Run`.

  Raises:
    ValueError: There is no config or no such checkpoint, or it cannot be read.
  """
  workdir = pathlib.Path(workdir)
  config = config_lib.load(workdir / 'config.json')
  facts = _read_facts(workdir)
  if which is None:
    which = 'best' if config.early_stopping_patience else 'last'
  if which not in CHECKPOINTS:
    raise ValueError(
      f'`checkpoint` must be one of {tuple(CHECKPOINTS)}, got {which!r}.'
    )
  image_shape = tuple(facts['image_shape'])
  model = build(config, image_shape)
  step = checkpoints.Checkpoints(
    workdir / CHECKPOINTS[which], {'averages': model.variables}
  ).restore()
  if step is None:
    raise ValueError(
      f'`workdir` {workdir} must hold a checkpoint, found none in '
      f'{CHECKPOINTS[which]}/. Train longer.'
    )
  return Run(
    config,
    model,
    step,
    image_shape,
    facts.get('data_dir'),
    facts['sha256'],
    which,
  )


def load_data(
  run: Run, data_dir: str | os.PathLike | None = None
) -> data_lib.ImageData:
  """Loads the images that a run was trained on.

  Args:
    run: `Run`.
    data_dir: Root of the data sets; by default that of the training.

  Returns:
    An `ImageData`.

  Raises:
    ValueError: The images are not there, or are others than those.
  """
  data = data_lib.load(run.config.dataset, data_dir or run.data_dir)
  found = _fingerprint(data.split(run.config.train_on))
  if found != run.fingerprint:
    raise ValueError(
      f'`dataset` {run.config.dataset} must be the images that the run was '
      f'trained on, of SHA-256 {run.fingerprint}, got others, of {found}.'
    )
  return data


def _fingerprint(images):
  return hashlib.sha256(images.tobytes()).hexdigest()


def _read_facts(workdir):
  path = workdir / 'data.json'
  try:
    return json.loads(path.read_text(encoding='utf-8'))
  except (OSError, ValueError) as error:
    raise ValueError(f'Cannot read {path}: {error}') from error


def _check_config(workdir, config):
  there = config_lib.load(workdir / 'config.json')
  lines = config_lib.differences(there, config)
  if lines:
    raise ValueError(
      f'`workdir` {workdir} belongs to another config ({"; ".join(lines)}). '
      'Choose another directory, or the same flags to go on with it.'
    )


def _check_facts(workdir, facts):
  there = _read_facts(workdir)
  for name, here in facts.items():
    if there.get(name) != here:
      raise ValueError(
        f'`workdir` {workdir} was trained on other images: their {name} was '
        f'{there.get(name)}, now it is {here}.'
      )
