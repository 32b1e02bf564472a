"""What the log of a run, `metrics.jsonl`, says of its training."""

import itertools
import json
import os
import pathlib
import statistics
from typing import Any, NamedTuple

from vlae_tf.runs import workdirs

# A gap between lines is a pause if it is longer than both.
_PAUSE_S, _PAUSE_OF_MEDIAN = 300.0, 10.0


class Point(NamedTuple):
  """A point of a learning curve: a step, and means in nats an image."""

  step: int
  elbo: float
  rate: float


def read(workdir: str | os.PathLike) -> list[dict[str, Any]]:
  """Reads the lines of a log; one that is cut short is passed over."""
  path = pathlib.Path(workdir) / workdirs.METRICS
  try:
    text = path.read_text(encoding='utf-8')
  except (OSError, ValueError):
    return []
  return [line for line in map(_parsed, text.splitlines()) if line]


def minutes(lines: list[dict[str, Any]]) -> float:
  """Time between the lines of a log without pauses."""
  # A gap of more than five minutes that is longer than ten times the median is
  # a pause: a run that was stopped and goes on does not count what was between.
  times = [line['time'] for line in lines]
  gaps = [after - before for before, after in itertools.pairwise(times)]
  if not gaps:
    return 0.0
  longest = max(_PAUSE_S, _PAUSE_OF_MEDIAN * statistics.median(gaps))
  return sum(gap for gap in gaps if gap <= longest) / 60


def curve(lines: list[dict[str, Any]], split: str) -> list[Point]:
  """The bound and its rate over the steps."""
  return [
    Point(line['step'], line['elbo'], line['rate'])
    for line in lines
    if line.get('split') == split
    and None not in (line.get('elbo'), line.get('rate'))
  ]


def _parsed(text):
  try:
    line = json.loads(text)
    float(line['time']), int(line['step'])
    return line
  except (ValueError, LookupError, TypeError):
    return None
