"""What is told of an experiment, a file for each: `results/tables/NAME.json`.

What the directory of a run does not say is null; nothing is made up for it.
"""

import dataclasses
import json
import math
import os
import pathlib
import types
import typing
from typing import Any

import numpy as np

from vlae_tf.evaluation import likelihood
from vlae_tf.reproduction import correction, status
from vlae_tf.runs import scores
from vlae_tf.utils import files

FOLDER = 'results/tables'
SEED, CHECKPOINT = 0, 'last'  # Of the scores that are taken.


@dataclasses.dataclass(frozen=True)
class Record:
  """What is told of an experiment."""

  name: str  # Its name.
  preset: str  # The preset that it is of.
  flags: list[str]  # What it adds to that.
  # As `start_files` has it; null where it started afresh.
  started_from: dict[str, Any] | None
  config: dict[str, Any]  # All fields of its `Config`.
  differences: dict[str, Any]  # Those that are not the paper's, the defaults.
  # `training_images`, `test_images`, the `kind` of their pixels, and `sha256`
  # of those that it was trained on.
  data: dict[str, Any]
  finished: bool  # Whether all its steps were taken.
  steps: int  # Steps taken, as are `epochs`, and those that were `planned`.
  steps_planned: int
  epochs: float
  epochs_planned: float
  minutes: float | None  # Time of training without pauses.
  images_per_s: float | None  # Speed of training.
  # What it was trained with last: versions, devices, cores, the commit.
  environment: dict[str, Any]
  weights: int | None  # How many numbers are trained.
  # Numbers of the code that were used at the last validation.
  active_units: int | None
  # By split, `[epoch, elbo, rate]` in nats, means over an epoch.
  curve: dict[str, list[list[float]]]
  # Of these very weights on test images, as `evaluate` wrote them.
  scores: list[dict[str, Any]]
  # NLL of all images, corrected by more codes of some, see `correction`.
  corrected: dict[str, Any] | None

  def __post_init__(self):
    for field in dataclasses.fields(self):
      value, kind = getattr(self, field.name), field.type
      kinds = typing.get_args(kind) if _is_union(kind) else (kind,)
      if not any(_is_of(value, typing.get_origin(k) or k) for k in kinds):
        raise ValueError(f'`{field.name}` must be of {kind}, got {value!r}')

  @property
  def has_code(self) -> bool:
    """Whether the model has a code; else one sample is exact."""
    return bool(self.config['latent_size'])

  @property
  def before(self) -> list[dict[str, Any]]:
    """What is known of the runs that it started from, the first one last."""
    found, start = [], self.started_from
    while start:
      found.append(start['about'])
      start = start['about'].get('started_from')
    return found

  @property
  def epochs_before(self) -> list[float | None]:
    """Epochs of each of them; `None` of one on other images."""
    sizes = [about.get('batch_size') for about in self.before]
    return [
      about['steps'] * size / self.images.training
      if size and about.get('data_sha256') == self.data['sha256']
      else None
      for about, size in zip(self.before, sizes)
    ]

  @property
  def images(self) -> status.Images:
    """How many images there are, and of which kind."""
    data = self.data
    return status.Images(
      data['training_images'], data['test_images'], data['kind']
    )

  @property
  def nll(self) -> dict[str, Any] | None:
    """The NLL that is told: corrected, where it is, else as it was scored."""
    return self.corrected or self.scored

  @property
  def scored(self) -> dict[str, Any] | None:
    """The score of the NLL: most images, then most codes, more than one."""
    return correction.scored(self.scores, self.has_code)

  @property
  def bound(self) -> dict[str, Any] | None:
    """The score of -ELBO and rate: most images, then most codes."""
    return max(self.scores, key=scores.fullness, default=None)


def _is_union(kind):
  return isinstance(kind, types.UnionType)


def _is_of(value, kind):
  """Whether a value is of a type, or an integer where a float is asked for."""
  return isinstance(value, kind) or (type(value) is int and _is_of(1.0, kind))


def scores_at(workdir: pathlib.Path, step: int) -> list[dict[str, Any]]:
  """Scores of the weights of a step on test images, numbers JSON knows."""
  return [
    {name: _finite(value) for name, value in score.items()}
    for score in scores.read(workdir / scores.FOLDER)
    if score.get('step') == step
    and score.get('seed') == SEED
    and score.get('checkpoint') == CHECKPOINT
  ]


def path(out: str | os.PathLike, name: str) -> pathlib.Path:
  """Where the record of a name belongs, below the folder of all results."""
  return pathlib.Path(out) / FOLDER / f'{name}.json'


def write(
  out: str | os.PathLike, record: Record, workdir: pathlib.Path
) -> None:
  """Writes a record, and beside it what it says of each image, as `.npz`."""
  target = path(out, record.name)
  text = json.dumps(dataclasses.asdict(record), indent=1, allow_nan=False)
  files.write_text(target, text + '\n')
  arrays = _of_each_image(record, workdir)
  if arrays:
    files.write_arrays(target.with_suffix('.npz'), arrays)
  else:  # What is there is of other weights.
    target.with_suffix('.npz').unlink(missing_ok=True)


def read(out: str | os.PathLike, name: str) -> Record | None:
  """Reads a record."""
  file = path(out, name)
  try:
    found = Record(**json.loads(file.read_text(encoding='utf-8')))
    if found.name != name:
      raise ValueError(f'it is of {found.name}')
    assert found.images
    for score in found.scores:
      scores.fullness(score), score['nll'], score['elbo'], score['rate']
    return found
  except FileNotFoundError:
    return None
  except (OSError, ValueError, TypeError, LookupError) as error:
    raise ValueError(
      f'{file} is no record of an experiment: {error}'
    ) from error


def _of_each_image(record, workdir):
  """Estimates of each image as float32, of the score that gives the NLL."""
  if record.scored is None:
    return None
  found = correction.of_each_image(workdir, record.scored)
  if found is None:
    return None
  arrays = {
    name: np.float32(found[name]) for name in likelihood.Estimates._fields
  }
  if record.corrected:
    arrays |= correction.better(workdir, record.scores, record.scored)
  return arrays


def _finite(value):
  bad = isinstance(value, float) and not math.isfinite(value)
  return None if bad else value
