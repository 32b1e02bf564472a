"""What a run is computed with: `environment.json`.

Where that changes, a run that goes on is the same up to rounding and no longer
to the bit.
"""

import importlib.metadata
import json
import os
import pathlib
import platform
import subprocess
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from vlae_tf.utils import console, files

NAME = 'environment.json'
_PACKAGES = ('tensorflow', 'keras', 'tensorflow-probability', 'numpy')


def describe(execution: Mapping[str, Any]) -> dict[str, Any]:
  """Versions and devices of this process."""
  gpus = tf.config.list_physical_devices('GPU')
  details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
  return {
    'python': platform.python_version(),
    **{name: importlib.metadata.version(name) for name in _PACKAGES},
    **({'git_commit': commit} if (commit := _git_commit()) else {}),
    'processor': platform.machine(),
    **({'cpu': cpu} if (cpu := _cpu()) else {}),
    'gpus': [d.get('device_name', 'unknown') for d in details],
    **execution,
  }


def note(workdir: str | os.PathLike, here: Mapping[str, Any]) -> None:
  """Writes the environment of a run, and says how it has changed."""
  path = pathlib.Path(workdir) / NAME
  there = read(workdir)
  changes = [
    f'{name} was {there[name]}, is {here[name]}'
    for name in here
    if name in there and there[name] != here[name]
    # Most commits compute the same.
    if name != 'git_commit'
  ]
  if changes:
    console.warn(
      f'{workdir} was trained elsewhere before ({"; ".join(changes)}): it goes '
      'on as it would have there up to rounding, not to the bit.'
    )
  if there != here:
    files.write_text(path, json.dumps(here, indent=2) + '\n')


def read(workdir: str | os.PathLike) -> dict[str, Any]:
  """What the file of a run says; nothing, if there is no such file."""
  path = pathlib.Path(workdir) / NAME
  try:
    there = json.loads(path.read_text(encoding='utf-8'))
  except (OSError, ValueError):
    return {}
  return there if isinstance(there, dict) else {}


def _cpu():
  """What the processor is called, where Linux says so; else `None`."""
  try:
    lines = pathlib.Path('/proc/cpuinfo').read_text('utf-8').splitlines()
  except (OSError, ValueError):
    return None
  names = [
    line.partition(':')[2].strip()
    for line in lines
    if line.startswith('model name')
  ]
  return names[0] if names else None


def _git_commit():
  """The commit of a checkout, '-dirty' if files differ; else `None`."""
  folder = pathlib.Path(__file__).parent
  try:
    # An environment inside somebody else's repository is none of its files.
    subprocess.run(
      ['git', 'ls-files', '--error-unmatch', pathlib.Path(__file__).name],
      cwd=folder,
      check=True,
      capture_output=True,
    )
    return subprocess.check_output(
      ['git', 'describe', '--always', '--dirty', '--abbrev=40', '--exclude=*'],
      cwd=folder,
      text=True,
      stderr=subprocess.DEVNULL,
    ).strip()
  except (OSError, subprocess.SubprocessError):
    return None
