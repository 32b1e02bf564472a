"""The images of a run, wherever they are by now."""

import os

from vlae_tf import data as data_lib
from vlae_tf.data import directories, sources
from vlae_tf.runs import workdirs


def load(
  run: workdirs.Run, data_dir: str | os.PathLike | None = None
) -> data_lib.ImageData:
  """Loads them.

  Args:
    run: `Run`.
    data_dir: Root of the data sets; by default that of the training if it is
      there still, else the default.

  Returns:
    An `ImageData`.

  Raises:
    ValueError: The root that was given does not exist, or the images are not
      there or are others than the run was trained on.
  """
  name = run.config.dataset
  needs_root = name in sources.DATASETS and not sources.is_embedded(name)
  root = data_dir
  if needs_root or data_dir is not None:
    root = directories.root_of_run(data_dir, run.data_dir)
  return workdirs.load_data(run, root)


def label(workdir: str | os.PathLike, run: workdirs.Run) -> str:
  """Which weights of which run these are: 'omniglot, step 14,607 (last)'."""
  name = os.path.basename(os.path.abspath(workdir))
  return f'{name}, step {run.step:,} ({run.checkpoint})'
