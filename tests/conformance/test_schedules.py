"""Every learning rate is held at first and is never above its start."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from conformance import cases
from vlae_tf.models import schedules

_STEPS, _HOLD = 100, 50
each_schedule = cases.each(
  cases.of_each('learning_rate_schedule', learning_rate_hold=_HOLD / _STEPS)
)


def rates(case, total_steps=_STEPS):
  """The rate at each step, and beyond the last."""
  schedule = schedules.create(case, total_steps)
  steps = range(total_steps + 20)
  if not callable(schedule):
    return np.array([schedule for _ in steps])
  return np.array([float(schedule(step)) for step in steps])


@each_schedule
def test_rates_are_between_zero_and_the_first(case):
  found = rates(case)
  assert found[0] == pytest.approx(case.learning_rate)
  assert (found >= 0).all()
  assert (found <= found[0]).all()
  assert (found[: _HOLD + 1] == found[0]).all()


@each_schedule
def test_a_run_of_no_steps_has_a_rate(case):
  assert np.isfinite(rates(case, 0)).all()


@each_schedule
def test_the_optimiser_takes_them_in_a_graph(case):
  optimizer = keras.optimizers.Adamax(schedules.create(case, _STEPS))
  weight = keras.Variable(1.0)
  optimizer.build([weight])

  @tf.function
  def step():
    optimizer.apply([tf.constant(1.0)], [weight])
    return tf.convert_to_tensor(optimizer.learning_rate)

  # Adamax's first step is of the length of the rate.
  assert float(step()) == pytest.approx(case.learning_rate)
  assert float(weight.value) == pytest.approx(1 - case.learning_rate)
