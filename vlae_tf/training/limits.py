"""What ends or interrupts the computing of a run."""

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Limits:
  """What a run does besides computing; none of it changes a weight."""

  max_steps: int | None = None  # Step to stop at, or `None`.
  max_minutes: float | None = None  # Minutes to stop after, or `None`.
  checkpoint_every_steps: int = 1000  # Steps between checkpoints.
  # How many of the last checkpoints to keep, besides the best one.
  keep: int = 2
  # Steps between two looks at the clock and the metrics.
  steps_per_call: int = 10
  # Updates in a row that may be skipped as not finite.
  max_skipped_in_row: int = 20

  def __post_init__(self):
    least = {f.name: 1 for f in dataclasses.fields(self)}
    least |= {'max_steps': 0, 'max_minutes': 0}
    for name, bound in least.items():
      value = getattr(self, name)
      # Written so that NaN, which fails every comparison, is caught as well.
      if value is not None and not bound <= value < math.inf:
        raise ValueError(
          f'`{name}` must be at least {bound} and finite, got {value!r}.'
        )

  def next_stop(self, step: int, validation_period: int) -> int:
    """The next step at which the host has something to do."""
    periods = [
      self.steps_per_call,
      self.checkpoint_every_steps,
      validation_period,
    ]
    return min((step // p + 1) * p for p in periods if p)
