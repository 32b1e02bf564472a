"""The JSON files of a run's directory.

| file | contents |
|---|---|
| `config.json` | the experiment, a `Config` |
| `data.json` | shape and fingerprint of the training images, see `Facts` |
| `environment.json` | versions and devices of the last training process |
| `started_from.json` | the trained model that the run started from, if any |
| `metrics.jsonl` | scalars of training and validation, one line each time |
| `eval/SETTINGS.json` | scores |
"""

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import itertools
import os
import pathlib
import platform
import re
import statistics
import subprocess
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from vlae_tf import data as data_lib
from vlae_tf.formats import description
from vlae_tf.models import config as config_lib
from vlae_tf.utils import console, fields, files, json_files

CONFIG, FACTS, METRICS = 'config.json', 'data.json', 'metrics.jsonl'
ENVIRONMENT, STARTED_FROM = 'environment.json', 'started_from.json'
SCORES = 'eval'
_PACKAGES = ('tensorflow', 'keras', 'tensorflow-probability', 'numpy')
# A gap between two lines of a log is a pause if it is longer than both.
_PAUSE_S, _PAUSE_OF_MEDIAN = 300.0, 10.0
_FACTS = {'image_shape': [int], 'sha256': str, 'data_dir': (str, None)}
_LINE = {'step': int, 'time': float, 'split': (str, None)}
_LINE |= dict.fromkeys(('elbo', 'rate', 'loss'), (float, None))


# The experiment.


def write_config(workdir: str | os.PathLike, config: config_lib.Config) -> None:
  """Writes `config.json`."""
  json_files.write(pathlib.Path(workdir) / CONFIG, dataclasses.asdict(config))


def read_config(workdir: str | os.PathLike) -> config_lib.Config:
  """Reads `config.json`."""
  path = pathlib.Path(workdir) / CONFIG
  if not os.path.exists(path):
    raise ValueError(
      f'`workdir` must hold a trained model: there is no {path}. '
      'Train one with python -m vlae_tf.train.'
    )
  found = json_files.read(path)
  try:
    return config_lib.Config(**config_lib.renamed(found))
  except (TypeError, ValueError) as error:
    raise ValueError(
      f'{path} is not a config of this version: {error}'
    ) from error


def write_dataset(workdir: str | os.PathLike, dataset: str) -> None:
  """Writes the new path of images that have moved to `config.json`."""
  path = pathlib.Path(workdir) / CONFIG
  json_files.write(path, json_files.read(path) | {'dataset': dataset})


def config_differences(
  old: config_lib.Config, new: config_lib.Config, free: Iterable[str] = ()
) -> list[str]:
  """Differences of two configs but for `free` fields, one line a field."""
  # Where the learning rate does not depend on the length of a run, nothing
  # before its end does: there `max_epochs` may differ.
  free = set(free)
  if new.learning_rate_schedule in ('constant', 'plateau'):
    free.add('max_epochs')
  return [
    f'{f.name}: {getattr(old, f.name)!r} there, {getattr(new, f.name)!r} here'
    for f in dataclasses.fields(config_lib.Config)
    if f.name not in free and getattr(old, f.name) != getattr(new, f.name)
  ]


# The images.


@dataclasses.dataclass(frozen=True)
class Facts:
  """Shape, fingerprint and place of the images of a run."""

  image_shape: tuple[int, ...]  # `(height, width, channels)`.
  sha256: str  # Of the bytes of all training images.
  data_dir: str | None = None  # Root of all data, an absolute path.

  def __post_init__(self):
    json_files.check(vars(self), _FACTS)
    shape = self.image_shape
    fits = len(shape) == 3 and min(shape) > 0
    fields.check('image_shape', shape, fits, 'three positive integers')
    object.__setattr__(self, 'image_shape', tuple(shape))


def facts_of(
  config: config_lib.Config,
  data: data_lib.ImageData,
  data_dir: str | os.PathLike | None = None,
) -> Facts:
  """The facts of an experiment's images."""
  root = None if data_dir is None else os.path.abspath(data_dir)
  return Facts(data.image_shape, fingerprint(data, config), root)


