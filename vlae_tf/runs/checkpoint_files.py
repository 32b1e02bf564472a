"""One checkpoint: groups of variables in a pair of files.

| tensor | what it is |
|---|---|
| `format_version` | `FORMAT_VERSION`, int64 |
| `GROUP/PATH` | the value of the variable of that path |

Files of the first format have no version. They name a variable by its position
in its group, `GROUP/values/POSITION/...`, and are read by it: what comes in
`model.variables`, and in the other groups, must stay in the order that it had
when they were written.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import keras
import tensorflow as tf

from vlae_tf.utils import checks, serialization

FORMAT_VERSION = 2

Groups: TypeAlias = Mapping[str, Sequence[keras.Variable]]

_VERSION = 'format_version'
_FIRST_FORMAT = '{}/values/{}/.ATTRIBUTES/VARIABLE_VALUE'


class MismatchError(ValueError):
  """A checkpoint that is whole, and another model's or a later version's."""


def check_same_paths(
  variables: Sequence[keras.Variable], others: Sequence[keras.Variable]
) -> None:
  """Checks that two builds of a model call their variables the same."""
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
  tf.raw_ops.SaveV2(
    prefix=path,
    tensor_names=list(tensors),
    shape_and_slices=[''] * len(tensors),
    tensors=list(tensors.values()),
  )


def read(path: str, groups: Groups) -> None:
  """Sets variables to what a checkpoint holds, all of them or none."""
  reader = tf.train.load_checkpoint(path)
  there = reader.get_variable_to_shape_map()
  version = int(reader.get_tensor(_VERSION)) if _VERSION in there else 1
  if version > FORMAT_VERSION:
    raise MismatchError(
      f'it is of format {version}, and this version of vlae_tf reads formats '
      f'up to {FORMAT_VERSION}: install a later one'
    )
  names: dict[str, keras.Variable] = {}
  for group, variables in groups.items():
    named = _by_position if version == 1 else _by_path
    names |= named(group, variables, there)
  _check_types(reader, names)
  # Read before the first is set: what is broken leaves all as it was.
  values = {name: reader.get_tensor(name) for name in names}
  for name, variable in names.items():
    variable.assign(values[name])


def _by_path(group, variables, there):
  """The variables of a group by the names of their tensors."""
  here = {
    f'{group}/{key}': v for key, v in serialization.by_path(variables).items()
  }
  of_group = {name for name in there if name.startswith(f'{group}/')}
  if here.keys() != of_group:
    raise MismatchError(
      f'it is of another model: {checks.few(here.keys() - of_group)} not in '
      f'it, {checks.few(of_group - here.keys())} in it alone'
    )
  return here


def _by_position(group, variables, there):
  """The same in the first format."""
  here = {_FIRST_FORMAT.format(group, k): v for k, v in enumerate(variables)}
  count = sum(name.startswith(f'{group}/values/') for name in there)
  if count != len(here):
    raise MismatchError(
      f'it is of another model: {count} variables of {group!r} in it, '
      f'{len(here)} here'
    )
  return here


def _check_types(reader, names):
  """Checks shapes and types, which position alone would not tell apart."""
  shapes, dtypes = (
    reader.get_variable_to_shape_map(),
    reader.get_variable_to_dtype_map(),
  )
  for name, variable in names.items():
    there = (dtypes[name].name, tuple(shapes[name]))
    here = (tf.as_dtype(variable.dtype).name, tuple(variable.shape))
    if there != here:
      raise MismatchError(
        f'it is of another model: {name} is {_type(there)} in it, '
        f'{_type(here)} here'
      )


def _type(dtype_and_shape):
  dtype, shape = dtype_and_shape
  return f'{dtype} {list(shape)}'
