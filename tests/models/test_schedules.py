"""Learning rates against their formulas, and patience."""

import math

import keras
import numpy as np
import pytest
import toys

from vlae_tf.models import schedules
from vlae_tf.training import state as training_state


def _rates(name, steps, total=100):
  config = toys.small_config(learning_rate_schedule=name, learning_rate=0.01)
  schedule = schedules.create(config, total)
  if not callable(schedule):
    return [schedule for _ in steps]
  return [float(schedule(step)) for step in steps]


STEPS = (0, 49, 50, 75, 90, 100, 120)


@pytest.mark.parametrize(
  'name, parts',
  [
    ('constant', [1.0] * 7),
    ('plateau', [1.0] * 7),
    ('linear', [1, 1, 1, 0.5, 0.2, 0, 0]),
    (
      'cosine',
      [1, 1, 1, 0.5, 0.5 * (1 - math.cos(0.2 * math.pi)), 0, 0],
    ),
  ],
)
def test_rates_follow_their_formula(name, parts):
  np.testing.assert_allclose(
    _rates(name, STEPS), 0.01 * np.array(parts), rtol=1e-5, atol=1e-9
  )


def test_patience_counts_validations_without_progress():
  patience = training_state.Patience(2, 'test')
  seen = [
    (patience.observe(value), patience.exhausted)
    for value in (-3.0, -2.0, -2.0, float('nan'), -1.0)
  ]
  assert seen == [
    (True, False),
    (True, False),
    (False, False),
    (False, True),
    (True, False),
  ]
  assert float(patience.best.value) == -1.0


def test_no_limit_is_never_exhausted():
  patience = training_state.Patience(0, 'test')
  for _ in range(9):
    patience.observe(-1.0)
  assert not patience.exhausted


def test_a_plateau_halves_the_rate_and_counts_afresh():
  config = toys.small_config(
    learning_rate_schedule='plateau', learning_rate=0.01, plateau_patience=2
  )
  state = training_state.TrainingState(config, (8, 8, 1), 100)
  rates = []
  for elbo in (-5.0, -6.0, -6.0, -6.0, -6.0, -4.0):
    state.observe_validation(elbo)
    rates.append(float(state.optimizer.learning_rate))
  np.testing.assert_allclose(
    rates, [0.01, 0.01, 0.005, 0.005, 0.0025, 0.0025], rtol=1e-6
  )


@pytest.mark.parametrize('name', ['constant', 'linear', 'plateau'])
def test_a_warm_up_grows_to_the_rate_itself(name):
  steps = (0, 1, 4, 9, 10, *STEPS)
  config = toys.small_config(learning_rate_schedule=name, learning_rate=0.01)
  warm = schedules.warmed_up(schedules.create(config, 100), 10)
  parts = [min(1.0, (step + 1) / 10) for step in steps]
  expected = np.array(parts) * _rates(name, steps)
  found = [float(warm(step)) for step in steps]
  np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_warm_up_of_no_steps_is_none():
  assert schedules.warmed_up(0.01, 0) == 0.01


def test_a_warm_up_is_saved_with_the_optimiser():
  config = toys.small_config(learning_rate_schedule='linear')
  warm = schedules.warmed_up(schedules.create(config, 100), 10)
  saved = keras.saving.serialize_keras_object(warm)
  again = keras.saving.deserialize_keras_object(saved)
  for step in STEPS:
    assert float(again(step)) == float(warm(step))


def test_a_plateau_halves_a_rate_that_warms_up():
  config = toys.small_config(
    learning_rate_schedule='plateau',
    learning_rate=0.01,
    learning_rate_warmup_steps=4,
    plateau_patience=1,
  )
  state = training_state.TrainingState(config, (8, 8, 1), 100)
  rates = []
  for _ in range(3):
    state.observe_validation(-5.0)
    rates.append(float(state.optimizer.learning_rate))
  np.testing.assert_allclose(rates, [0.0025, 0.00125, 0.000625], rtol=1e-6)


def test_a_bad_descent_is_refused():
  with pytest.raises(ValueError, match='`hold_steps` must be in'):
    schedules.HoldThenLinear(0.1, 10, 10)
