"""A run's directory: whose it is, and how to read a trained model from it.

config.json    the experiment (`Config`)
data.json      shape and fingerprint of the images it was trained on
checkpoints/   the last ones: weights, averages, optimiser, all state
best/          the averages at the best validation
metrics.jsonl  scalars, one look a line
logs/          TensorBoard
eval/          scores, one JSON each
environment.json   versions and devices it was last trained with
train.lock     the process that trains in it, while one does
"""

import os
import pathlib
from typing import NamedTuple

from vlae_tf import data as data_lib
from vlae_tf.models import builder
from vlae_tf.models import config as config_lib
from vlae_tf.models import vlae as model_lib
from vlae_tf.runs import checkpoints, config_files, locks
from vlae_tf.runs import facts as facts_lib
from vlae_tf.utils import console, files

CONFIG, METRICS = 'config.json', 'metrics.jsonl'
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


def check(
  workdir: str | os.PathLike,
  config: config_lib.Config,
  facts: facts_lib.Facts,
) -> None:
  """Checks that a directory is this experiment's, or free; writes nothing."""
  workdir = pathlib.Path(workdir)
  for folder in (workdir, *(workdir / name for name in CHECKPOINTS.values())):
    if folder.exists() and not folder.is_dir():
      raise ValueError(f'`workdir` must be a directory, got the file {folder}.')
  locks.check(workdir)
  if (workdir / CONFIG).exists():
    _check_config(workdir, config)
    if (workdir / facts_lib.NAME).exists():
      _check_facts(workdir, facts)
    return
  for name in CHECKPOINTS.values():
    if any((workdir / name).glob('ckpt-*')):
      raise ValueError(
        f'`workdir` {workdir} holds checkpoints in {name}/ but no {CONFIG}, '
        'so nobody knows whose they are. Choose another directory.'
      )


def claim(
  workdir: str | os.PathLike,
  config: config_lib.Config,
  facts: facts_lib.Facts,
) -> None:
  """Makes a directory this experiment's, after `check`."""
  check(workdir, config, facts)
  workdir = pathlib.Path(workdir)
  is_new = not (workdir / CONFIG).exists()
  # The data may have moved since, or the file be lost.
  if is_new or facts_lib.is_outdated(workdir, facts):
    facts_lib.write(workdir, facts)
  if is_new:
    config_files.save(config, workdir / CONFIG)


def start_afresh(workdir: str | os.PathLike) -> None:
  """Keeps what an earlier start left, where no checkpoint goes on from it."""
  workdir = pathlib.Path(workdir)
  left = [workdir / name for name in (METRICS, BEST)]
  moved = [(path, files.set_aside(path)) for path in left if path.exists()]
  if moved:
    names = ', '.join(f'{old.name} is now {new.name}' for old, new in moved)
    console.warn(
      f'{workdir} holds no checkpoint to go on from, so training starts from '
      f'step 0; what an earlier start left is kept: {names}.'
    )


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
  if not isinstance(workdir, str | os.PathLike):
    raise ValueError(f'`workdir` must be a path, got {workdir!r}.')
  workdir = pathlib.Path(workdir)
  config = config_files.load(workdir / CONFIG)
  facts = facts_lib.read(workdir)
  if which is None:
    which = 'best' if config.early_stopping_patience else 'last'
  if which not in CHECKPOINTS:
    raise ValueError(
      f'`checkpoint` must be one of {tuple(CHECKPOINTS)}, got {which!r}.'
    )
  model = build(config, facts.image_shape)
  step = checkpoints.Checkpoints(
    workdir / CHECKPOINTS[which], {'averages': model.variables}
  ).restore()
  if step is None:
    raise ValueError(_without_checkpoint(workdir, which))
  return Run(
    config,
    model,
    step,
    facts.image_shape,
    facts.data_dir,
    facts.sha256,
    which,
  )


def load_data(
  run: Run, data_dir: str | os.PathLike | None = None
) -> data_lib.ImageData:
  """Loads the images that a run was trained on."""
  data = data_lib.load(run.config.dataset, data_dir or run.data_dir)
  found = facts_lib.fingerprint(data, run.config)
  if found != run.fingerprint:
    raise ValueError(
      f'`dataset` {run.config.dataset} must be the images that the run was '
      f'trained on, of SHA-256 {run.fingerprint}, got others, of {found}.'
    )
  return data


def _without_checkpoint(workdir, which):
  """What to say where there is no checkpoint of a kind."""
  if which == 'best' and any((workdir / LAST).glob('*.index')):
    return (
      f"`checkpoint` must be 'last', got 'best': {workdir} holds none in "
      'best/, which validation fills, on images that are not trained on.'
    )
  return (
    f'`workdir` {workdir} must hold a checkpoint, found none in '
    f'{CHECKPOINTS[which]}/. Train longer.'
  )


def _check_config(workdir, config):
  there = config_files.load(workdir / CONFIG)
  free = set()
  # Two paths may lead to the same images: their fingerprint is what counts.
  if not {there.dataset, config.dataset} & set(data_lib.DATASETS):
    free.add('dataset')
  # Earlier versions did not write down how often they validated.
  if '"validate_every_epochs"' not in (workdir / CONFIG).read_text('utf-8'):
    free.add('validate_every_epochs')
  lines = config_files.differences(there, config, free)
  if lines:
    raise ValueError(
      f'`workdir` {workdir} belongs to another config ({"; ".join(lines)}). '
      'Choose another directory, or the same flags to go on with it.'
    )


def _check_facts(workdir, facts):
  there = facts_lib.read(workdir)
  for name in ('image_shape', 'sha256'):
    old, new = getattr(there, name), getattr(facts, name)
    if old != new:
      raise ValueError(
        f'`workdir` {workdir} was trained on other images: their {name} was '
        f'{old}, now it is {new}.'
      )
