"""A directory of checkpoints, of which a crash costs one at most.

A checkpoint is a pair of files, `ckpt-STEP.data-00000-of-00001` and
`ckpt-STEP.index`. Both are written and synced under another name and renamed,
the index last: with the index there, the checkpoint is whole. TensorFlow checks
a sum of every tensor's bytes when it reads one. What the files hold is said in
`checkpoint_files`.
"""

import os
import pathlib
import shutil

import tensorflow as tf

from vlae_tf.runs import checkpoint_files
from vlae_tf.utils import console, serialization


class Checkpoints:
  """The checkpoints of a directory."""

  def __init__(
    self,
    directory: str | os.PathLike,
    groups: checkpoint_files.Groups,
    keep: int = 2,
  ):
    if keep < 1:
      raise ValueError(f'`keep` must be at least 1, got {keep}.')
    for variables in groups.values():
      serialization.by_path(variables)
    self._directory = pathlib.Path(directory)
    self._groups = groups
    self._keep = keep
    self._good: int | None = None  # Step that was saved or restored last.

  @property
  def steps(self) -> list[int]:
    """Steps of the checkpoints in the directory, ascending."""
    names = [p.stem for p in self._directory.glob('ckpt-*.index')]
    numbers = [name.removeprefix('ckpt-') for name in names]
    return sorted(int(n) for n in numbers if n.isdecimal())

  def save(self, step: int) -> None:
    """Writes a checkpoint, then removes those that are not kept."""
    if step == self._good:
      return
    # Its name tells apart two runs that were started by mistake.
    temporary = self._directory / f'.writing-{os.getpid()}'
    try:
      temporary.mkdir(parents=True, exist_ok=True)
      checkpoint_files.write(str(temporary / f'ckpt-{step}'), self._groups)
      _move_synced(temporary, self._directory)
    except (OSError, tf.errors.OpError) as error:
      why = console.brief(error)
      raise ValueError(
        f'Cannot write a checkpoint to {self._directory}: {why}. The last good '
        'one is kept.'
      ) from error
    finally:
      shutil.rmtree(temporary, ignore_errors=True)
    self._good = step
    self._prune(step)

  def restore(self) -> int | None:
    """Reads the newest checkpoint that can be read."""
    failures = []
    for step in reversed(self.steps):
      try:
        checkpoint_files.read(self._path(step), self._groups)
      except checkpoint_files.MismatchError as error:
        path = self._path(step)
        raise ValueError(f'Cannot use checkpoint {path}: {error}.') from error
      # Of all kinds: a file cut short gives an IndexError, for example.
      except Exception as error:
        failures.append(f'{self._path(step)}: {console.brief(error)}')
        continue
      for failure in failures:
        console.warn(f'passed over a broken checkpoint, {failure}')
      self._good = step
      return step
    if failures:
      raise ValueError(f'Cannot read any checkpoint; {"; ".join(failures)}')
    return None

  def _path(self, step):
    return str(self._directory / f'ckpt-{step}')

  def _prune(self, step):
    """Keeps the newest up to `step`: any beyond it were passed over."""
    past = [s for s in self.steps if s <= step]
    for old in set(self.steps) - set(past[-self._keep :]):
      # The index first: without it the data are no checkpoint.
      for path in sorted(self._directory.glob(f'ckpt-{old}.*'), reverse=True):
        path.unlink(missing_ok=True)


def _move_synced(source, target):
  """Moves checkpoint files, the index last, each safe on the disk before."""
  for path in sorted(source.glob('ckpt-*')):
    with open(path, 'rb') as file:
      os.fsync(file.fileno())
    os.replace(path, target / path.name)
