"""`metrics.jsonl`: the scalars of a run, one JSON object a line."""

import json
import math
import os
import pathlib
import time

from vlae_tf.runs import workdirs
from vlae_tf.training.callbacks import non_fatal
from vlae_tf.utils import files


class MetricsLog(non_fatal.Expendable):
  """Appends training and validation scalars, each with step and split."""

  # A run that goes on from a checkpoint first drops the lines beyond it, so
  # every step is there once. Numbers that are not finite become `null`.

  def __init__(self, workdir: str | os.PathLike):
    super().__init__(pathlib.Path(workdir) / workdirs.METRICS)

  def begin(self) -> None:
    first = self.params['initial']
    if not self.path.exists():
      return
    try:
      lines = self.path.read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError):
      self.set_aside()
      return
    kept = [line for line in lines if _step(line) <= first]
    if len(kept) < len(lines):
      files.write_text(self.path, ''.join(f'{line}\n' for line in kept))

  def look(self, step: int, values: dict[str, float]) -> None:
    self._append('train', step, values)

  def validated(self, step: int, values: dict[str, float]) -> None:
    self._append(self.curve, step, values)

  def _append(self, split, step, values):
    record = {'step': step, 'time': round(time.time(), 3), 'split': split}
    record |= {n: v if math.isfinite(v) else None for n, v in values.items()}
    with open(self.path, 'a', encoding='utf-8') as file:
      file.write(json.dumps(record) + '\n')


def _step(line):
  """The step of a line; one cut short by a crash is beyond all of them."""
  try:
    return json.loads(line)['step']
  except (ValueError, KeyError, TypeError):
    return math.inf
