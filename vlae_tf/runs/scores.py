"""Scores of a run, a file for each way to have them: `eval/SPLIT_....json`."""

import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from vlae_tf.utils import console, files

FOLDER = 'eval'
_NEEDED = ('num_images', 'num_samples')


def path(workdir: str | os.PathLike, settings: Mapping[str, Any]) -> str:
  """Where a score belongs, which another one of the same settings replaces."""
  name = (
    f'{settings["split"]}_{settings["num_images"]}_images_'
    f'{settings["num_samples"]}_codes'
  )
  if settings.get('spread'):
    name += '_spread'
  return _path(workdir, name, settings)


def write(workdir: str | os.PathLike, result: Mapping[str, Any]) -> str:
  """Writes a score to its `path`."""
  file = path(workdir, result)
  write_to(file, result)
  return file


def write_to(file: str | os.PathLike, result: Mapping[str, Any]) -> None:
  """Writes what was found to a JSON file, in one step."""
  files.write_text(file, json.dumps(result, indent=2) + '\n')


def anomaly_path(
  workdir: str | os.PathLike, settings: Mapping[str, Any]
) -> str:
  """Where the separation from other images belongs."""
  name = (
    f'anomaly_{settings["against"]}_{settings["num_images"]}_and_'
    f'{settings["num_others"]}_images_{settings["num_samples"]}_codes'
  )
  if settings['background']:
    name += f'_over_{settings["background"]}'
  return _path(workdir, name, settings)


def probe_path(workdir: str | os.PathLike, settings: Mapping[str, Any]) -> str:
  """Where what a probe found belongs."""
  numbers = '_'.join(map(str, settings['num_labels']))
  name = (
    f'probe_{settings["num_train"]}_images_{numbers}_labels_'
    f'{settings["repeats"]}_draws'
  )
  if settings['baseline']:
    name += f'_beside_{settings["baseline"]}'
  return _path(workdir, name, settings)


def _path(workdir, name, result):
  """Path of a name, with the settings that are not the usual ones."""
  if result['seed']:
    name += f'_seed_{result["seed"]}'
  if result['checkpoint'] != 'last':
    name += f'_{result["checkpoint"]}'
  return os.path.join(workdir, FOLDER, f'{name}.json')


def fullest(
  workdir: str | os.PathLike, split: str = 'test'
) -> dict[str, Any] | None:
  """The score of most images, of these that of most codes, then most steps."""
  return max(
    read(os.path.join(workdir, FOLDER), split),
    key=fullness,
    default=None,
  )


def fullness(score: Mapping[str, Any]) -> tuple[int, int, int]:
  """What scores are compared by: images, codes, steps."""
  return score['num_images'], score['num_samples'], score.get('step', 0)


def read(
  folder: str | os.PathLike, split: str = 'test'
) -> list[dict[str, Any]]:
  """All scores of a split in a folder; a file that is no score is said."""
  found = []
  folder = pathlib.Path(folder)
  for file in sorted(
    [*folder.glob(f'{split}.json'), *folder.glob(f'{split}_*.json')]
  ):
    try:
      result = json.loads(file.read_text(encoding='utf-8'))
      if all(isinstance(result[name], int) for name in _NEEDED):
        found.append(result)
        continue
      error: object = f'its {" and ".join(_NEEDED)} must be integers'
    except (OSError, ValueError, KeyError, TypeError) as problem:
      error = problem
    console.warn(f'{file} is not a score and is passed over ({error!r}).')
  return found
