"""Checkpoints: groups of variables in a pair of files each.

A checkpoint is `ckpt-STEP.data-00000-of-00001` and `ckpt-STEP.index`. Both are
written and synced under another name and renamed, the index last: a checkpoint
with an index is complete. TensorFlow verifies a checksum of every tensor when
it reads one.

| tensor | value |
|---|---|
| `format_version` | `FORMAT_VERSION`, int64 |
| `GROUP/PATH` | the variable of that path |

Files of the first format have no version. They name a variable by its position
in its group, `GROUP/values/POSITION/...`: the order of `model.variables`, and
of the other groups, must stay as it was when they were written.
"""

import contextlib
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import keras
import tensorflow as tf

from vlae_tf.utils import checks, console, files, serialization

# Folders of a run's directory, and the values of --checkpoint for them: the
# last checkpoints of all state, and the averages of the best validation.
LAST, BEST = 'checkpoints', 'best'
FOLDERS = {'last': LAST, 'best': BEST}

FORMAT_VERSION = 2

Groups: TypeAlias = Mapping[str, Sequence[keras.Variable]]

_VERSION = 'format_version'


class MismatchError(ValueError):
  """An intact checkpoint of another model or of a later version."""


class Checkpoints:
  """The checkpoints of a directory."""

  def __init__(
    self, directory: str | os.PathLike, groups: Groups, keep: int = 2
  ):
    for variables in groups.values():
      serialization.by_path(variables)
    self._directory = pathlib.Path(directory)
    self._groups = groups
    self._keep = checks.integer('keep', keep, 1)
    self._good: int | None = None  # Step that was saved or restored last.

  @property
  def steps(self) -> list[int]:
    """Steps of the checkpoints in the directory, ascending."""
    names = [p.stem for p in self._directory.glob('ckpt-*.index')]
    numbers = [name.removeprefix('ckpt-') for name in names]
    return sorted(int(n) for n in numbers if n.isdecimal())

  def kept(self, step: int) -> str:
    """The newest checkpoint up to a step, in words."""
    past = [s for s in self.steps if s <= step]
    if not past:
      return 'There is no earlier checkpoint.'
    return f'The checkpoint of step {past[-1]} is kept.'

  def save(self, step: int, skipped: int = 0) -> None:
    """Writes a checkpoint, then removes the oldest ones.

    Those from before the last `skipped` updates, which were not finite, count
    alone: their weights may be the last good ones.
    """
    if step == self._good:
      return
    try:
      with files.temporary(self._directory) as folder:
        write(str(folder / f'ckpt-{step}'), self._groups)
        for path in sorted(folder.glob('ckpt-*')):  # The index last.
          with open(path, 'rb') as file:
            os.fsync(file.fileno())
          os.replace(path, self._directory / path.name)
    except (OSError, tf.errors.OpError) as error:
      why = console.brief(error)
      raise ValueError(
        f'Cannot write a checkpoint to {self._directory}: {why}. '
        f'{self.kept(step - 1)}'
      ) from error
    self._good = step
    # The newest up to `step` stay: later ones were passed over as broken.
    past = [s for s in self.steps if s <= step - skipped]
    for old in set(self.steps) - {*past[-self._keep :], step}:
      # The index first: without it the data are no checkpoint.
      for path in sorted(self._directory.glob(f'ckpt-{old}.*'), reverse=True):
        with contextlib.suppress(OSError):  # The new one is written.
          path.unlink()

  def restore(self) -> int | None:
    """Reads the newest checkpoint that can be read; its step, if any."""
    failures = []
    for step in reversed(self.steps):
      try:
        read(self._path(step), self._groups)
      except MismatchError as error:
        path = self._path(step)
        raise ValueError(f'Cannot use checkpoint {path}: {error}.') from error
      # Of all kinds: a truncated file gives an IndexError, for example.
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


def sweep(directory: pathlib.Path) -> None:
  """Removes what a killed process left half written, before any save."""
  files.sweep(directory)
  for data in directory.glob('ckpt-*.data-*'):
    if not data.with_suffix('.index').exists():
      with contextlib.suppress(OSError):
        data.unlink()


def check_same_paths(
  variables: Sequence[keras.Variable], others: Sequence[keras.Variable]
) -> None:
  """Checks that two builds of a model have variables of the same paths."""
  ours, theirs = serialization.by_path(variables), serialization.by_path(others)
  if ours.keys() != theirs.keys():
    raise ValueError(
      'A model must give its variables the same paths whenever it is built, as '
      f'checkpoints go by them; got {checks.few(ours.keys() - theirs.keys())} '
      f'from one build and {checks.few(theirs.keys() - ours.keys())} from the '
      "next. Give every layer a name: Dense(8, name='hidden')."
    )


def write(path: str, groups: Groups) -> None:
  """Writes `PATH.index` and `PATH.data-00000-of-00001`."""
  tensors = {_VERSION: tf.constant(FORMAT_VERSION, tf.int64)}
  for group, variables in groups.items():
    for key, variable in serialization.by_path(variables).items():
      tensors[f'{group}/{key}'] = tf.convert_to_tensor(variable.value)
  with files.literal(pathlib.Path(path)) as prefix:
    tf.raw_ops.SaveV2(
      prefix=prefix,
      tensor_names=list(tensors),
      shape_and_slices=[''] * len(tensors),
      tensors=list(tensors.values()),
    )


def read(path: str, groups: Groups) -> None:
  """Sets variables to the values of a checkpoint, all of them or none."""
  with files.literal(pathlib.Path(path)) as prefix:
    _read(tf.train.load_checkpoint(prefix), groups)


def _read(reader, groups):
  there = reader.get_variable_to_shape_map()
  version = int(reader.get_tensor(_VERSION)) if _VERSION in there else 1
  if version > FORMAT_VERSION:
    raise MismatchError(
      f'it is of format {version}, and this version of vlae_tf reads formats '
      f'up to {FORMAT_VERSION}: install a later one'
    )
  names: dict[str, keras.Variable] = {}
  for group, variables in groups.items():
    here = _by_name(group, variables, version)
    prefix = f'{group}/values/' if version == 1 else f'{group}/'
    of_group = {name for name in there if name.startswith(prefix)}
    if here.keys() != of_group:
      raise MismatchError(
        f'it is of another model: {checks.few(here.keys() - of_group)} not in '
        f'it, {checks.few(of_group - here.keys())} in it alone'
      )
    names |= here
  _check_types(reader, names)
  # All are read before the first is assigned.
  values = {name: reader.get_tensor(name) for name in names}
  # The state holds the best bound so far, at first -inf.
  small = ('state/',)
  checks.finite_weights(
    {name: x for name, x in values.items() if not name.startswith(small)}
  )
  for name, variable in names.items():
    variable.assign(values[name])


def _by_name(group, variables, version):
  if version == 1:
    names = f'{group}/values/{{}}/.ATTRIBUTES/VARIABLE_VALUE'
    return {names.format(k): v for k, v in enumerate(variables)}
  by_path = serialization.by_path(variables)
  return {f'{group}/{path}': variable for path, variable in by_path.items()}


def _check_types(reader, names):
  """Checks shapes and dtypes, which position alone would not distinguish."""
  shapes = reader.get_variable_to_shape_map()
  dtypes = reader.get_variable_to_dtype_map()
  for name, variable in names.items():
    there = f'{dtypes[name].name} {list(shapes[name])}'
    here = f'{tf.as_dtype(variable.dtype).name} {list(variable.shape)}'
    if there != here:
      raise MismatchError(
        f'it is of another model: {name} is {there} in it, {here} here'
      )
