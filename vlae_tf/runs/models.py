"""The model that a command is asked about: a run's, or a shared one."""

import os
from typing import NamedTuple

from vlae_tf import model as model_lib
from vlae_tf import pretrained as pretrained_lib
from vlae_tf.runs import images, workdirs


class Loaded(NamedTuple):
  """A trained model, and what to call it."""

  model: model_lib.VLAE
  name: str


def load(
  workdir: str | os.PathLike | None,
  checkpoint: str | None = None,
  pretrained: str | os.PathLike | None = None,
) -> Loaded:
  """Loads a model.

  Args:
    workdir: Directory of a run, or `None` for a shared model.
    checkpoint: 'last' or 'best', see `workdirs.restore`.
    pretrained: Folder of a shared model, or the name of one of the package.

  Returns:
    `Loaded`.

  Raises:
    ValueError: It cannot be loaded.
  """
  if pretrained is not None:
    name = images.name_of(pretrained) or ''
    return Loaded(pretrained_lib.from_pretrained(pretrained), name)
  assert workdir is not None
  run = workdirs.restore(workdir, checkpoint)
  return Loaded(run.model, images.label(workdir, run))