def fingerprint(data: data_lib.ImageData, config: config_lib.Config) -> str:
  """SHA-256 of the training images of an experiment, in hexadecimal."""
  return hashlib.sha256(data.split(config.train_on).tobytes()).hexdigest()


def read_facts(workdir: str | os.PathLike) -> Facts:
  """Reads `data.json`."""
  path = pathlib.Path(workdir) / FACTS
  try:
    return Facts(**json_files.read(path))
  except (TypeError, ValueError) as error:
    why = str(error).rstrip('.')
    raise ValueError(
      f'Cannot read {path}: {why}. Remove it; the train command of this run '
      'writes it again.'
    ) from error


def write_facts(workdir: str | os.PathLike, facts: Facts) -> None:
  """Writes `data.json`."""
  known = {k: v for k, v in dataclasses.asdict(facts).items() if v is not None}
  json_files.write(pathlib.Path(workdir) / FACTS, known)


# The environment.


def versions() -> dict[str, str]:
  """Versions of Python and of the packages that compute."""
  packages = {name: importlib.metadata.version(name) for name in _PACKAGES}
  return {'python': platform.python_version(), **packages}


def describe_environment(execution: Mapping[str, Any]) -> dict[str, Any]:
  """Versions and devices of this process."""
  gpus = tf.config.list_physical_devices('GPU')
  details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
  cpu = None
  with contextlib.suppress(OSError, ValueError):  # Linux alone knows its name.
    text = pathlib.Path('/proc/cpuinfo').read_text('utf-8')
    cpu = re.search('^model name.*?: *(.*?) *$', text, re.MULTILINE)
  found = {
    **versions(),
    'git_commit': _git_commit(),
    'processor': platform.machine(),
    'cpu': cpu and cpu[1],
    'gpus': [d.get('device_name', 'unknown') for d in details],
    **execution,
  }
  return {name: value for name, value in found.items() if value is not None}


def write_environment(
  workdir: str | os.PathLike, here: Mapping[str, Any]
) -> None:
  """Writes `environment.json`, and warns if it has changed."""
  there = read_environment(workdir)
  changes = [
    f'{name} was {there[name]}, is {here[name]}'
    for name in here
    if name in there and there[name] != here[name]
    # Most commits compute the same.
    if name != 'git_commit'
  ]
  if changes:
    console.warn(
      f'{workdir} was trained in another environment before '
      f'({"; ".join(changes)}): results are the same up to rounding, not to '
      'the bit.'
    )
  if there != here:
    json_files.write(pathlib.Path(workdir) / ENVIRONMENT, here)


def read_environment(workdir: str | os.PathLike) -> dict[str, Any]:
  """Reads `environment.json`; empty if there is none."""
  try:
    return json_files.read(pathlib.Path(workdir) / ENVIRONMENT)
  except ValueError:
    return {}


def _git_commit():
  """The commit of a checkout, with '-dirty' if files differ."""
  file = pathlib.Path(__file__)
  try:
    # An environment may lie in another repository, which does not track it.
    subprocess.run(
      ['git', 'ls-files', '--error-unmatch', file.name],
      cwd=file.parent,
      check=True,
      capture_output=True,
    )
    return subprocess.check_output(
      ['git', 'describe', '--always', '--dirty', '--abbrev=40', '--exclude=*'],
      cwd=file.parent,
      text=True,
      stderr=subprocess.DEVNULL,
    ).strip()
  except (OSError, subprocess.SubprocessError):
    return None


# The start.


def write_start(
  workdir: str | os.PathLike, start: Mapping[str, Any] | None
) -> None:
  """Writes `started_from.json`, or removes it for fresh weights.

  `name` is that of the run or shared model, `sha256` that of its weights (see
  `loading.weights_sha256`), `about` the facts of `loading.Run.about`.
  """
  path = pathlib.Path(workdir) / STARTED_FROM
  if start is None:
    path.unlink(missing_ok=True)
  else:
    json_files.write(path, start)


