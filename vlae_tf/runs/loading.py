"""Trained models of runs or shared folders, and the images of them."""

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from vlae_tf import data as data_lib
from vlae_tf.data import image_data, sources, storage
from vlae_tf.formats import description
from vlae_tf.models import builder
from vlae_tf.models import config as config_lib
from vlae_tf.models import vlae as model_lib
from vlae_tf.runs import checkpoints, records
from vlae_tf.runs import pretrained as pretrained_lib
from vlae_tf.utils import checks, console, fields, files, serialization

_SPLITS = ('test', 'validation', 'train')


class Run(NamedTuple):
  """A trained model, of a run or shared, and its origin."""

  config: config_lib.Config
  model: model_lib.VLAE  # With the averaged weights.
  step: int
  image_shape: tuple[int, ...]  # Height, width, channels.
  data_dir: str | None  # Root of the data sets when it was trained.
  # SHA-256 of the images it was trained on; a shared model may lack it.
  fingerprint: str | None
  checkpoint: str  # 'last' or 'best'; '' for a shared model.
  workdir: str | os.PathLike = ''  # Or the name or folder of a shared model.
  shared: Mapping[str, Any] | None = None  # The facts of a shared model.

  @property
  def label(self) -> str:
    """Name, and checkpoint of a run: 'omniglot, step 14,607 (last)'."""
    name = str(name_of(self.workdir))
    if self.shared is not None:
      return name
    return f'{name}, step {self.step:,} ({self.checkpoint})'

  def images(
    self, data_dir: str | os.PathLike | None = None
  ) -> data_lib.ImageData:
    """Loads the images that the run was trained on.

    `data_dir` is by default that of the training if it still exists, else the
    usual one. Images of a path may have moved into it.

    Raises:
      ValueError: `data_dir` does not exist, or the images are missing or not
        those of the training.
    """
    config, sha256 = self.config, self.fingerprint
    if config is None:
      raise ValueError(f'`pretrained` {self.label} does not name its data set.')
    root = _root(config.dataset, data_dir, self.data_dir)
    data = data_lib.load(_path(config.dataset, root), root)
    found = records.fingerprint(data, config)
    if sha256 not in (None, found):
      raise ValueError(
        f'`dataset` {config.dataset} must be the images that the run was '
        f'trained on, of SHA-256 {sha256}, got others, of {found}.'
      )
    return data

  def about(self) -> dict[str, Any]:
    """The facts of a model for its card, without unknown ones."""
    if self.shared is not None:
      return dict(self.shared)
    name = self.config.dataset
    log = records.read_log(self.workdir)
    found = {
      'dataset': description.without_place(name),
      'dataset_words': (
        data_lib.DATASETS.description(name)
        if name in data_lib.DATASETS
        else None
      ),
      'train_on': self.config.train_on,
      'data_sha256': self.fingerprint,
      'steps': self.step,
      'planned_epochs': self.config.max_epochs,
      'batch_size': self.config.batch_size,
      'checkpoint': self.checkpoint,
      # Without pauses.
      'minutes': round(records.minutes(log), 1) if log else None,
      'environment': records.read_environment(self.workdir) or None,
      'started_from': records.read_start(self.workdir),
      'scores': self._scores(),
    }
    return {name: v for name, v in found.items() if v is not None}

  def _scores(self):
    """Scores of these weights, the fullest of the test images first."""

    def is_own(score):
      which = score.get('checkpoint', self.checkpoint)
      return (which, score.get('step')) == (self.checkpoint, self.step)

    folder = os.path.join(self.workdir, records.SCORES)
    own, others = [], 0
    for split in _SPLITS:
      found = records.read_scores(folder, split)
      mine = filter(is_own, found)
      own += sorted(mine, key=records.fullness, reverse=True)
      others += len(found)
    others -= len(own)
    if others:
      console.warn(
        f'{others} scores in {self.workdir} are of other weights than those of '
        f'step {self.step} ({self.checkpoint}) and are left out.'
      )
    # The data set is named once, and without its path.
    return [{k: v for k, v in score.items() if k != 'dataset'} for score in own]


def restore(
  workdir: str | os.PathLike,
  which: str | None = None,
  build: builder.ModelBuilder = builder.build_model,
) -> Run:
  """Reads the averaged weights of the run that `train` wrote to a directory.

  They are those of the checkpoint 'last', or 'best' by validation; by default
  'best' of runs with early stopping, 'last' of others. `build` is the builder
  of the training.

  Raises:
    ValueError: There is no config or no such checkpoint, or it cannot be read.
  """
  is_path = isinstance(workdir, str | os.PathLike)
  fields.check('workdir', workdir, is_path, 'a path')
  config = records.read_config(workdir)
  facts = records.read_facts(workdir)
  if which is None:
    which = 'best' if config.early_stopping_patience else 'last'
  known = tuple(checkpoints.FOLDERS)
  fields.check('checkpoint', which, which in known, f'one of {known}')
  model = build(config, facts.image_shape)
  step = checkpoints.Checkpoints(
    pathlib.Path(workdir) / checkpoints.FOLDERS[which],
    {'averages': model.variables},
  ).restore()
  if step is None:
    last = pathlib.Path(workdir) / checkpoints.LAST
    if which == 'best' and any(last.glob('*.index')):
      raise ValueError(
        f"`checkpoint` must be 'last', got 'best': {workdir} holds none in "
        'best/, which validation fills, on images that are not trained on.'
      )
    raise ValueError(
      f'`workdir` {workdir} must hold a checkpoint, found none in '
      f'{checkpoints.FOLDERS[which]}/. Train longer.'
    )
  return Run(
    config,
    model,
    step,
    facts.image_shape,
    facts.data_dir,
    facts.sha256,
    which,
    workdir,
  )


