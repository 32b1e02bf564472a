"""The loop around the steps: what ends it, and what it tells."""

import json
import math
import os
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

from vlae_tf.distributions import reparameterized
from vlae_tf.evaluation import latents
from vlae_tf.runs import loading
from vlae_tf.training import callbacks
from vlae_tf.training import state as training_state
from vlae_tf.training import step as train_step
from vlae_tf.training import trainer as trainer_lib

# Functions run eagerly, and an epoch is one step: tracing takes the time.
pytestmark = pytest.mark.usefixtures('all_eagerly')
_WHOLE = dict(batch_size=48)


def _trainer(folder, changes=(), **kwargs):
  changes = {**toys.SMALLEST, 'validate_every_epochs': 0, **dict(changes)}
  return trainer_lib.Trainer(
    toys.small_config(**changes),
    toys.image_data(),
    folder,
    limits=trainer_lib.Limits(**kwargs),
    execution=train_step.Execution(xla='none'),
  )


def test_early_stopping_ends_the_run_for_good(tmp_path):
  # A rate of zero: no validation is better than the first.
  changes = dict(
    early_stopping_patience=2, learning_rate=0.0, validate_every_epochs=1
  )
  trainer = _trainer(tmp_path, changes | _WHOLE)
  assert trainer.run() == 'early stopping'
  assert trainer.step == 3
  again = _trainer(tmp_path, changes | _WHOLE)
  assert (again.resumed_from, again.run()) == (3, 'early stopping')
  assert again.step == 3


def test_a_run_that_cannot_go_on_keeps_its_last_good_weights(tmp_path):
  trainer = _trainer(tmp_path, max_steps=1)
  assert trainer.run() == 'max_steps'
  again = _trainer(tmp_path, max_steps=40, max_skipped_in_row=2)
  weight = again.model.trainable_variables[0]
  weight.assign(weight.value * np.nan)
  with pytest.raises(ValueError, match='updates in a row were not finite'):
    again.run()
  restored = loading.restore(tmp_path)
  assert restored.step == 1
  for a, b in zip(restored.model.weights, trainer.averages.weights):
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf])
def test_a_bound_that_is_not_finite_is_no_progress(value):
  patience = training_state.Patience(2, 'patience')
  assert patience.observe(-80.0)
  assert not patience.observe(value) and not patience.exhausted
  assert patience.observe(-79.0)
  assert not (patience.observe(value) or patience.observe(value))
  assert patience.exhausted


class _Spoil(keras.callbacks.Callback):
  """Makes every update after a step one to skip."""

  def __init__(self, step):
    super().__init__()
    self._step = step

  def on_train_begin(self, logs=None):
    self.on_train_batch_end(0)

  def on_train_batch_end(self, batch, logs=None):
    if batch == self._step:
      weight = self.model.trainable_variables[0]
      weight.assign(weight.value * np.nan)


@pytest.mark.parametrize(
  'last_good, words, steps',
  [
    (2, r'The checkpoint of step 2 is kept\.', [2, 5]),
    (0, r'There is no earlier checkpoint\.', [3]),
  ],
)
def test_skipped_updates_leave_the_last_good_checkpoint(
  tmp_path, monkeypatch, last_good, words, steps
):
  # As for large weights, which are finite and give a gradient of NaN.
  monkeypatch.setattr(trainer_lib, 'are_finite', lambda variables: True)
  trainer = _trainer(
    tmp_path,
    keep=1,
    max_skipped_in_row=4,
    checkpoint_every_steps=1,
    steps_per_call=1,
  )
  with pytest.raises(ValueError, match=f'4 updates in a row .*{words}'):
    trainer.run([_Spoil(last_good)])
  assert trainer._last.steps == steps


def test_weights_that_are_not_finite_are_not_saved(tmp_path, capsys):
  trainer = _trainer(tmp_path, max_steps=2, checkpoint_every_steps=1)
  weight = trainer.model.trainable_variables[0]
  weight.assign(weight.value * np.nan)
  with pytest.raises(ValueError, match=r'step 2 are not finite .* no earlier'):
    trainer.run()
  assert 'warning: The weights at step 1 are not' in capsys.readouterr().err


class _Looks(keras.callbacks.Callback):
  """Notes what callbacks see while a model trains."""

  def __init__(self):
    super().__init__()
    self.seen = []

  def on_train_batch_end(self, batch, logs=None):
    self.seen.append((batch, sorted(logs)))


