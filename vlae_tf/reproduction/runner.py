"""Does what is missing of experiments: trains, scores, writes records.

Training and scoring are our own commands in processes of their own, which know
how to go on; what is done already is seen from files and not done again.
"""

import dataclasses
import os
import pathlib
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence

from vlae_tf.reproduction import processes, recording, records, rows, status
from vlae_tf.runs import facts
from vlae_tf.utils import console

_SECONDS_BETWEEN_LINES = 60.0  # Each experiment has a log with more of them.
_CODES_OF_ALL = 32  # Where `max_images` have more of them.


@dataclasses.dataclass(frozen=True)
class Settings:
  """What is done, and where.

  Attributes:
    runs: Folder of the directories of runs.
    out: Folder of all results.
    num_samples: Codes of each test image for the NLL.
    max_images: How many images, from all over the test images, have so many
      codes; all by default. The others have fewer, see `correction`.
    minutes: Minutes to train a model at most, in this call.
    train: Whether to train; else what is trained so far is scored.
    data_dir: Root of the data sets.
    tell: Called again and again with what the experiment is at.
  """

  runs: pathlib.Path
  out: pathlib.Path
  num_samples: int = 128
  max_images: int | None = None
  minutes: float | None = None
  train: bool = True
  data_dir: str | None = None
  tell: Callable[[str], None] = lambda text: None

  def workdir(self, experiment: rows.Experiment) -> pathlib.Path:
    """Directory of the run of an experiment."""
    return self.runs / experiment.name


def meter(num: int) -> console.Meter:
  """Shows how many of some experiments are done, and one's own state."""
  return console.Meter(
    num, 'experiment', seconds_between_lines=_SECONDS_BETWEEN_LINES
  )


def shell_lines(
  experiments: Iterable[rows.Experiment], settings: Settings
) -> Iterator[str]:
  """For each experiment a line that a shell trains and scores it with."""
  for experiment in experiments:
    commands = [
      _evaluate_args(experiment, settings, *s)
      for s in _ways(experiment, settings)
    ]
    if settings.train:
      commands = [*_all_train_args(experiment, settings), *commands]
    yield ' && '.join(shlex.join(['python', '-m', *c]) for c in commands)


def _all_train_args(experiment, settings):
  """How to train an experiment, and before it what it starts from."""
  before = []
  if experiment.after is not None:
    before = _all_train_args(experiment.after, settings)
  return [*before, _train_args(experiment, settings)]


def run(
  experiment: rows.Experiment, settings: Settings
) -> records.Record | None:
  """Does what is missing of an experiment."""
  workdir = settings.workdir(experiment)
  if settings.train:
    _train(experiment, settings)
  reached = _standing(experiment, settings)
  if reached is None:
    if settings.train and not _has_start(experiment, settings):
      assert experiment.after is not None
      _say(experiment, f'waits for {experiment.after.name} to be finished')
      return None
    if settings.train:
      raise ValueError(f'{workdir} holds no checkpoint')
    _say(experiment, f'not run, {workdir} holds no checkpoint')
    return None
  _say(experiment, f'at step {reached.step:,} of {reached.total_steps:,}')
  for codes, images in _ways(experiment, settings):
    if not _is_scored(workdir, reached, codes, images):
      args = _evaluate_args(experiment, settings, codes, images)
      command(experiment, settings, args)
  record = recording.make(experiment, workdir, reached)
  records.write(settings.out, record, workdir)
  if record.nll:
    _say(experiment, f'NLL {record.nll["nll"]:.2f} nats')
  return record


def command(
  experiment: rows.Experiment, settings: Settings, args: Sequence[str]
) -> None:
  """Runs a command of an experiment; what it prints goes into a log."""
  log = settings.runs / f'{experiment.name}.log'
  name = args[0].removeprefix('vlae_tf.')
  _say(experiment, f'{name}, see {log}')
  at = f'{experiment.name}: {name}'
  settings.tell(at)
  processes.run(args, log, lambda line: settings.tell(f'{at}: {line}'))


def _has_start(experiment, settings):
  """Whether what an experiment starts from, if anything, is finished."""
  if experiment.after is None:
    return True
  reached = _standing(experiment.after, settings)
  return reached is not None and reached.is_finished


def _train(experiment, settings):
  """Trains what is missing, and stops where the experiment says so."""
  if experiment.after is not None and _standing(experiment, settings) is None:
    _train(experiment.after, settings)
    if not _has_start(experiment, settings):
      return
  for stop in (*experiment.stops, None):
    reached = _standing(experiment, settings)
    enough = reached and min(stop or reached.total_steps, reached.total_steps)
    if reached is None or reached.step < enough:
      args = _train_args(experiment, settings)
      args += [f'--max_steps={stop}'] if stop else []
      command(experiment, settings, args)


def _standing(experiment, settings):
  """How far the run is; `None` if there is nothing of it."""
  workdir = settings.workdir(experiment)
  config = status.config_there(workdir, experiment)
  step = status.last_step(workdir)
  if config is None or step is None:
    return None
  images = _images_told(experiment, settings)
  images = images or status.images_of(config, settings.data_dir)
  return status.Standing(config, step, images)


def _images_told(experiment, settings):
  """What an earlier record says of the images, which take seconds to load."""
  try:
    record = records.read(settings.out, experiment.name)
  except ValueError as error:
    console.warn(f'{error}; it is written anew')
    return None
  there = facts.read(settings.workdir(experiment)).sha256
  return record.images if record and record.data['sha256'] == there else None


def _train_args(experiment, settings):
  args = ['vlae_tf.train', f'--preset={experiment.preset}', *experiment.flags]
  workdir = settings.workdir(experiment)
  there = status.config_there(workdir, experiment)
  if there is not None:  # As often as so far.
    every = there.validate_every_epochs
    if every != experiment.config.validate_every_epochs:
      args += [f'--validate_every_epochs={every:g}']
  if experiment.after is not None:
    args += [f'--start_from={settings.workdir(experiment.after)}']
  if settings.minutes is not None:
    args += [f'--max_minutes={settings.minutes:g}']
  return [*args, *_places(experiment, settings)]


def _evaluate_args(experiment, settings, codes, images):
  args = ['vlae_tf.evaluate', '--split=test', f'--num_samples={codes}']
  args += [f'--checkpoint={records.CHECKPOINT}', f'--seed={records.SEED}']
  if images is not None:
    args += [f'--max_images={images}', '--spread']
  return [*args, *_places(experiment, settings)]


def _places(experiment, settings):
  args = [f'--workdir={os.fspath(settings.workdir(experiment))}']
  if settings.data_dir is not None:
    args += [f'--data_dir={settings.data_dir}']
  return args


def _ways(experiment, settings):
  """How to score: pairs of codes, and images or `None` for all."""
  codes = settings.num_samples
  if not experiment.config.latent_size:
    return [(1, None)]  # Without a code, one is exact.
  if settings.max_images is None:
    return [(codes, None)]
  return [(min(codes, _CODES_OF_ALL), None), (codes, settings.max_images)]


def _is_scored(workdir, reached, codes, images):
  """Whether there is such a score, or one of at least as many codes."""
  num = min(images or reached.images.test, reached.images.test)
  return any(
    score['num_images'] == num
    and score['num_samples'] >= codes
    and bool(score.get('spread')) == (images is not None)
    for score in records.scores_at(workdir, reached.step)
  )


def _say(experiment, words):
  console.say(f'{experiment.name}: {words}')
