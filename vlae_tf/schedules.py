"""Learning rates as functions of the step."""

import keras
import tensorflow as tf


class HoldThenLinear(keras.optimizers.schedules.LearningRateSchedule):
  """A rate that is held, then falls linearly to zero at the last step."""

  def __init__(self, rate, hold_steps, total_steps):
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

  def __call__(self, step):
    left = self.total_steps - tf.cast(step, tf.float32)
    part = left / float(self.total_steps - self.hold_steps)
    return self.rate * tf.clip_by_value(part, 0.0, 1.0)

  def get_config(self):
    return dict(
      rate=self.rate,
      hold_steps=self.hold_steps,
      total_steps=self.total_steps,
    )


def create(config, total_steps):
  """The schedule (or constant) of a config's learning rate.

  Args:
    config: `Config`.
    total_steps: Steps of the whole run.

  Returns:
    What a Keras optimiser takes as `learning_rate`.
  """
  if config.learning_rate_schedule == 'constant' or total_steps == 0:
    return config.learning_rate
  hold = min(int(config.learning_rate_hold * total_steps), total_steps - 1)
  return HoldThenLinear(config.learning_rate, hold, total_steps)
