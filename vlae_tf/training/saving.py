"""What a run keeps of its training state, and how it goes on from there."""

import os
import pathlib
from collections.abc import Callable

from vlae_tf.runs import checkpoints, workdirs
from vlae_tf.training import nan_guard
from vlae_tf.training import state as training_state
from vlae_tf.utils import console


class Saver:
  """The last checkpoints of a run, and the best averages."""

  def __init__(
    self,
    workdir: str | os.PathLike,
    state: training_state.TrainingState,
    keep: int,
  ):
    workdir, groups = pathlib.Path(workdir), state.groups()
    self._state = state
    self._last = checkpoints.Checkpoints(workdir / workdirs.LAST, groups, keep)
    self._best = checkpoints.Checkpoints(
      workdir / workdirs.BEST, {'averages': groups['averages']}, keep=1
    )

  @property
  def is_empty(self) -> bool:
    """Whether there is no checkpoint to go on from."""
    return not self._last.steps

  def restore(self) -> int | None:
    """Reads the newest checkpoint; its step, or `None` where there is none."""
    return self._last.restore()

  def save(self, step: int) -> None:
    """Writes a checkpoint."""
    if not nan_guard.are_finite(self._state.variables_to_check()):
      raise ValueError(
        f'The weights at step {step} are not finite and so not saved; the last '
        'good checkpoint is kept.'
      )
    self._last.save(step)

  def save_best(self, step: int) -> None:
    """Writes the averages, in place of the best before; raises as `save`."""
    self._best.save(step)


def or_warn(save: Callable[[int], None], step: int) -> None:
  """Saves, or warns: a full disk may have room again at the next time."""
  try:
    save(step)
  except ValueError as error:
    console.warn(error)
