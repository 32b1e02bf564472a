"""Records of experiments, `results/tables/NAME.json`, from run directories.

No model is built. Null stands for what a run directory does not contain.

With `k` importance samples of each image and `K` of some that are spread over
all of them, the NLL of `K` samples is estimated by

    NLL_k(all) + mean{ NLL_K(i) - NLL_k(i) }, over those some,

whose error is that of the differences, a fraction of a nat, and not that of the
values, tens of nats: a few hundred images suffice.
"""

import dataclasses
import functools
import json
import math
import os
import pathlib
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from vlae_tf import data as data_lib
from vlae_tf.evaluation import likelihood
from vlae_tf.models import config as config_lib
from vlae_tf.reproduction import experiments
from vlae_tf.runs import checkpoints, loading
from vlae_tf.runs import records as run_records
from vlae_tf.utils import console, files, json_files

FOLDER = 'results/tables'
SEED, CHECKPOINT = 0, 'last'  # Of the scores that are recorded.
# Fields of `Config` that change no weight, as nothing follows validation.
FREE = ('validate_every_epochs',)
_TOLERANCE = 1e-2  # Of means of float32 numbers, in nats.
_Score = Mapping[str, Any]


class Images(NamedTuple):
  """Numbers of images, and the kind of their pixels."""

  training: int
  test: int
  kind: str


@functools.cache
def images_of(
  config: config_lib.Config, data_dir: str | os.PathLike | None = None
) -> Images:
  """Counts the images of an experiment; loads them."""
  data = data_lib.load(config.dataset, data_dir)
  num = len(data.split(config.train_on))
  return Images(num, len(data.test), data.kind)


@dataclasses.dataclass(frozen=True)
class Progress:
  """Progress of a run."""

  config: config_lib.Config
  step: int  # Of its last checkpoint.
  images: Images

  @property
  def total_steps(self) -> int:
    """Steps of the whole run."""
    steps_per_epoch = self.images.training / self.config.batch_size
    return math.ceil(self.config.max_epochs * steps_per_epoch)

  @property
  def is_finished(self) -> bool:
    return self.step >= self.total_steps

  @property
  def epochs(self) -> float:
    """Passes over the training images."""
    return self.step * self.config.batch_size / self.images.training


def config_there(
  workdir: pathlib.Path, experiment: experiments.Experiment
) -> config_lib.Config | None:
  """The config of a run directory, which must be of the experiment."""
  if not (workdir / run_records.CONFIG).exists():
    return None
  there = run_records.read_config(workdir)
  lines = run_records.config_differences(there, experiment.config, FREE)
  if lines:
    raise ValueError(
      f'{workdir} is the directory of another experiment than '
      f'{experiment.name} ({"; ".join(lines)})'
    )
  return there


@dataclasses.dataclass(frozen=True)
class Record:
  """What an experiment was, took and reached."""

  name: str
  preset: str
  flags: list[str]  # Further flags of `train`.
  # See `runs.records.write_start`; null for random initial weights.
  started_from: dict[str, Any] | None
  config: dict[str, Any]  # All fields of its `Config`.
  differences: dict[str, Any]  # The fields that differ from the defaults.
  # `training_images`, `test_images`, the `kind` of their pixels, and `sha256`
  # of the training images.
  data: dict[str, Any]
  finished: bool  # Whether all its steps were taken.
  steps: int  # Taken, as are `epochs`.
  steps_planned: int
  epochs: float
  epochs_planned: float
  minutes: float | None  # Time of training without pauses.
  images_per_s: float | None  # In training.
  # Of the last training process: versions, devices, cores, the commit.
  environment: dict[str, Any]
  weights: int | None  # Number of trained parameters.
  active_units: int | None  # Active latent dimensions at the last validation.
  # By split, `[epoch, elbo, rate]` in nats, means over an epoch.
  curve: dict[str, list[list[float]]]
  # Scores of the last checkpoint on test images, as `evaluate` wrote them.
  scores: list[dict[str, Any]]
  # NLL of all images, corrected by more samples of some, see above.
  corrected: dict[str, Any] | None

  def __post_init__(self):
    for field in dataclasses.fields(self):
      value, kind = getattr(self, field.name), field.type
      is_union = isinstance(kind, types.UnionType)
      kinds = typing.get_args(kind) if is_union else (kind,)
      classes = tuple(typing.get_origin(k) or k for k in kinds)
      # JSON may write a float as an integer.
      if float in classes and type(value) is int:
        continue
      if not isinstance(value, classes):
        raise ValueError(f'`{field.name}` must be of {kind}, got {value!r}')

  @property
  def has_latent(self) -> bool:
    """Whether the model has latents; else one sample is exact."""
    return bool(self.config['latent_size'])

  @property
  def before(self) -> list[dict[str, Any]]:
    """Facts of the runs before this one, the first run last."""
    found, start = [], self.started_from
    while start:
      found.append(start['about'])
      start = start['about'].get('started_from')
    return found

  @property
  def epochs_before(self) -> list[float | None]:
    """Epochs of each run before; `None` for one on other images."""
    sizes = [about.get('batch_size') for about in self.before]
    return [
      about['steps'] * size / self.images.training
      if size and about.get('data_sha256') == self.data['sha256']
      else None
      for about, size in zip(self.before, sizes)
    ]

  @property
  def images(self) -> Images:
    data = self.data
    return Images(data['training_images'], data['test_images'], data['kind'])

  @property
  def nll(self) -> dict[str, Any] | None:
    """The best estimate of the NLL."""
    return self.corrected or self.scored

  @property
  def scored(self) -> dict[str, Any] | None:
    """The score that estimates the NLL, uncorrected."""
    return _scored(self.scores, self.has_latent)

  @property
  def bound(self) -> dict[str, Any] | None:
    """The score of -ELBO and rate: most images, then most samples."""
    return max(self.scores, key=run_records.fullness, default=None)


