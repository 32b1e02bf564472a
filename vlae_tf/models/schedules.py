"""Learning-rate schedules.

#### References

[1]: Loshchilov and Hutter. SGDR: Stochastic Gradient Descent with Warm
     Restarts. ICLR 2017, arXiv:1608.03983.
"""

import functools
import math
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from vlae_tf.models.config import Config, SCHEDULES
from vlae_tf.utils import fields, serialization

Rate: TypeAlias = float | keras.optimizers.schedules.LearningRateSchedule


@serialization.register
class HoldThenLinear(keras.optimizers.schedules.LearningRateSchedule):
  """A constant learning rate, then linear decay to zero at the last step.

  >>> rate = HoldThenLinear(0.5, hold_steps=10, total_steps=20)
  >>> [float(rate(step)) for step in (0, 10, 15, 20)]
  [0.5, 0.5, 0.25, 0.0]
  """

  def __init__(self, rate: float, hold_steps: int, total_steps: int):
    fits = 0 <= hold_steps < total_steps
    fields.check('hold_steps', hold_steps, fits, f'in [0, {total_steps})')
    self.rate, self.hold_steps = rate, hold_steps
    self.total_steps = total_steps

  def part_left(self, step: int | tf.Tensor) -> tf.Tensor:
    """Remaining fraction of the decay, from 1 before it to 0 at its end."""
    left = self.total_steps - tf.cast(step, tf.float32)
    part = left / float(self.total_steps - self.hold_steps)
    return tf.clip_by_value(part, 0.0, 1.0)

  def __call__(self, step):
    return self.rate * self.part_left(step)


@serialization.register
class HoldThenCosine(HoldThenLinear):
  """A constant learning rate, then cosine decay to zero [1]."""

  def __call__(self, step):
    part = self.part_left(step)
    return self.rate * 0.5 * (1.0 - tf.cos(math.pi * part))


@serialization.register
class HalveOnPlateau(keras.optimizers.schedules.LearningRateSchedule):
  """A learning rate that is halved whenever validation stops improving."""

  def __init__(self, rate: float):
    self.rate = rate
    self.factor = keras.Variable(
      1.0, trainable=False, dtype='float32', name='factor'
    )
    self.variables = (self.factor,)

  def __call__(self, step):
    return self.rate * self.factor.value

  def halve(self) -> None:
    """Halves the rate from now on."""
    self.factor.assign(0.5 * self.factor.value)


@serialization.register
class WarmedUp(keras.optimizers.schedules.LearningRateSchedule):
  """The rate of another schedule, times a factor that grows linearly to 1.

  >>> rate = WarmedUp(HoldThenLinear(0.5, 10, 20), num_steps=4)
  >>> [float(rate(step)) for step in (0, 1, 3, 10, 15)]
  [0.125, 0.25, 0.5, 0.5, 0.25]

  The schedule may be a constant; the factor is 1 after `num_steps`, at least 1.
  """

  def __init__(self, schedule: Any, num_steps: int):
    self.schedule, self.num_steps = schedule, num_steps

  def __call__(self, step):
    schedule = self.schedule
    rate = schedule(step) if callable(schedule) else schedule
    part = (tf.cast(step, tf.float32) + 1.0) / float(self.num_steps)
    return rate * tf.minimum(part, 1.0)


def _descent(schedule, config, total_steps):
  if total_steps == 0:
    return config.learning_rate
  hold = min(int(config.learning_rate_hold * total_steps), total_steps - 1)
  return schedule(config.learning_rate, hold, total_steps)


SCHEDULES.register('constant', 'constant')(
  lambda config, total_steps: config.learning_rate
)
SCHEDULES.register('linear', 'constant, then linear decay to zero')(
  functools.partial(_descent, HoldThenLinear)
)
SCHEDULES.register('cosine', 'constant, then cosine decay to zero')(
  functools.partial(_descent, HoldThenCosine)
)
SCHEDULES.register('plateau', 'halved when validation stops improving')(
  lambda config, total_steps: HalveOnPlateau(config.learning_rate)
)


def create(config: Config, total_steps: int) -> Rate:
  """The schedule of a config, or its constant learning rate; no warm-up."""
  return SCHEDULES[config.learning_rate_schedule](config, total_steps)


def warmed_up(schedule: Rate, num_steps: int) -> Rate:
  """A schedule or constant after a warm-up of some steps, which may be 0."""
  return WarmedUp(schedule, num_steps) if num_steps else schedule
