"""What one optimisation step does to weights, averages and counters."""

from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys
from hypothesis import example, given
from hypothesis import strategies as st

from vlae_tf import data as data_lib
from vlae_tf.training import gradients
from vlae_tf.training import state as training_state
from vlae_tf.training import step as train_step
from vlae_tf.training import trainer as trainer_lib

NO_FLOOR = dict(free_bits=0.0)
UNDER_FLOOR = dict(free_bits=9.0)
pytestmark = pytest.mark.usefixtures('all_eagerly')


def _state(config):
  state = training_state.TrainingState(config, (8, 8, 1), 100)
  state.initialize(next(iter(_batches(config))))
  return state


def _batches(config, images=None):
  images = toys.image_data().train if images is None else images
  return data_lib.training_batches(images, config.batch_size, config.seed)


def _step(config, state, **execution):
  strategy = tf.distribute.get_strategy()
  execution = train_step.Execution(**{'xla': 'none', **execution})
  return train_step.TrainStep(strategy, state, config, execution)


def _weights(state):
  return [v.numpy() for v in state.variables_to_check()]


def _gradient(config, state, **kwargs):
  batch = next(iter(_batches(config)))
  function = gradients.GlobalGradient(state.model, config, **kwargs)
  gradient, means = function(batch, tf.constant(0, tf.int64))
  return [g.numpy() for g in gradient], means.numpy()


def test_variables_receive_gradients():
  state = _state(toys.small_config(**NO_FLOOR))
  names = [v.path for v in state.model.trainable_variables]
  gradient, _ = _gradient(toys.small_config(**NO_FLOOR), state)
  assert not [n for n, g in zip(names, gradient) if not np.any(g)]


def test_the_flow_receives_no_gradient_under_the_floor():
  config = toys.small_config(**UNDER_FLOOR)
  state = _state(config)
  gradient, means = _gradient(config, state)
  assert means[1] < 9.0 * 64
  in_flow = ['made' in v.path for v in state.model.trainable_variables]
  assert any(in_flow)
  for flow, g in zip(in_flow, gradient):
    assert np.any(g) != flow


@pytest.mark.parametrize(
  'objective, changes, division',
  [
    ('free_bits', UNDER_FLOOR, {'microbatch': 2}),
    ('free_bits', UNDER_FLOOR, {'parts': 2}),
    # The floor is above the rate and below the distortion.
    ('free_bits', dict(free_bits=0.4), {'microbatch': 2}),
    ('iwae', NO_FLOOR, {'microbatch': 4, 'parts': 2}),
  ],
)
def test_parts_give_the_gradient_of_the_big_batch(changes, objective, division):
  config = toys.small_config(
    objective=objective, importance_samples=3, **changes
  )
  state = _state(config)
  whole, means = _gradient(config, state)
  parts, means_of_parts = _gradient(config, state, **division)
  np.testing.assert_allclose(means, means_of_parts, rtol=1e-5)
  norm = np.sqrt(sum(np.sum(g**2) for g in whole))
  for a, b in zip(whole, parts):
    np.testing.assert_allclose(a, b, atol=1e-5 * norm)


@pytest.mark.usefixtures('compiled')
def test_xla_and_parts_take_the_same_steps():
  results = []
  config = toys.small_config(**toys.SMALLEST, decoder='factorised')
  for changes in ({}, {'xla': 'auto', 'parts': 2}):
    with toys.functions_run_eagerly(not changes):
      state = _state(config)
      metrics = _step(config, state, **changes)(iter(_batches(config)), 3)
    results.append([float(metrics['loss']), *_weights(state)])
  for a, b in zip(*results):
    np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def test_a_step_clips_applies_and_averages():
  config = toys.small_config(gradient_clip_norm=3.0)
  state = _state(config)
  before = [v.numpy() for v in state.model.trainable_variables]
  gradient, _ = _gradient(config, state)
  metrics = _step(config, state)(iter(_batches(config)), 1)
  norm = np.sqrt(sum(np.sum(g**2) for g in gradient))
  assert float(metrics['gradient_norm']) == pytest.approx(norm, rel=1e-5)
  assert norm > 3.0
  reference = [keras.Variable(v) for v in before]
  optimizer = keras.optimizers.Adamax(config.learning_rate)
  optimizer.apply_gradients(
    [(tf.constant(g * 3.0 / norm), v) for g, v in zip(gradient, reference)]
  )
  pairs = zip(
    before,
    reference,
    state.model.trainable_variables,
    state.averages.trainable_variables,
  )
  for old, expected, new, average in pairs:
    np.testing.assert_allclose(new, expected, rtol=1e-4, atol=1e-6)
    # The first average has a decay of 1 / 11.
    new = new.numpy()
    np.testing.assert_allclose(average, old / 11 + new * 10 / 11, atol=1e-6)


