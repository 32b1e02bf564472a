"""What a run started from, if not from fresh weights: `started_from.json`.

| key | value |
|---|---|
| `name` | of the run or of the shared model |
| `sha256` | of its weights, see `starts.fingerprint` |
| `about` | what is known of it, see `about`; of a chain of runs, nested |
"""

import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from vlae_tf.utils import files

NAME = 'started_from.json'
_NEEDED = {'name', 'sha256', 'about'}


def write(workdir: str | os.PathLike, told: Mapping[str, Any] | None) -> None:
  """Writes `started_from.json`, atomically; of fresh weights, there is none."""
  path = pathlib.Path(workdir) / NAME
  if told is None:
    path.unlink(missing_ok=True)
  else:
    files.write_text(path, json.dumps(told, indent=2) + '\n')


def read(workdir: str | os.PathLike) -> dict[str, Any] | None:
  """Reads `started_from.json`."""
  path = pathlib.Path(workdir) / NAME
  try:
    told = json.loads(path.read_text(encoding='utf-8'))
    if not isinstance(told, dict) or not told.keys() >= _NEEDED:
      raise ValueError(
        f'it must hold {", ".join(sorted(_NEEDED))}, got {told!r}'
      )
    return told
  except FileNotFoundError:
    return None
  except (OSError, ValueError) as error:
    raise ValueError(f'Cannot read {path}: {error}.') from error