def load(
  workdir: str | os.PathLike | None,
  checkpoint: str | None = None,
  pretrained: str | os.PathLike | None = None,
  build: builder.ModelBuilder | None = None,
  argument: str = 'pretrained',
) -> Run:
  """Loads the model of a run, or a shared one if `pretrained` is given."""
  if pretrained is None:
    assert workdir is not None
    return restore(workdir, checkpoint, build or builder.build_model)
  model, described = pretrained_lib.load(pretrained, build, argument)
  about: dict[str, Any] = dict(described.about)
  config: Any = model.config  # `None` without the package's builder.
  return Run(
    config,
    model,
    about.get('steps', 0),
    described.image_shape,
    None,
    about.get('data_sha256'),
    '',
    pretrained,
    about,
  )


def load_start(
  source: str | os.PathLike,
  model: model_lib.VLAE,
  config: config_lib.Config,
  build: builder.ModelBuilder = builder.build_model,
) -> tuple[model_lib.VLAE, dict[str, Any]]:
  """Loads a model that `model` can start from, and `records.write_start`'s.

  `source` is the directory of a run, of which the last averages are read, or
  the folder or name of a shared model.
  """
  if not os.fspath(source):
    raise ValueError('`start_from` must not be empty.')
  is_run = (pathlib.Path(source) / checkpoints.LAST).is_dir()
  run = load(
    source if is_run else None,
    'last',
    None if is_run else source,
    build,
    'start_from',
  )
  about, name = run.about(), str(name_of(source))
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
  record = dict(name=name, sha256=weights_sha256(run.model), about=about)
  return run.model, record


def weights_sha256(model: model_lib.VLAE) -> str:
  """SHA-256 of a model's weights, by path and as float32, in hexadecimal."""
  found = hashlib.sha256()
  for path, weight in sorted(serialization.by_path(model.weights).items()):
    found.update(path.encode('utf-8'))
    found.update(np.float32(weight.numpy()).tobytes())
  return found.hexdigest()


def name_of(path: str | os.PathLike | None) -> str | None:
  """Name of a run or of a shared model: the last part of its path."""
  if path is None:
    return None
  return os.path.basename(os.path.abspath(path))


def _root(
  dataset: str, given: str | os.PathLike | None, remembered: str | None
) -> pathlib.Path | None:
  """Root of a data set: the given one, that of the training or the default."""
  if given is not None:
    root = files.expanded(given)
    if not root.is_dir():
      what = 'the file' if root.exists() else 'nothing at'
      raise ValueError(f'`data_dir` must be a directory, got {what} {root}.')
    return root
  if dataset not in data_lib.DATASETS or sources.is_embedded(dataset):
    return None
  if remembered and os.path.isdir(remembered):
    return pathlib.Path(remembered)
  if remembered:
    console.warn(
      f'the data of this run was in {remembered}, which is gone: looking in '
      f'{storage.default_data_dir()}'
    )
  return storage.resolve_data_dir()


def _path(dataset: str, root: pathlib.Path | None) -> str:
  """Name of a data set, or the path of images that may have moved to `root`."""
  if dataset in data_lib.DATASETS or os.path.exists(dataset):
    return dataset
  name = os.path.basename(os.path.normpath(dataset))
  if root is None or not (root / name).exists():
    raise ValueError(
      f'`data_dir` must be the directory to which the images of the run have '
      f'moved: there is no {dataset}, and no {name} in {root or "it"}. '
      'To go on with train --dataset=PATH writes their new place into the run.'
    )
  return str(root / name)


def load_other(
  name: str,
  run: Run,
  data_dir: str | os.PathLike | None = None,
  argument: str = 'dataset',
) -> data_lib.ImageData:
  """Loads images that a run was not trained on."""
  with fields.named(argument, 'dataset'):
    return data_lib.load(name, _root(name, data_dir, run.data_dir))


def first(images: np.ndarray, most: int | None, of: str) -> np.ndarray:
  """The first images; warns if there are fewer than `most`."""
  if (most or 0) > len(images):
    console.warn(
      f'--max_images={most} is more than the {len(images)} of {of}: all are '
      'taken'
    )
  return images[:most]


def some(
  num: int, most: int | None, of: str, is_spread: bool = False
) -> np.ndarray:
  """Indices of the first images, or of evenly spaced ones.

  >>> some(10, 3, 'a set').tolist(), some(10, 3, 'a set', True).tolist()
  ([0, 1, 2], [0, 3, 6])
  """
  numbers = np.arange(num)
  taken = len(first(numbers, most, of))
  return (
    np.arange(taken) * num // max(taken, 1) if is_spread else numbers[:taken]
  )


def trimmed(data: data_lib.ImageData, most: int | None) -> data_lib.ImageData:
  """The first images of each split, with their labels."""
  first(data.train, most, 'the training images')
  labels = data.labels and {s: y[:most] for s, y in data.labels.items()}
  parts: Any = {s: data.split(s)[:most] for s in image_data.SPLITS}
  return dataclasses.replace(data, labels=labels, **parts)


def check_same(
  run: Run,
  data: data_lib.ImageData,
  data_dir: str | os.PathLike | None = None,
  argument: str = 'run',
) -> None:
  """Checks that another run is of the same images."""
  other = run.images(data_dir)
  if not all(
    np.array_equal(data.split(split), other.split(split))
    for split in image_data.SPLITS
  ):
    raise ValueError(
      f'`{argument}` must be a run on the same images, those of {data.name}, '
      f'got one on others, {other.name}.'
    )
