"""Keras serialization from constructor arguments, and variables by path.

```
@serialization.register
class Encoder(keras.layers.Layer):
  def __init__(self, widths=(16, 32), mask=None, **kwargs): ...
```

adds `get_config` and `from_config`. Arguments may be numbers, strings, NumPy
arrays, layers, other registered objects, and tuples, lists and dictionaries of
them. A registered layer's `build` has to build the layers that it was given:
Keras builds only the outermost of a saved object.
"""

import contextlib
import copy
import functools
import inspect
from collections.abc import Sequence
from typing import Any, TypeVar

import keras
import numpy as np

_PACKAGE = 'vlae_tf'
_RECORD = '_constructor_arguments'
_TUPLE = '__tuple__'  # JSON has none, and a list is not hashable.

_Class = TypeVar('_Class', bound=type)


def register(cls: _Class) -> _Class:
  """Class decorator: lets `keras.saving` write and read the instances.

  The outermost decorator of a dataclass. The constructor must take every
  argument by name. A `get_config` of the class is kept, and
  `saved_names` are the earlier names of renamed arguments. A subclass has to be
  registered as well, as its arguments are not recorded until then.
  """
  other = keras.saving.get_registered_object(f'{_PACKAGE}>{cls.__name__}')
  # A module that is loaded again registers the same class again.
  if other is not None and _home(other) != _home(cls):
    raise ValueError(
      f'`cls` must have a unique name to be registered: {cls.__name__} is '
      f'{_home(other)} already, got {_home(cls)}.'
    )
  _record_arguments(cls)
  given: Any = cls
  # A subclass of a class of this package inherits it.
  inherited = getattr(getattr(cls, 'get_config', None), '__module__', '')
  if 'get_config' not in vars(cls) and not inherited.startswith(_PACKAGE):
    given.get_config = get_config
    if 'from_config' not in vars(cls):
      given.from_config = classmethod(from_config)
  return keras.saving.register_keras_serializable(_PACKAGE)(cls)


class _Arguments:
  """Arguments of a constructor, hidden from Keras."""

  # Keras tracks layers and containers among the attributes of a layer, and
  # saves them; it does not look into an object of another class.

  def __init__(self, values):
    self.values = values


def _home(cls):
  return f'{cls.__module__}.{cls.__qualname__}'


def _signature(cls):
  """The arguments of the constructor that have names."""
  parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
  return inspect.Signature(
    [p for p in parameters if p.kind is not p.VAR_POSITIONAL]
  )


def _record_arguments(cls):
  """Has the constructor keep its arguments, for instances of exactly `cls`."""
  construct, signature = cls.__init__, _signature(cls)

  @functools.wraps(construct)
  def init(self, *args, **kwargs):
    if type(self) is cls:
      # With arguments that do not fit, the constructor itself will fail.
      with contextlib.suppress(TypeError):
        values = _bound(signature, args, kwargs)
        # Past frozen dataclasses and the tracking of layers.
        object.__setattr__(self, _RECORD, _Arguments(values))
    construct(self, *args, **kwargs)

  # Keras does not look behind wrappers.
  init.__signature__ = inspect.signature(construct)  # type: ignore[attr-defined]
  cls.__init__ = init


def _bound(signature, args, kwargs):
  """Arguments by name, with defaults, which a later version may change."""
  bound = signature.bind(*args, **kwargs)
  bound.apply_defaults()
  values = dict(bound.arguments)
  for parameter in signature.parameters.values():
    if parameter.kind is parameter.VAR_KEYWORD:
      values |= values.pop(parameter.name)
  # The caller may go on to change these.
  owned = (list, dict, np.ndarray)
  return {
    k: copy.copy(v) if isinstance(v, owned) else v for k, v in values.items()
  }


def get_config(self) -> dict[str, Any]:
  """The constructor arguments of an instance of a registered class."""
  record = getattr(self, _RECORD, None)
  if record is None:
    raise NotImplementedError(
      f'{_home(type(self))} cannot be saved, as its constructor arguments are '
      'not recorded. Decorate the class with `@serialization.register`, give '
      'it arguments that have names, or write `get_config` and `from_config`.'
    )
  saved = getattr(self, 'saved_names', {})
  config = {saved.get(k, k): _encode(x) for k, x in record.values.items()}
  if isinstance(self, keras.layers.Layer):
    # Name, trainable and dtype may have changed since.
    now = keras.layers.Layer.get_config(self)
    parameters = _signature(type(self)).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    config |= {k: v for k, v in now.items() if takes_any or k in parameters}
  return config


def from_config(cls, config: dict[str, Any]):
  """An instance from what `get_config` returned."""
  names = {old: new for new, old in getattr(cls, 'saved_names', {}).items()}
  return cls(**{names.get(k, k): _decode(x) for k, x in config.items()})


def _encode(value):
  if isinstance(value, tuple):
    return {_TUPLE: [_encode(v) for v in value]}
  if isinstance(value, list):
    return [_encode(v) for v in value]
  if isinstance(value, dict):
    return {name: _encode(v) for name, v in value.items()}
  config = keras.saving.serialize_keras_object(value)
  if isinstance(config, dict):
    # Built by itself, ahead of the layer that it belongs to, its variables
    # would have other paths.
    config.pop('build_config', None)
  return config


def _decode(config):
  if isinstance(config, (list, tuple)):
    return [_decode(c) for c in config]
  if not isinstance(config, dict):
    return config
  if config.keys() == {_TUPLE}:
    return tuple(_decode(config[_TUPLE]))
  if {'class_name', 'config'} <= config.keys():
    return keras.saving.deserialize_keras_object(config)
  return {name: _decode(c) for name, c in config.items()}


def by_path(variables: Sequence[keras.Variable]) -> dict[str, keras.Variable]:
  """Variables by their paths, which are their names in a file."""
  found: dict[str, keras.Variable] = {}
  for variable in variables:
    if found.setdefault(variable.path, variable) is not variable:
      raise ValueError(
        '`variables` must have unique paths, got two of '
        f'{variable.path}. Give every layer a name that its siblings have not.'
      )
  return found
