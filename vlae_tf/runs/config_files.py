"""An experiment as JSON: `config.json` of a run."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Iterable

from vlae_tf.models import config as config_lib
from vlae_tf.utils import files


def save(config: config_lib.Config, path: str | os.PathLike) -> None:
  """Writes a config as JSON, atomically."""
  text = json.dumps(dataclasses.asdict(config), indent=2) + '\n'
  files.write_text(path, text)


def load(path: str | os.PathLike) -> config_lib.Config:
  """Reads a config from JSON.

  Args:
    path: Path of a `config.json`.

  Returns:
    A `Config`.

  Raises:
    ValueError: The file is missing, is not JSON or does not describe a config.
  """
  path = pathlib.Path(path)
  try:
    fields = json.loads(path.read_text(encoding='utf-8'))
    if not isinstance(fields, dict):
      raise ValueError(f'it must hold a JSON object, got {fields!r}.')
    return config_lib.Config(**fields)
  except FileNotFoundError:
    raise ValueError(
      f'`workdir` must hold a trained model: there is no {path}. '
      'Train one with python -m vlae_tf.train.'
    ) from None
  except (OSError, TypeError, ValueError) as error:
    raise ValueError(
      f'{path} is not a config of this version: {error}'
    ) from error


def differences(
  old: config_lib.Config, new: config_lib.Config, free: Iterable[str] = ()
) -> list[str]:
  """Says how two configs differ, one line a field."""
  # Where the learning rate knows nothing of the end of a run, that changes
  # nothing before it: there `max_epochs` may differ.
  free = set(free)
  if new.learning_rate_schedule in ('constant', 'plateau'):
    free.add('max_epochs')
  return [
    f'{f.name}: {getattr(old, f.name)!r} there, {getattr(new, f.name)!r} here'
    for f in dataclasses.fields(config_lib.Config)
    if f.name not in free and getattr(old, f.name) != getattr(new, f.name)
  ]