def of_run(
  experiment: experiments.Experiment, workdir: pathlib.Path, reached: Progress
) -> Record:
  """The record of a run."""
  config, images = reached.config, reached.images
  lines = run_records.read_log(workdir)
  minutes = run_records.minutes(lines) if lines else None
  found = scores_at(workdir, reached.step)
  speed = None
  if minutes:
    steps = lines[-1]['step'] - lines[0]['step']
    speed = steps * config.batch_size / (60 * minutes)
  active = [line['active_units'] for line in lines if 'active_units' in line]
  return Record(
    name=experiment.name,
    preset=experiment.preset,
    flags=list(experiment.flags),
    started_from=run_records.read_start(workdir),
    config=dataclasses.asdict(config),
    differences={
      f.name: getattr(config, f.name)
      for f in dataclasses.fields(config_lib.Config)
      if getattr(config, f.name) != f.default
    },
    data={
      'training_images': images.training,
      'test_images': images.test,
      'kind': images.kind,
      'sha256': run_records.read_facts(workdir).sha256,
    },
    finished=reached.is_finished,
    steps=reached.step,
    steps_planned=reached.total_steps,
    epochs=reached.epochs,
    epochs_planned=config.max_epochs,
    minutes=minutes,
    images_per_s=speed,
    environment={
      'git_commit': None,
      'cpu': None,
      **run_records.read_environment(workdir),
    },
    weights=_num_weights(workdir, reached.step),
    active_units=int(active[-1]) if active and active[-1] is not None else None,
    curve={
      split: _thinned(
        run_records.curve(lines, split), images.training / config.batch_size
      )
      for split in dict.fromkeys(str(line.get('split')) for line in lines)
    },
    scores=found,
    corrected=corrected(workdir, found, bool(config.latent_size)),
  )


def _num_weights(workdir: pathlib.Path, step: int) -> int | None:
  """Size of the averages; states of random streams are integers."""
  prefix = workdir / checkpoints.LAST / f'ckpt-{step}'
  try:
    with files.literal(prefix) as path:
      reader = tf.train.load_checkpoint(path)
  except Exception as error:  # TensorFlow raises errors of many kinds.
    console.warn(f'{prefix} cannot be read: {console.brief(error)}')
    return None
  dtypes = reader.get_variable_to_dtype_map()
  return sum(
    math.prod(shape)
    for name, shape in reader.get_variable_to_shape_map().items()
    if name.startswith('averages/') and dtypes[name].is_floating
  )


def _thinned(points: Sequence[run_records.Point], steps_per_epoch: float):
  """Means over the epochs."""
  parts: dict[int, list[tuple[float, ...]]] = {}
  for step, elbo, rate in points:
    epoch = step / steps_per_epoch
    parts.setdefault(math.ceil(epoch), []).append((epoch, elbo, rate))
  return [np.mean(part, 0).round(4).tolist() for part in parts.values()]


def scores_at(workdir: pathlib.Path, step: int) -> list[dict[str, Any]]:
  """Scores of the checkpoint of a step on test images."""
  return [
    score
    for score in run_records.read_scores(workdir / run_records.SCORES)
    if score.get('step') == step
    and score.get('seed') == SEED
    and score.get('checkpoint') == CHECKPOINT
  ]


