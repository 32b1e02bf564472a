"""What ends or interrupts the computing of a run."""

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Limits:
  """What a run does besides computing; none of it changes a weight.

  Attributes:
    max_steps: Step to stop at, or `None`.
    max_minutes: Minutes to stop after, or `None`.
    checkpoint_every_steps: Steps between checkpoints.
    keep: How many of the last checkpoints to keep, besides the best one.
    steps_per_call: Steps between two looks at the clock and the metrics.
    max_skipped_in_row: Updates in a row that may be skipped as not finite.

  Raises:
    ValueError: One of them is out of its bounds.
  """

  max_steps: int | None = None
  max_minutes: float | None = None
  checkpoint_every_steps: int = 1000
  keep: int = 2
  steps_per_call: int = 10
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
    """The next step at which the host has something to do.

    Args:
      step: The step reached.
      validation_period: Steps between validations; 0 for none.

    Returns:
      A step.
    """
    periods = [
      self.steps_per_call,
      self.checkpoint_every_steps,
      validation_period,
    ]
    return min((step // p + 1) * p for p in periods if p)
