"""What is told of an experiment, a file for each: `results/tables/NAME.json`.

What the directory of a run does not say is null; nothing is made up for it.
"""

import dataclasses
import json
import math
import os
import pathlib
from typing import Any

import numpy as np

from vlae_tf.analysis import estimates
from vlae_tf.reproduction import standing
from vlae_tf.runs import scores
from vlae_tf.system import atomic, notices

FOLDER = 'results/tables'
SEED, CHECKPOINT = 0, 'last'  # Of the scores that are taken.


@dataclasses.dataclass(frozen=True)
class Record:
  """What is told of an experiment.

  Attributes:
    name: Its name.
    preset: The preset that it is of.
    flags: What it adds to that.
    config: All fields of its `Config`.
    differences: Those that are not the paper's, the defaults.
    data: `training_images`, `test_images`, the `kind` of their pixels, and
      `sha256` of those that it was trained on.
    finished: Whether all its steps were taken.
    steps: Steps taken, as are `epochs`, and those that were `planned`.
    minutes: Time of training without pauses.
    images_per_s: Speed of training.
    environment: What it was trained with last: versions, devices, cores, the
      commit.
    weights: How many numbers are trained.
    active_units: Numbers of the code that were used at the last validation.
    curve: By split, `[epoch, elbo, rate]` in nats, means over an epoch.
    scores: Of these very weights on test images, as `evaluate` wrote them.

  Raises:
    ValueError: A field is of another type.
  """

  name: str
  preset: str
  flags: list[str]
  config: dict[str, Any]
  differences: dict[str, Any]
  data: dict[str, Any]
  finished: bool
  steps: int
  steps_planned: int
  epochs: float
  epochs_planned: float
  minutes: float | None
  images_per_s: float | None
  environment: dict[str, Any]
  weights: int | None
  active_units: int | None
  curve: dict[str, list[list[float]]]
  scores: list[dict[str, Any]]

  def __post_init__(self):
    for field in dataclasses.fields(self):
      value, kind = getattr(self, field.name), field.type
      if not _is_of(value, getattr(kind, '__origin__', kind)):
        raise ValueError(f'`{field.name}` must be of {kind}, got {value!r}')

  @property
  def has_code(self) -> bool:
    """Whether the model has a code; else one sample is exact."""
    return bool(self.config['latent_size'])

  @property
  def images(self) -> standing.Images:
    """How many images there are, and of which kind."""
    data = self.data
    return standing.Images(
      data['training_images'], data['test_images'], data['kind']
    )

  @property
  def nll(self) -> dict[str, Any] | None:
    """The score of the NLL: most images, then most codes, more than one."""
    several = [s for s in self.scores if s['num_samples'] > 1]
    return max(
      several if self.has_code else self.scores,
      key=scores.fullness,
      default=None,
    )

  @property
  def bound(self) -> dict[str, Any] | None:
    """The score of -ELBO and rate: most images, then most codes."""
    return max(self.scores, key=scores.fullness, default=None)


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
  """Writes a record, and beside it what it says of each image, as `.npz`.

  Args:
    out: Folder of all results.
    record: `Record`.
    workdir: Directory of the run.

  Raises:
    ValueError: They cannot be written.
  """
  target = path(out, record.name)
  text = json.dumps(dataclasses.asdict(record), indent=1, allow_nan=False)
  atomic.write_text(target, text + '\n')
  arrays = _of_each_image(record, workdir)
  if arrays:
    atomic.write_arrays(target.with_suffix('.npz'), arrays)
  else:  # What is there is of other weights.
    target.with_suffix('.npz').unlink(missing_ok=True)


def read(out: str | os.PathLike, name: str) -> Record | None:
  """Reads a record.

  Args:
    out: Folder of all results.
    name: Name of the experiment.

  Returns:
    A `Record`, or `None` if there is none.

  Raises:
    ValueError: The file is no record.
  """
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
  if record.nll is None:
    return None
  num, codes = record.nll['num_images'], record.nll['num_samples']
  file = workdir / scores.FOLDER / f'test_{num}_images_{codes}_codes.npz'
  if not file.exists():
    return None
  with np.load(file) as stored:
    arrays = {name: np.float32(stored[name]) for name in estimates.COLUMNS}
  mean = -np.mean(arrays['log_prob'], dtype=np.float64)
  if len(arrays['log_prob']) == num and abs(mean - record.nll['nll']) < 1e-2:
    return arrays
  notices.warn(f'{file} is not what the score beside it is of: left out.')
  return None


def _finite(value):
  bad = isinstance(value, float) and not math.isfinite(value)
  return None if bad else value
