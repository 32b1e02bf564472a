"""What a run's directory tells of a model: for its card, and for `config.json`.

| key | value |
|---|---|
| `dataset`, `train_on` | as in its config, but for the place of own images |
| `dataset_words` | what was registered of the data set |
| `data_sha256` | of the images that were trained on |
| `steps`, `batch_size` | how long, and how many images a step |
| `planned_epochs` | `max_epochs` of its config |
| `checkpoint` | 'last' or 'best' |
| `minutes` | of training as `metrics.jsonl` says, without pauses |
| `environment` | `environment.json` |
| `started_from` | `started_from.json`, of a run that did not start afresh |
| `scores` | of these very weights, the fullest of the test images first |
"""

import math
import os
from typing import Any

from vlae_tf.data import DATASETS
from vlae_tf.formats import description
from vlae_tf.runs import environment, history, scores, start_files, workdirs
from vlae_tf.utils import console

_SPLITS = ('test', 'validation', 'train')


def of_run(workdir: str | os.PathLike, run: workdirs.Run) -> dict[str, Any]:
  """The facts of a run; what its directory does not tell is left out."""
  name = run.config.dataset
  found = {
    'dataset': description.without_place(name),
    'dataset_words': DATASETS.description(name) if name in DATASETS else None,
    'train_on': run.config.train_on,
    'data_sha256': run.fingerprint,
    'steps': run.step,
    'planned_epochs': run.config.max_epochs,
    'batch_size': run.config.batch_size,
    'checkpoint': run.checkpoint,
    'minutes': _minutes(workdir),
    'environment': environment.read(workdir) or None,
    'started_from': start_files.read(workdir),
    'scores': _scores(workdir, run),
  }
  return {name: v for name, v in found.items() if v is not None}


def _minutes(workdir):
  """Time of training; `None` without a log."""
  lines = history.read(workdir)
  return round(history.minutes(lines), 1) if lines else None


def _scores(workdir, run):
  """Scores of the very weights, numbers that JSON has not as `None`."""
  own, others = [], 0
  for split in _SPLITS:
    found = scores.read(os.path.join(workdir, scores.FOLDER), split)
    mine = [score for score in found if _is_of(score, run)]
    others += len(found) - len(mine)
    own += sorted(mine, key=scores.fullness, reverse=True)
  if others:
    console.warn(
      f'{others} scores in {workdir} are of other weights than those of step '
      f'{run.step} ({run.checkpoint}) and are left out.'
    )
  # The data set is said once, and not by where it was.
  return [
    {k: _finite(v) for k, v in score.items() if k != 'dataset'} for score in own
  ]


def _is_of(score, run):
  same = score.get('checkpoint', run.checkpoint) == run.checkpoint
  return same and score.get('step') == run.step


def _finite(value):
  bad = isinstance(value, float) and not math.isfinite(value)
  return None if bad else value
