"""Learning rates as functions of the step, and of how validation goes.

#### References

[1]: Ilya Loshchilov, Frank Hutter. SGDR: Stochastic Gradient Descent with Warm
     Restarts. In _International Conference on Learning Representations_, 2017.
     https://arxiv.org/abs/1608.03983
"""

import math
from typing import Any

import keras
import tensorflow as tf

from vlae_tf.utils import registry, serialization

SCHEDULES = registry.Registry('learning_rate_schedule')


@serialization.register
class HoldThenLinear(keras.optimizers.schedules.LearningRateSchedule):
  """A rate that is held, then falls linearly to zero at the last step.

  >>> rate = HoldThenLinear(0.5, hold_steps=10, total_steps=20)
  >>> [float(rate(step)) for step in (0, 10, 15, 20)]
  [0.5, 0.5, 0.25, 0.0]
  """

  def __init__(self, rate: float, hold_steps: int, total_steps: int):
    """Creates the schedule.

    Args:
      rate: The rate that is held.
      hold_steps: Steps before it falls.
      total_steps: Step at which it is zero, more than `hold_steps`.
    """
    if not 0 <= hold_steps < total_steps:
      raise ValueError(
        f'`hold_steps` must be in [0, {total_steps}), got {hold_steps}.'
      )
    self.rate = rate
    self.hold_steps = hold_steps
    self.total_steps = total_steps

  def part_left(self, step: int | tf.Tensor) -> tf.Tensor:
    """What is left of the descent, from 1 before it to 0 at its end."""
    left = self.total_steps - tf.cast(step, tf.float32)
    part = left / float(self.total_steps - self.hold_steps)
    return tf.clip_by_value(part, 0.0, 1.0)

  def __call__(self, step):
    return self.rate * self.part_left(step)

  def get_config(self):
    return dict(
      rate=self.rate,
      hold_steps=self.hold_steps,
      total_steps=self.total_steps,
    )


@serialization.register
class HoldThenCosine(HoldThenLinear):
  """A rate that is held, then falls to zero along half a cosine [1]."""

  def __call__(self, step):
    part = self.part_left(step)
    return self.rate * 0.5 * (1.0 - tf.cos(math.pi * part))


@serialization.register
class HalveOnPlateau(keras.optimizers.schedules.LearningRateSchedule):
  """A rate that is halved whenever validation stops getting better."""

  def __init__(self, rate: float):
    """Creates the schedule and its one variable.

    Args:
      rate: The rate at first.
    """
    self.rate = rate
    self.factor = keras.Variable(
      1.0, trainable=False, dtype='float32', name='factor'
    )
    self.variables = (self.factor,)

  def __call__(self, step):
    del step
    return self.rate * self.factor.value

  def halve(self) -> None:
    """Halves the rate from now on."""
    self.factor.assign(0.5 * self.factor.value)

  def get_config(self):
    return dict(rate=self.rate)


@serialization.register
class WarmedUp(keras.optimizers.schedules.LearningRateSchedule):
  """Another schedule's rate, times a factor that grows linearly to 1.

  >>> rate = WarmedUp(HoldThenLinear(0.5, 10, 20), num_steps=4)
  >>> [float(rate(step)) for step in (0, 1, 3, 10, 15)]
  [0.125, 0.25, 0.5, 0.5, 0.25]
  """

  def __init__(self, schedule: Any, num_steps: int):
    """Creates the schedule.

    Args:
      schedule: Schedule or constant rate.
      num_steps: Steps before the factor is 1, at least 1.
    """
    self.schedule = schedule
    self.num_steps = num_steps

  def __call__(self, step):
    schedule = self.schedule
    rate = schedule(step) if callable(schedule) else schedule
    part = (tf.cast(step, tf.float32) + 1.0) / float(self.num_steps)
    return rate * tf.minimum(part, 1.0)

  def get_config(self):
    schedule = keras.saving.serialize_keras_object(self.schedule)
    return dict(schedule=schedule, num_steps=self.num_steps)

  @classmethod
  def from_config(cls, config):
    schedule = keras.saving.deserialize_keras_object(config['schedule'])
    return cls(schedule, config['num_steps'])


@SCHEDULES.register('constant', 'the same at all steps')
def _constant(config, total_steps):
  del total_steps
  return config.learning_rate


def _descent(schedule, config, total_steps):
  """A rate that is held for a part of the run; of no step, a constant."""
  if total_steps == 0:
    return config.learning_rate
  hold = min(int(config.learning_rate_hold * total_steps), total_steps - 1)
  return schedule(config.learning_rate, hold, total_steps)


@SCHEDULES.register('linear', 'held, then linearly down to zero')
def _linear(config, total_steps):
  return _descent(HoldThenLinear, config, total_steps)


@SCHEDULES.register('cosine', 'held, then down to zero along a cosine')
def _cosine(config, total_steps):
  return _descent(HoldThenCosine, config, total_steps)


@SCHEDULES.register('plateau', 'halved when validation stops getting better')
def _plateau(config, total_steps):
  del total_steps
  return HalveOnPlateau(config.learning_rate)


def create(
  config: Any, total_steps: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
  """The schedule (or constant) of a config's learning rate."""
  return SCHEDULES[config.learning_rate_schedule](config, total_steps)


def warmed_up(
  schedule: float | keras.optimizers.schedules.LearningRateSchedule,
  num_steps: int,
) -> float | keras.optimizers.schedules.LearningRateSchedule:
  """A schedule (or constant) that starts low, see `WarmedUp`."""
  return WarmedUp(schedule, num_steps) if num_steps else schedule