@pytest.mark.usefixtures('compiled')  # Eagerly, images are checked.
def test_nan_in_the_data_skips_its_update_alone():
  config = toys.small_config(**toys.SMALLEST)
  state = _state(config)
  batches = list(_batches(config).take(3))
  bad = {**batches[1], 'image': batches[1]['image'] * np.nan}
  step = _step(config, state)
  metrics = step(iter(tf.data.Dataset.from_tensors(batches[0])), 1)
  assert float(metrics['skipped']) == 0
  before = _weights(state)
  metrics = step(iter(tf.data.Dataset.from_tensors(bad)), 1)
  after = _weights(state)
  changed = [not np.array_equal(a, b) for a, b in zip(before, after)]
  assert sum(changed) == 1  # The optimiser's step count.
  assert state.step == 2
  assert (metrics['skipped'], metrics['skipped_in_row']) == (1, 1)
  metrics = step(iter(tf.data.Dataset.from_tensors(batches[2])), 1)
  assert (metrics['skipped'], metrics['skipped_in_row']) == (1, 0)
  assert trainer_lib.are_finite(state.variables_to_check())


def test_nan_in_a_weight_skips_all_updates():
  config = toys.small_config()
  state = _state(config)
  weight = state.model.trainable_variables[0]
  weight.assign(weight.value * np.nan)
  metrics = _step(config, state)(iter(_batches(config)), 3)
  assert metrics['skipped_in_row'] == 3
  assert not trainer_lib.are_finite(state.variables_to_check())
  assert trainer_lib.are_finite(v.value for v in state.averages.variables)
  with pytest.raises(ValueError, match='3 updates in a row were not finite'):
    trainer_lib.check_skipped(3, 3, 3, lambda step: f'Step {step} is kept.')


def test_the_loss_scale_of_float16_adapts():
  guard = gradients.Guard(scale_loss=True)
  first = float(guard.loss_scale)
  guard.count(tf.constant(False))
  assert float(guard.loss_scale) == first / 2
  for _ in range(2000):
    guard.count(tf.constant(True))
  assert float(guard.loss_scale) == first


@given(st.booleans(), st.lists(st.booleans(), max_size=20))
@example(True, 20 * [True])
@example(True, 20 * [False])
@example(False, [False, *5 * [True]])
def test_a_guard_counts_and_scales_as_a_loop_would(scales, updates):
  scale = 2.0**12 if scales else 1.0
  skipped = in_row = good = 0
  with mock.patch.object(gradients, '_GROWTH_STEPS', 3):
    guard = gradients.Guard(scale_loss=scales)
    for is_good in updates:
      guard.count(tf.constant(is_good))
      skipped, in_row = skipped + (not is_good), 0 if is_good else in_row + 1
      good = good + 1 if is_good else 0
      if scales and not is_good:
        scale = max(1.0, scale / 2)
      if good == 3:
        good = 0
        scale = min(2.0**16, 2 * scale) if scales else scale
      found = guard.skipped, guard.skipped_in_row, guard.loss_scale
      assert tuple(map(float, found)) == (skipped, in_row, scale)


@pytest.mark.parametrize('precision', ['mixed_bfloat16', 'mixed_float16'])
def test_mixed_precision_takes_steps(precision):
  config = toys.small_config(precision=precision)
  metrics = _step(config, _state(config))(iter(_batches(config)), 2)
  assert float(metrics['skipped']) == 0


@pytest.mark.parametrize(
  'execution, replicas, message',
  [
    ({}, 3, '`batch_size` must be divisible .* got 8 for 3'),
    ({'parts': 3}, 1, '`parts` must divide the 8 images in memory, got 3'),
    ({'parts': 4, 'microbatch': 2}, 1, 'the 2 images in memory, got 4'),
    ({'microbatch': 3}, 2, '`microbatch` must divide the 4 images'),
    ({'xla': 'much'}, 1, '`xla` must be one of'),
  ],
)
def test_bad_executions_are_refused(execution, replicas, message):
  with pytest.raises(ValueError, match=message):
    train_step.Execution(**execution).check(toys.small_config(), replicas)


def test_balanced_groups_hold_everything_once_and_are_of_about_one_size():
  sizes = [410, 7, 300, 41, 409, 64, 2, 30]
  groups = gradients.balanced(sizes, 2)
  assert sorted([*groups[0], *groups[1]]) == list(range(len(sizes)))
  heavy, light = (sum(sizes[k] for k in group) for group in groups)
  assert abs(heavy - light) <= max(sizes)
  assert gradients.balanced([3, 2], 4) == [[0], [1]]  # None is empty.


@pytest.mark.usefixtures('compiled')
@pytest.mark.exhaustive('tests/test_fit.py fits too')
def test_plain_keras_fit_works():
  state = _state(toys.small_config(**toys.SMALLEST))
  state.model.compile(keras.optimizers.Adamax(0.01))
  images = (toys.image_data().train > 0.5).astype('float32')
  history = state.model.fit(images, epochs=3, batch_size=8, verbose=0).history
  assert history['loss'][-1] < history['loss'][0]
  assert history['rate_nats'][-1] > 0