@pytest.fixture(scope='module')
def validated(tmp_path_factory):
  """The directory of a run of two validations, and what callbacks saw."""
  folder = tmp_path_factory.mktemp('validated')
  looks = _Looks()
  changes = dict(validate_every_epochs=1, batch_size=16)
  _trainer(folder, changes, max_steps=6, steps_per_call=2).run([looks])
  return folder, looks.seen


def test_the_best_checkpoint_can_be_restored(validated):
  folder, _ = validated
  best = loading.restore(folder, 'best')
  assert best.step in (3, 6)
  assert (best.checkpoint, loading.restore(folder).checkpoint) == (
    'best',
    'last',
  )


def test_callbacks_see_every_look(validated):
  _, seen = validated
  assert [step for step, _ in seen] == [2, 3, 4, 6]
  assert {'elbo', 'rate', 'skipped', 'learning_rate'} <= set(seen[0][1])


class _Fails(keras.callbacks.Callback):
  """Fails at a step, as a metrics server may that is gone."""

  def __init__(self, step, method):
    super().__init__()
    self._step = step
    setattr(self, method, self._fail)

  def _fail(self, step, logs=None):
    if step == self._step:
      raise ConnectionError('gone')


@pytest.mark.parametrize('method', ['on_train_batch_end', 'on_epoch_end'])
def test_an_error_of_a_callback_loses_no_step(tmp_path, method):
  # Step 3 has a validation, which lowers the rate: it must not be left out.
  changes = dict(
    validate_every_epochs=1,
    batch_size=16,
    learning_rate_schedule='plateau',
    plateau_patience=1,
  )
  whole = _trainer(tmp_path / 'whole', changes, max_steps=6)
  whole.run()
  folder = tmp_path / 'failing'
  with pytest.raises(ConnectionError, match='gone'):
    _trainer(folder, changes, max_steps=6, steps_per_call=1).run(
      [_Fails(3, method)]
    )
  again = _trainer(folder, changes, max_steps=6)
  assert again.resumed_from == 3
  again.run()
  for a, b in zip(again.state.variables(), whole.state.variables()):
    np.testing.assert_array_equal(a.numpy(), b.numpy())


class _Hangs(keras.callbacks.Callback):
  """Closes the terminal, which tells the process twice."""

  def on_train_batch_end(self, step, logs=None):
    if step == 2:
      os.kill(os.getpid(), signal.SIGHUP)
      os.kill(os.getpid(), signal.SIGHUP)


@pytest.mark.parametrize('is_ignored', [False, True])
def test_a_closed_terminal_saves_unless_nohup_ignores_it(tmp_path, is_ignored):
  chosen = signal.SIG_IGN if is_ignored else signal.SIG_DFL
  before = signal.signal(signal.SIGHUP, chosen)
  try:
    trainer = _trainer(tmp_path, max_steps=4, steps_per_call=1)
    reason = trainer.run([_Hangs()])
    assert signal.getsignal(signal.SIGHUP) == chosen
  finally:
    signal.signal(signal.SIGHUP, before)
  expected = ('max_steps', 4) if is_ignored else ('SIGHUP', 2)
  assert (reason, loading.restore(tmp_path).step) == expected
  assert trainer.exit_status == (0 if is_ignored else 128 + signal.SIGHUP)


def test_images_that_are_trained_on_choose_no_best(tmp_path):
  changes = dict(validate_every_epochs=1, train_on='train+validation')
  trainer = _trainer(tmp_path, changes | _WHOLE, max_steps=1)
  log = callbacks.MetricsLog(tmp_path)
  trainer.run([log])
  assert log.curve == 'validation_trained_on'
  assert not (tmp_path / 'best').exists()


def test_a_start_that_fails_leaves_no_trace(tmp_path, monkeypatch):
  def fail(self, batch, start):
    raise RuntimeError('out of memory')

  monkeypatch.setattr(training_state.TrainingState, 'initialize', fail)
  with pytest.raises(RuntimeError):
    _trainer(tmp_path / 'run')
  assert not list(tmp_path.rglob('*.json'))


