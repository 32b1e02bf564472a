"""What the directory of a run says of it, before its model draws anything."""

import dataclasses
import json
import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from vlae_tf import data as data_lib
from vlae_tf.models import config as config_lib
from vlae_tf.runs import about, history, images, scores, workdirs
from vlae_tf.utils import console, presets

# What `probe` writes, and `compress --report`.
_PROBE = {'step', 'rows', 'num_labels', 'num_test', 'repeats'}
_CODEC = {'in', 'mode', 'images', 'image_shape', 'gross_bits'}
_CODEC |= {'gross_bits_per_dim'}


class Subject(NamedTuple):
  """A run that a page is about."""

  workdir: str  # Its directory, as the user wrote it.
  name: str  # What it is called on the page.
  run: workdirs.Run  # `Run`.
  data: data_lib.ImageData  # `ImageData` that it was trained on.
  facts: Mapping[str, Any]  # See `about.of_run`.
  log: list[dict[str, Any]]  # Lines of its log, see `history.read`.
  probes: list[dict[str, Any]]  # What `probe` wrote of these weights.
  # What `compress --report` wrote into its `eval/`.
  codecs: list[dict[str, Any]]

  @property
  def label(self) -> str:
    """Which weights of which run these are."""
    return f'{self.name}, step {self.run.step:,} ({self.run.checkpoint})'

  @property
  def steps_per_epoch(self) -> float:
    """Steps in which every image is seen once."""
    num = len(self.data.split(self.run.config.train_on))
    return num / self.run.config.batch_size

  @property
  def epochs(self) -> float:
    """How often every image was seen."""
    return self.run.step / self.steps_per_epoch

  @property
  def has_code(self) -> bool:
    """Whether the model has one."""
    return bool(math.prod(self.run.model.event_shape))

  @property
  def nll(self) -> Mapping[str, Any] | None:
    """The fullest score of test images by more than one code, if there is."""
    found = [s for s in self._test_scores() if s['num_samples'] > 1]
    return next(iter(found if self.has_code else self._test_scores()), None)

  @property
  def bound(self) -> Mapping[str, Any] | None:
    """The score of the test images with most images, if there is one."""
    return next(iter(self._test_scores()), None)

  def _test_scores(self):
    every = self.facts.get('scores') or []
    found = [s for s in every if s.get('split', 'test') == 'test']
    return sorted(found, key=scores.fullness, reverse=True)


def load(
  workdirs_: Sequence[str],
  checkpoint: str | None = None,
  data_dir: str | None = None,
) -> list[Subject]:
  """Reads runs.

  Args:
    workdirs_: Directories of runs, each once.
    checkpoint: 'last' or 'best', see `workdirs.restore`.
    data_dir: Root of the data sets.

  Returns:
    `Subject`s in their order.

  Raises:
    ValueError: One is there twice or cannot be read, or its images are not
      there.
  """
  places = [os.path.realpath(w) for w in workdirs_]
  if len(set(places)) < len(places):
    raise ValueError(
      f'`workdir` must name each run once, got {", ".join(workdirs_)}.'
    )
  short = [str(images.name_of(w)) for w in workdirs_]
  names = short if len(set(short)) == len(short) else list(workdirs_)
  return [
    _subject(w, n, checkpoint, data_dir) for w, n in zip(workdirs_, names)
  ]


def _subject(workdir, name, checkpoint, data_dir):
  run = workdirs.restore(workdir, checkpoint)
  folder = pathlib.Path(workdir) / scores.FOLDER
  probes = [
    p for p in _read(folder, 'probe*.json', _PROBE) if p['step'] == run.step
  ]
  return Subject(
    workdir,
    name,
    run,
    images.load(run, data_dir),
    about.of_run(workdir, run),
    history.read(workdir),
    probes,
    _read(folder, '*.json', _CODEC),
  )


def _read(folder, pattern, keys):
  """The files of a folder that have some keys."""
  found = []
  for file in sorted(folder.glob(pattern)):
    try:
      content = json.loads(file.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
      console.warn(f'{file} cannot be read and is passed over ({error}).')
      continue
    if isinstance(content, dict) and keys <= content.keys():
      found.append(content)
  return found


class Origin(NamedTuple):
  """How a config is made: from a preset, by the fields that differ."""

  preset: str | None
  differences: dict[str, tuple[Any, Any]]  # By field: the preset's, and its.


def origin(config: config_lib.Config) -> Origin:
  """The preset that a config is closest to.

  >>> origin(config_lib.from_args(['--preset=omniglot', '--seed=7']))
  Origin(preset='omniglot', differences={'seed': (0, 7)})

  Args:
    config: `Config`.

  Returns:
    An `Origin`; of those that are equally close, the first.
  """
  candidates: dict[str | None, config_lib.Config] = {None: config_lib.Config()}
  candidates |= {name: config_lib.from_preset(name) for name in presets.names()}
  found = {name: _differing(c, config) for name, c in candidates.items()}
  name = min(found, key=lambda name: len(found[name]))
  return Origin(name, found[name])


def _differing(one, other):
  fields = (f.name for f in dataclasses.fields(config_lib.Config))
  pairs = {name: (getattr(one, name), getattr(other, name)) for name in fields}
  return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def commands(subject: Subject) -> list[str]:
  """What to type to have such a run again."""
  preset, differences = origin(subject.run.config)
  args = [] if preset is None else [f'--preset={preset}']
  args += [
    config_lib.as_arg(name, value) for name, (_, value) in differences.items()
  ]
  own = f'--workdir={subject.workdir}'
  lines = [' '.join(['python -m vlae_tf.train', *args, own])]
  for score in subject.facts.get('scores') or []:
    told = [f'--split={score.get("split", "test")}']
    told.append(f'--num_samples={score["num_samples"]}')
    whole = len(subject.data.split(score.get('split', 'test')))
    if score['num_images'] < whole:
      told.append(f'--max_images={score["num_images"]}')
      told += ['--spread'] if score.get('spread') else []
    lines.append(' '.join(['python -m vlae_tf.evaluate', own, *told]))
  return lines