def read_start(workdir: str | os.PathLike) -> dict[str, Any] | None:
  """Reads `started_from.json`, `None` if there is none."""
  path = pathlib.Path(workdir) / STARTED_FROM
  return json_files.read(path, description.START) if path.exists() else None


# The log.


class Point(NamedTuple):
  """A point of a learning curve: step, and means in nats per image."""

  step: int
  elbo: float
  rate: float


def read_log(workdir: str | os.PathLike) -> list[dict[str, Any]]:
  """Lines of `metrics.jsonl`, without incomplete ones."""
  try:
    with files.open_regular(pathlib.Path(workdir) / METRICS) as file:
      lines = file.read().splitlines()
  except ValueError:
    return []
  log = []
  for line in lines:
    with contextlib.suppress(ValueError):
      log.append(json_files.parse(line, _LINE))
  return log


def minutes(log: list[dict[str, Any]]) -> float:
  """Duration of the training without pauses."""
  times = [line['time'] for line in log]
  gaps = [after - before for before, after in itertools.pairwise(times)]
  if not gaps:
    return 0.0
  longest = max(_PAUSE_S, _PAUSE_OF_MEDIAN * statistics.median(gaps))
  return sum(gap for gap in gaps if gap <= longest) / 60


def curve(log: list[dict[str, Any]], split: str) -> list[Point]:
  """The bound and its rate over the steps."""
  return [
    Point(line['step'], line['elbo'], line['rate'])
    for line in log
    if line.get('split') == split
    and None not in (line.get('elbo'), line.get('rate'))
  ]


# Scores.


def score_path(workdir: str | os.PathLike, settings: Mapping[str, Any]) -> str:
  """Path of a score, the same for the same settings."""
  name = (
    f'{settings["split"]}_{settings["num_images"]}_images_'
    f'{settings["num_samples"]}_codes'
  )
  if settings.get('spread'):
    name += '_spread'
  return _path(workdir, name, settings)


def anomaly_path(
  workdir: str | os.PathLike, settings: Mapping[str, Any]
) -> str:
  """Path of the scores of anomaly detection."""
  name = (
    f'anomaly_{settings["against"]}_{settings["num_images"]}_and_'
    f'{settings["num_others"]}_images_{settings["num_samples"]}_codes'
  )
  if settings['background']:
    name += f'_over_{settings["background"]}'
  return _path(workdir, name, settings)


def probe_path(workdir: str | os.PathLike, settings: Mapping[str, Any]) -> str:
  """Path of the scores of a probe."""
  numbers = '_'.join(map(str, settings['num_labels']))
  name = (
    f'probe_{settings["num_train"]}_images_{numbers}_labels_'
    f'{settings["repeats"]}_draws'
  )
  if settings['baseline']:
    name += f'_beside_{settings["baseline"]}'
  return _path(workdir, name, settings)


def _path(workdir, name, settings):
  if settings['seed']:
    name += f'_seed_{settings["seed"]}'
  if settings['checkpoint'] != 'last':
    name += f'_{settings["checkpoint"]}'
  return os.path.join(workdir, SCORES, f'{name}.json')


def fullness(score: Mapping[str, Any]) -> tuple[int, int, int]:
  """Sort key of scores: images, importance samples, steps."""
  return score['num_images'], score['num_samples'], score.get('step') or 0


def read_scores(
  folder: str | os.PathLike, split: str = 'test'
) -> list[dict[str, Any]]:
  """All scores of a split in a folder; warns of files that are no scores."""
  found = []
  folder = pathlib.Path(folder)
  for file in sorted(
    [*folder.glob(f'{split}.json'), *folder.glob(f'{split}_*.json')]
  ):
    try:
      found.append(json_files.read(file, description.SCORE))
    except ValueError as error:
      console.warn(f'a file is not a score and is passed over. {error}')
  return found