def test_a_batch_larger_than_the_data_is_refused(tmp_path, monkeypatch):
  monkeypatch.setattr(training_state, 'TrainingState', pytest.fail)
  with pytest.raises(
    ValueError, match='at most the 48 training images, got 49'
  ):
    _trainer(tmp_path / 'run', dict(batch_size=49))
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
  'name, value',
  [('max_minutes', math.nan), ('max_steps', -1), ('keep', -1)],
)
def test_limits_out_of_bounds_are_named(name, value):
  with pytest.raises(ValueError, match=f'`{name}` must be at least'):
    trainer_lib.Limits(**{name: value})


@pytest.mark.parametrize('xla', ['kernels', 'update', 'all'])
def test_what_is_not_compiled_is_refused(xla):
  with pytest.raises(ValueError, match=r'`xla` must be .* several replicas'):
    train_step.Execution(xla=xla).check(toys.small_config(), 2)


def test_rates_of_dimensions_sum_to_the_rate():
  model = toys.small_model((8, 8, 1))
  images = tf.round(toys.image_data().validation)
  q = model.posterior(images)
  z = q.sample(seed=1)
  rates = latents.rates_per_dimension(q, model.prior(), z)
  code = reparameterized.Draw(z, q.log_prob(z))
  total = model.terms(code, images).rate
  np.testing.assert_allclose(tf.reduce_sum(rates, 1), total, rtol=1e-4)


def test_noise_is_counted_to_the_code_it_became():
  """Near the identity, `eps[i]` is near `z[i]` whatever was reversed."""
  model = toys.small_model((8, 8, 1))
  for variable in model.prior.trainable_variables:
    variable.assign(0 * variable.value)
  images = tf.round(toys.image_data().validation)
  q = model.posterior(images)
  z = q.sample(seed=1)
  rates = latents.rates_per_dimension(q, model.prior(), z)
  expected = (
    0.5 * z**2
    - 0.5 * ((z - q.mean()) / q.stddev()) ** 2
    - tf.math.log(q.stddev())
  )
  np.testing.assert_allclose(rates, expected, rtol=1e-3, atol=1e-4)


def test_dimensions_in_use_are_those_with_a_rate_and_active_units_vary():
  variances = np.array([0.5, 0.001, 0.02])
  use = latents.CodeUse(np.array([0.7, 0.0, 0.01]), variances)
  assert (use.in_use, use.active_units) == (1, 2)
  assert latents.CodeUse(None, variances).in_use is None


@pytest.mark.parametrize(
  'rate, floor, words',
  [
    (0.01, 0.0, 'the latent has collapsed'),
    (7.9, 7.84, 'the rate is at its floor'),
    (12.0, 7.84, None),
    (2.0, 0.0, None),
  ],
)
def test_warnings_say_what_is_wrong(rate, floor, words):
  text = latents.warning(rate, floor)
  assert text is words or words in text


def test_warnings_wait_for_a_second_validation(capsys):
  watch = callbacks.CodeWatch(7.84)
  for step, rate in enumerate([7.8, 9.0, 7.8, 7.8, 7.8]):
    watch.on_epoch_end(step, {'val_rate': rate})
  (line,) = capsys.readouterr().err.splitlines()
  assert line.startswith('warning: step 3: the rate is at')


def test_metrics_beyond_the_resumed_step_are_dropped(tmp_path):
  def told(first, steps):
    log = callbacks.MetricsLog(tmp_path)
    log.set_params({'initial': first})
    log.on_train_begin()
    for step in steps:
      log.on_train_batch_end(step, {'elbo': -1.0, 'loss': math.nan})

  told(0, [1, 2, 3])
  with open(tmp_path / 'metrics.jsonl', 'a', encoding='utf-8') as file:
    file.write('{"step": 4, "sp')
  told(2, [3, 4])
  lines = (tmp_path / 'metrics.jsonl').read_text(encoding='utf-8').splitlines()
  records = [json.loads(line) for line in lines]
  assert [r['step'] for r in records] == [1, 2, 3, 4]
  assert records[0]['loss'] is None and records[0]['elbo'] == -1.0


def test_size_counts_the_weights():
  model = toys.small_model((8, 8, 1), **toys.SMALLEST)
  text = trainer_lib.describe_size(model, 8)
  count = sum(math.prod(v.shape) for v in model.trainable_variables)
  assert text.startswith(f'{count:,} parameters; estimated memory per device: ')
