"""What a run's directory says of the images: `data.json`.

| key | value |
|---|---|
| `image_shape` | height, width, channels |
| `sha256` | of the bytes of all images that are trained on |
| `data_dir` | root of the data sets, an absolute path; may be missing |
"""

import dataclasses
import hashlib
import json
import os
import pathlib
from typing import Any

from vlae_tf import data as data_lib
from vlae_tf.models import config as config_lib
from vlae_tf.utils import files

NAME = 'data.json'
_NEEDED = {'image_shape', 'sha256'}


@dataclasses.dataclass(frozen=True)
class Facts:
  """Shape, fingerprint and home of the images of a run."""

  image_shape: tuple[int, ...]  # `(height, width, channels)`.
  sha256: str  # Fingerprint of the images that are trained on.
  data_dir: str | None = None  # Root of the data sets, or `None`.

  def __post_init__(self):
    shape: Any = self.image_shape
    if not isinstance(shape, list | tuple) or len(shape) != 3:
      raise ValueError(f'`image_shape` must be three integers, got {shape!r}.')
    if not all(type(n) is int and n > 0 for n in shape):
      raise ValueError(f'`image_shape` must be positive, got {shape!r}.')
    if not isinstance(self.sha256, str):
      raise ValueError(f'`sha256` must be a string, got {self.sha256!r}.')
    if not isinstance(self.data_dir, str | None):
      raise ValueError(f'`data_dir` must be a path, got {self.data_dir!r}.')
    object.__setattr__(self, 'image_shape', tuple(shape))


def of_images(
  config: config_lib.Config,
  data: data_lib.ImageData,
  data_dir: str | os.PathLike | None = None,
) -> Facts:
  """The facts of an experiment's images."""
  root = None if data_dir is None else os.path.abspath(data_dir)
  return Facts(data.image_shape, fingerprint(data, config), root)


def fingerprint(data: data_lib.ImageData, config: config_lib.Config) -> str:
  """SHA-256 of the images that an experiment trains on, in hexadecimal."""
  return hashlib.sha256(data.split(config.train_on).tobytes()).hexdigest()


def read(workdir: pathlib.Path) -> Facts:
  """Reads `data.json`."""
  path = workdir / NAME
  try:
    fields = json.loads(path.read_text(encoding='utf-8'))
    if not isinstance(fields, dict) or not fields.keys() >= _NEEDED:
      raise ValueError(
        f'it must hold {" and ".join(sorted(_NEEDED))}, got {fields!r}'
      )
    return Facts(**fields)
  except (OSError, ValueError, TypeError) as error:
    why = str(error).rstrip('.')
    raise ValueError(
      f'Cannot read {path}: {why}. Remove what is there; the train command of '
      'this run writes it anew.'
    ) from error


def is_outdated(workdir: pathlib.Path, facts: Facts) -> bool:
  """Whether the file is missing, or names another root than `facts` do."""
  if not (workdir / NAME).exists():
    return True
  return facts.data_dir not in (None, read(workdir).data_dir)


def write(workdir: pathlib.Path, facts: Facts) -> None:
  """Writes `data.json`, atomically."""
  fields = {k: v for k, v in dataclasses.asdict(facts).items() if v is not None}
  files.write_text(workdir / NAME, json.dumps(fields, indent=2) + '\n')
