"""Runs experiments: trains and scores as far as is missing, writes records.

Training and scoring are commands of this package in processes of their own,
which resume; files tell what is done already.
"""

import contextlib
import dataclasses
import os
import pathlib
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from absl import flags

from vlae_tf import data as data_lib
from vlae_tf.evaluation import figures, latents
from vlae_tf.reproduction import experiments, processes, records
from vlae_tf.runs import checkpoints, loading
from vlae_tf.runs import records as run_records
from vlae_tf.utils import command_line, console

_SECONDS_BETWEEN_LINES = 60.0  # Each experiment has a log with more of them.
_SAMPLES_OF_ALL = 32  # At most, of all images where `max_images` have more.
# Of a figure: test images, reconstructions of each, samples from the prior.
_IMAGES, _DRAWS, _SAMPLES, _SEED = 16, 3, 64, 0
_GAP = 8  # Pixels between the parts of a figure.


@dataclasses.dataclass(frozen=True)
class Settings:
  """Extent and places of the work."""

  runs: pathlib.Path  # Folder of the run directories.
  out: pathlib.Path  # Folder of all results.
  num_samples: int = 128  # Importance samples of each test image for the NLL.
  # Number of images, spread over the test images, with so many samples; all by
  # default. The others have fewer, see `records`.
  max_images: int | None = None
  minutes: float | None = None  # At most, to train a model in this call.
  train: bool = True  # Else the last checkpoint is scored.
  data_dir: str | None = None
  tell: Callable[[str], None] = lambda text: None  # Gets the progress.

  def workdir(self, experiment: experiments.Experiment) -> pathlib.Path:
    return self.runs / experiment.name


def define_flags() -> None:
  """Defines the flags that commands with experiments share."""
  flags.DEFINE_string('runs', 'runs', 'Folder of the run directories.')
  flags.DEFINE_float(
    'minutes_per_model',
    None,
    'Training time of each model in this call, in minutes; the next call '
    'resumes.',
    lower_bound=0.01,
  )
  flags.DEFINE_bool(
    'train', True, 'Train; else evaluate the last checkpoints only.'
  )
  flags.DEFINE_bool(
    'list', False, 'Print a shell command for each run, and exit.'
  )
  command_line.define('data_dir', 'quiet')


def settings_of(values: flags.FlagValues, num_samples: int) -> Settings:
  """The `Settings` of parsed flags."""
  return Settings(
    runs=pathlib.Path(values.runs),
    out=pathlib.Path(values.out or '.'),
    num_samples=num_samples,
    max_images=values.max_images,
    minutes=values.minutes_per_model,
    train=values.train,
    data_dir=values.data_dir,
  )


@contextlib.contextmanager
def metered(
  settings: Settings, num: int
) -> Iterator[tuple[Settings, console.Meter]]:
  """Settings that show progress on a meter of a number of experiments."""
  with console.Meter(
    num, 'experiment', seconds_between_lines=_SECONDS_BETWEEN_LINES
  ) as meter:
    yield dataclasses.replace(settings, tell=meter.tell), meter


def shell_lines(
  chosen: Iterable[experiments.Experiment], settings: Settings
) -> Iterator[str]:
  """A shell command for each experiment that trains and scores it."""
  for experiment in chosen:
    commands = [
      _evaluate_args(experiment, settings, *way)
      for way in _ways(experiment, settings)
    ]
    start = experiment if settings.train else None
    while start is not None:
      commands.insert(0, _train_args(start, settings))
      start = start.after
    yield ' && '.join(shlex.join(['python', '-m', *c]) for c in commands)


def run(
  experiment: experiments.Experiment, settings: Settings
) -> records.Record | None:
  """Trains, scores and records an experiment, as far as is missing."""
  workdir = settings.workdir(experiment)
  if settings.train:
    _train(experiment, settings)
  reached = _progress(experiment, settings)
  if reached is None:
    if not settings.train:
      _say(experiment, f'not run, {workdir} holds no checkpoint')
    elif _has_start(experiment, settings):
      raise ValueError(f'{workdir} holds no checkpoint')
    else:
      assert experiment.after is not None
      _say(experiment, f'waits for {experiment.after.name} to be finished')
    return None
  _say(experiment, f'at step {reached.step:,} of {reached.total_steps:,}')
  test = reached.images.test
  for num_samples, max_images in _ways(experiment, settings):
    is_scored = any(
      score['num_images'] == min(max_images or test, test)
      and score['num_samples'] >= num_samples
      and bool(score.get('spread')) == (max_images is not None)
      for score in records.scores_at(workdir, reached.step)
    )
    if not is_scored:
      args = _evaluate_args(experiment, settings, num_samples, max_images)
      command(experiment, settings, args)
  record = records.of_run(experiment, workdir, reached)
  records.write(settings.out, record, workdir)
  if record.nll:
    _say(experiment, f'NLL {record.nll["nll"]:.2f} nats')
  return record


def command(
  experiment: experiments.Experiment, settings: Settings, args: Sequence[str]
) -> None:
  """Runs a command of an experiment; its output goes into a log."""
  log = settings.runs / f'{experiment.name}.log'
  name = args[0].removeprefix('vlae_tf.')
  _say(experiment, f'{name}, see {log}')
  at = f'{experiment.name}: {name}'
  settings.tell(at)
  processes.run(args, log, lambda line: settings.tell(f'{at}: {line}'))


