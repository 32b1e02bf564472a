"""Scores of a run, a file for each way to have them: `eval/SPLIT_....json`."""

import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from vlae_tf.utils import files, notices

FOLDER = 'eval'
_NEEDED = ('num_images', 'num_samples')


def path(workdir: str | os.PathLike, settings: Mapping[str, Any]) -> str:
  """Where a score belongs, which another one of the same settings replaces.

  Args:
    workdir: Path of the run's directory.
    settings: Dictionary with `split`, `num_images`, `num_samples`, `seed` and
      `checkpoint`; `spread` of images from all over the split.

  Returns:
    A path such as `eval/test_8070_images_128_codes.json` in the directory; a
    seed that is not 0 and a checkpoint that is not the last are named, too.
  """
  name = (
    f'{settings["split"]}_{settings["num_images"]}_images_'
    f'{settings["num_samples"]}_codes'
  )
  if settings.get('spread'):
    name += '_spread'
  return _path(workdir, name, settings)


def write(workdir: str | os.PathLike, result: Mapping[str, Any]) -> str:
  """Writes a score to its `path`.

  Args:
    workdir: Path of the run's directory.
    result: Dictionary of JSON's types with what `path` asks for.

  Returns:
    Path of the file.

  Raises:
    ValueError: The path cannot be written.
  """
  file = path(workdir, result)
  write_to(file, result)
  return file


def write_to(file: str | os.PathLike, result: Mapping[str, Any]) -> None:
  """Writes what was found to a JSON file, in one step.

  Args:
    file: Path of the file.
    result: Dictionary of JSON's types.

  Raises:
    ValueError: The path cannot be written.
  """
  files.write_text(file, json.dumps(result, indent=2) + '\n')


def anomaly_path(
  workdir: str | os.PathLike, settings: Mapping[str, Any]
) -> str:
  """Where the separation from other images belongs.

  Args:
    workdir: Path of the run's directory.
    settings: Dictionary with `against`, `num_images`, `num_others`,
      `num_samples`, `background`, `seed` and `checkpoint`.

  Returns:
    A path such as `eval/anomaly_digits_300_and_300_images_16_codes.json` in
    the directory; a background model is named, and what `write` names.
  """
  name = (
    f'anomaly_{settings["against"]}_{settings["num_images"]}_and_'
    f'{settings["num_others"]}_images_{settings["num_samples"]}_codes'
  )
  if settings['background']:
    name += f'_over_{settings["background"]}'
  return _path(workdir, name, settings)


def probe_path(workdir: str | os.PathLike, settings: Mapping[str, Any]) -> str:
  """Where what a probe found belongs.

  Args:
    workdir: Path of the run's directory.
    settings: Dictionary with `num_train`, `num_labels`, `repeats`, `baseline`,
      `seed` and `checkpoint`.

  Returns:
    A path such as `eval/probe_1297_images_100_1000_1297_labels_5_draws.json` in
    the directory; a baseline is named, and what `write` names.
  """
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
  """The score of most images, of these that of most codes, then most steps.

  Args:
    workdir: Path of the run's directory.
    split: Name of the images that were scored.

  Returns:
    A dictionary as it was written, or `None` if there is none.
  """
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
  """All scores of a split in a folder; a file that is no score is said.

  Args:
    folder: Path; `test.json`, as version 0.1.0 wrote, is a score as well.
    split: Name of the images that were scored.

  Returns:
    A list of dictionaries in the order of the files' names.
  """
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
    notices.warn(f'{file} is not a score and is passed over ({error!r}).')
  return found
