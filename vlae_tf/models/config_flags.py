"""Every field of a `Config` as a flag."""

import dataclasses
from collections.abc import Collection, Sequence
from typing import Any

from absl import flags

from vlae_tf.models import config
from vlae_tf.utils import presets, registry


def _help(meta):
  choices = meta['choices']
  if isinstance(choices, registry.Registry):
    return f'{meta["help"]} {choices.help()}.'
  return meta['help']


def define(
  names: Collection[str] | None = None, values: flags.FlagValues | None = None
) -> None:
  """Defines absl flags for fields of `Config`."""
  where: Any = {} if values is None else {'flag_values': values}
  for field in dataclasses.fields(config.Config):
    name, meta = field.name, field.metadata
    if names is not None and name not in names:
      continue
    default: Any = field.default
    bounds = dict(lower_bound=meta['lower'], upper_bound=meta['upper'])
    if meta['choices']:
      flags.DEFINE_enum(
        name, default, list(meta['choices']), _help(meta), **where
      )
    elif field.type is bool:
      flags.DEFINE_bool(name, default, meta['help'], **where)
    elif field.type is int:
      flags.DEFINE_integer(name, default, meta['help'], **bounds, **where)
    elif field.type is float:
      flags.DEFINE_float(name, default, meta['help'], **bounds, **where)
    else:
      flags.DEFINE_string(name, default, meta['help'], **where)


def parsed(values: flags.FlagValues) -> config.Config:
  """The `Config` that parsed absl flags describe."""
  names = [
    f.name for f in dataclasses.fields(config.Config) if f.name in values
  ]
  fields: dict[str, Any] = {name: values[name].value for name in names}
  return config.Config(**fields)


def as_arg(name: str, value: Any) -> str:
  """A field as an argument of `train`.

  >>> as_arg('decoder_tied', False), as_arg('seed', 3)
  ('--nodecoder_tied', '--seed=3')

  Args:
    name: Name of a field of `Config`.
    value: What it is.

  Returns:
    What to type.
  """
  if isinstance(value, bool):
    return f'--{name}' if value else f'--no{name}'
  return f'--{name}={value}'


def of_preset(name: str) -> config.Config:
  """The `Config` of a preset; of its flags, those of a run say nothing here.

  >>> of_preset('omniglot_gaussian_prior').prior
  'gaussian'

  Args:
    name: What follows `--preset=`.

  Returns:
    A `Config`.

  Raises:
    ValueError: There is none of that name; the message suggests the nearest.
  """
  return of_args([f'--preset={name}'])


def of_args(args: Sequence[str]) -> config.Config:
  """The `Config` of arguments of `train`; the others say nothing here.

  >>> of_args(['--preset=omniglot', '--seed=8', '--xla=none']).seed
  8

  Args:
    args: Flags, of which later ones win.

  Returns:
    A `Config`.

  Raises:
    ValueError: A preset is not there, or a value is none that a field can have.
  """
  values = flags.FlagValues()
  define(values=values)
  try:
    values(['', *presets.expand(args)], known_only=True)
  except flags.Error as error:
    raise ValueError(
      f'`args` must be flags of an experiment: {error}'
    ) from error
  return parsed(values)