def corrected(
  workdir: pathlib.Path, found: Sequence[_Score], has_latent: bool
) -> dict[str, Any] | None:
  """The NLL corrected by more importance samples of some images."""
  base = _scored(found, has_latent)
  arrays = {} if base is None else _arrays(workdir, found, base)
  if base is None or 'better_numbers' not in arrays:
    return None
  log_prob = arrays['log_prob']
  numbers, more = arrays['better_numbers'], arrays['better_log_prob']
  nll, stderr = likelihood.corrected_mean(-log_prob, numbers, -more)
  change = log_prob[numbers] - more
  return {
    'nll': nll,
    'nll_stderr': stderr,
    'num_images': base['num_images'],
    'num_samples': _more(found, base)['num_samples'],
    'num_samples_of_all': base['num_samples'],
    'num_corrected': len(numbers),
    'change': float(change.mean()),
    'change_stderr': likelihood.standard_error(change),
  }


def _scored(found, has_latent):
  """The score of most images, then of most importance samples."""
  enough = [
    s
    for s in found
    if not s.get('spread') and (s['num_samples'] > 1 or not has_latent)
  ]
  return max(enough, key=run_records.fullness, default=None)


def _more(found, base):
  """The spread score of most importance samples, more than `base` has."""
  better = [
    s
    for s in found
    if s.get('spread') and s['num_samples'] > base['num_samples']
  ]
  return max(
    better, key=lambda s: (s['num_samples'], s['num_images']), default=None
  )


def _arrays(workdir, found, base) -> dict[str, np.ndarray]:
  """Estimates of each image, and better ones of those with more samples."""
  arrays, more = _per_image(workdir, base), _more(found, base)
  better = _per_image(workdir, more) if arrays and more else None
  if better:
    arrays['better_numbers'] = loading.some(
      base['num_images'], more['num_images'], 'a score', is_spread=True
    )
    arrays['better_log_prob'] = better['log_prob']
  return arrays


def _per_image(workdir, score) -> dict[str, np.ndarray]:
  """The estimates of each image behind a score; empty if none are kept."""
  settings = {'split': 'test', 'seed': SEED, 'checkpoint': CHECKPOINT}
  path = run_records.score_path(workdir, settings | dict(score))
  file = pathlib.Path(path).with_suffix('.npz')
  if not file.exists():
    return {}
  with np.load(file) as stored:
    arrays = {name: stored[name] for name in likelihood.Estimates._fields}
  mean = -np.mean(arrays['log_prob'], dtype=np.float64)
  is_it = abs(mean - score['nll']) < _TOLERANCE
  if len(arrays['log_prob']) == score['num_images'] and is_it:
    return arrays
  console.warn(f'{file} does not belong to the score beside it: ignored.')
  return {}


def path(out: str | os.PathLike, name: str) -> pathlib.Path:
  """Path of the record of a name, below the folder of all results."""
  return pathlib.Path(out) / FOLDER / f'{name}.json'


def write(
  out: str | os.PathLike, record: Record, workdir: pathlib.Path
) -> None:
  """Writes a record, and estimates of each image beside it as `.npz`."""
  target = path(out, record.name)
  text = json.dumps(dataclasses.asdict(record), indent=1, allow_nan=False)
  files.write_text(target, text + '\n')
  base = record.scored
  arrays = base and _arrays(workdir, record.scores, base)
  if not arrays:  # An existing file is of other weights.
    target.with_suffix('.npz').unlink(missing_ok=True)
    return
  for name in likelihood.Estimates._fields:
    arrays[name] = np.float32(arrays[name])
  files.write_arrays(target.with_suffix('.npz'), arrays)


def read(out: str | os.PathLike, name: str) -> Record | None:
  """Reads a record; `None` if there is none."""
  file = path(out, name)
  if not file.exists():
    return None
  try:
    fields = json_files.read(file, {'config': dict, 'differences': dict})
    for key in ('config', 'differences'):
      fields[key] = config_lib.renamed(fields[key])
    found = Record(**fields)
    if found.name != name:
      raise ValueError(f'it is of {found.name}')
    assert found.images
    for score in found.scores:
      run_records.fullness(score), score['nll'], score['elbo'], score['rate']
    return found
  except (LookupError, TypeError, ValueError) as error:
    raise ValueError(
      f'{file} is no record of an experiment: {error}'
    ) from error
