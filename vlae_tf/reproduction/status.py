"""How far a run is, from its files alone: no model is built."""

import dataclasses
import functools
import math
import os
import pathlib
from typing import NamedTuple

from vlae_tf import data as data_lib
from vlae_tf.models import config as config_lib
from vlae_tf.reproduction import rows
from vlae_tf.runs import checkpoints, config_files, workdirs

# Where nothing follows validation, it changes no weight.
FREE = ('validate_every_epochs',)


class Images(NamedTuple):
  """The images of an experiment: how many, and what a pixel's value means."""

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
class Standing:
  """How far a run is."""

  config: config_lib.Config  # `Config` of its directory.
  step: int  # Step of its last checkpoint.
  images: Images  # `Images`.

  @property
  def total_steps(self) -> int:
    """Steps of the whole run."""
    steps_per_epoch = self.images.training / self.config.batch_size
    return math.ceil(self.config.max_epochs * steps_per_epoch)

  @property
  def is_finished(self) -> bool:
    """Whether all steps were taken."""
    return self.step >= self.total_steps

  @property
  def epochs(self) -> float:
    """How often every image was seen."""
    return self.step * self.config.batch_size / self.images.training


def config_there(
  workdir: pathlib.Path, experiment: rows.Experiment
) -> config_lib.Config | None:
  """The config of a directory, if there is one."""
  if not (workdir / workdirs.CONFIG).exists():
    return None
  there = config_files.load(workdir / workdirs.CONFIG)
  lines = config_files.differences(there, experiment.config, FREE)
  if lines:
    raise ValueError(
      f'{workdir} is the directory of another experiment than '
      f'{experiment.name} ({"; ".join(lines)})'
    )
  return there


def last_step(workdir: pathlib.Path) -> int | None:
  """Step of the last checkpoint of a directory; `None` without one."""
  steps = checkpoints.Checkpoints(workdir / workdirs.LAST, {}).steps
  return steps[-1] if steps else None
