"""The model that a command is asked about: a run's, or a shared one."""

import os
from typing import NamedTuple

from vlae_tf import data as data_lib
from vlae_tf.data import sources
from vlae_tf.models import vlae as model_lib
from vlae_tf.runs import facts, images, workdirs
from vlae_tf.runs import pretrained as pretrained_lib


class Loaded(NamedTuple):
  """A trained model, and what to call it."""

  model: model_lib.VLAE
  name: str
  run: workdirs.Run | None = None  # Where it comes from, if not a folder.
  sha256: str | None = None  # Of the images that a shared model is of.

  def images(
    self, data_dir: str | os.PathLike | None = None
  ) -> data_lib.ImageData:
    """Loads the images that it was trained on."""
    if self.run is not None:
      return images.load(self.run, data_dir)
    config = self.model.config
    if config is None:
      raise ValueError(f'`pretrained` {self.name} does not say its images.')
    root = data_dir
    if not sources.is_embedded(config.dataset):
      root = images.root_of_run(data_dir, None)
    data = data_lib.load(config.dataset, root)
    found = facts.fingerprint(data, config)
    if self.sha256 not in (None, found):
      raise ValueError(
        f'`dataset` {config.dataset} must be the images that the model was '
        f'trained on, of SHA-256 {self.sha256}, got others, of {found}.'
      )
    return data


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
    try:
      model = pretrained_lib.from_pretrained(pretrained)
    except ValueError as error:
      told = str(error).replace('`name_or_directory`', '`pretrained`')
      raise ValueError(told) from error
    about = pretrained_lib.describe(pretrained).about
    return Loaded(model, name, sha256=about.get('data_sha256'))
  assert workdir is not None
  run = workdirs.restore(workdir, checkpoint)
  return Loaded(run.model, images.label(workdir, run), run)