def _has_start(experiment, settings):
  """Whether the initial weights of an experiment are there, if it has any."""
  if experiment.after is None:
    return True
  reached = _progress(experiment.after, settings)
  return reached is not None and reached.is_finished


def _train(experiment, settings):
  """Trains as far as is missing, and stops where the experiment does."""
  if experiment.after is not None and _progress(experiment, settings) is None:
    _train(experiment.after, settings)
    if not _has_start(experiment, settings):
      return
  for stop in (*experiment.stops, None):
    reached = _progress(experiment, settings)
    enough = reached and min(stop or reached.total_steps, reached.total_steps)
    if reached is None or reached.step < enough:
      args = _train_args(experiment, settings)
      args += [f'--max_steps={stop}'] if stop else []
      command(experiment, settings, args)


def _progress(experiment, settings):
  """Progress of the run of an experiment; `None` before it starts."""
  workdir = settings.workdir(experiment)
  config = records.config_there(workdir, experiment)
  steps = checkpoints.Checkpoints(workdir / checkpoints.LAST, {}).steps
  if config is None or not steps:
    return None
  record = None
  try:
    record = records.read(settings.out, experiment.name)
  except ValueError as error:
    console.warn(f'{error}; it is written anew')
  sha256 = run_records.read_facts(workdir).sha256
  if record and record.data['sha256'] == sha256:
    images = record.images
  else:  # To load the data set takes seconds.
    images = records.images_of(config, settings.data_dir)
  return records.Progress(config, steps[-1], images)


def _train_args(experiment, settings):
  args = ['vlae_tf.train', f'--preset={experiment.preset}', *experiment.flags]
  workdir = settings.workdir(experiment)
  there = records.config_there(workdir, experiment)
  if there is not None:  # As often as so far.
    every = there.validate_every_epochs
    if every != experiment.config.validate_every_epochs:
      args += [f'--validate_every_epochs={every:g}']
  if experiment.after is not None:
    args += [f'--start_from={settings.workdir(experiment.after)}']
  if settings.minutes is not None:
    args += [f'--max_minutes={settings.minutes:g}']
  return [*args, *places(experiment, settings)]


def _evaluate_args(experiment, settings, num_samples, max_images):
  args = ['vlae_tf.evaluate', '--split=test', f'--num_samples={num_samples}']
  args += [f'--checkpoint={records.CHECKPOINT}', f'--seed={records.SEED}']
  if max_images is not None:
    args += [f'--max_images={max_images}', '--spread']
  return [*args, *places(experiment, settings)]


def places(experiment: experiments.Experiment, settings: Settings) -> list[str]:
  """Flags of a command for the run directory and the data of an experiment."""
  args = [f'--workdir={os.fspath(settings.workdir(experiment))}']
  if settings.data_dir is not None:
    args += [f'--data_dir={settings.data_dir}']
  return args


def _ways(experiment, settings):
  """Pairs of importance samples, and images or `None` for all, to score by."""
  num = settings.num_samples
  if not experiment.config.latent_size:
    return [(1, None)]  # Without a latent, one is exact.
  if settings.max_images is None:
    return [(num, None)]
  return [(min(num, _SAMPLES_OF_ALL), None), (num, settings.max_images)]


def _say(experiment, words):
  console.say(f'{experiment.name}: {words}')


def figure_path(out: str | os.PathLike, name: str) -> pathlib.Path:
  """Path of a figure, below the folder of all results."""
  return pathlib.Path(out) / 'results' / f'figure_{name}.png'


def draw(
  figure: experiments.Figure, plan: experiments.Plan, settings: Settings
) -> pathlib.Path:
  """Draws and writes a figure: test images beside reconstructions."""
  names = [name for name in (figure.experiment, figure.beside) if name]
  folders = [settings.workdir(plan.experiments[name]) for name in names]
  # The second one may not have been run.
  there = folders[:1] + [
    f for f in folders[1:] if (f / checkpoints.LAST).exists()
  ]
  images, texts, drawn = None, [], []
  for folder in there:
    run = loading.restore(folder, 'last')
    latents.check_code(run.model, 'experiment')
    if images is None:
      data = run.images(settings.data_dir)
      first = data.test[:_IMAGES]
      images = data_lib.fixed_binarization(first, 'test', kind=data.kind)
    made = [figures.decompressions(run.model, images, _DRAWS, _SEED)]
    if figure.samples and folder == there[0]:
      made.append(figures.samples(run.model, _SAMPLES, _SEED))
    for picture, words in made:
      texts.append(f'{run.label}: {words}')
      drawn.append(figures.captioned(picture, texts[-1]))
  height = max(len(picture) for picture in drawn)
  parts = [figures.padded(p, height, p.shape[1] + _GAP) for p in drawn]
  target = figure_path(settings.out, figure.name)
  text = f'Figure {figure.name}, {figure.title}. ' + '; '.join(texts)
  figures.save_png(target, np.concatenate(parts, 1), text)
  return target
