"""Every combination of parts that a config allows takes training steps."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from conformance import cases
from vlae_tf.training import state as training_state
from vlae_tf.training import step as train_step

_SHAPE = (8, 8, 1)
_FIELDS = ('decoder', 'prior', 'posterior')
_SMALL = dict(flow_steps=1, flow_units=3, decoder_units=2, batch_size=2)


def combinations():
  """Configs of every choice of parts, tied and not, that there may be."""
  names = [cases.registries()[field] for field in _FIELDS]
  rows = itertools.product(*names, (False, True))
  fields = [dict(zip((*_FIELDS, 'decoder_tied'), row)) for row in rows]
  allowed = [cases._if_allowed(_SMALL | row) for row in fields]
  return [case for case in allowed if case]


def batch(step):
  """An element of `training_batches`, of two images."""
  image = np.random.default_rng(step).integers(0, 2, (2, *_SHAPE))
  place = tf.range(2, dtype=tf.int64)
  return {
    'image': tf.constant(image, tf.float32),
    'step': tf.constant(step, tf.int64),
    'slot': place,
    'index': place,
  }


@pytest.fixture
def eagerly():
  """Lets functions run as they are: to trace them takes ten times as long."""
  tf.config.run_functions_eagerly(True)
  yield
  tf.config.run_functions_eagerly(False)


@pytest.mark.usefixtures('eagerly')
@cases.each(combinations())
def test_two_steps_are_taken(case):
  state = training_state.TrainingState(case, _SHAPE, 10)
  state.initialize(batch(0))
  step = train_step.TrainStep(
    tf.distribute.get_strategy(),
    state,
    case,
    train_step.Execution(xla='none'),
  )
  before = [w.numpy() for w in state.model.trainable_variables]
  iterator = map(batch, range(2))
  metrics = [step(iterator, 1) for _ in range(2)][-1]
  assert np.isfinite(float(metrics['loss']))
  assert (state.step, float(metrics['skipped'])) == (2, 0)
  moved = [
    (old != new.numpy()).any()
    for old, new in zip(before, state.model.trainable_variables)
  ]
  assert np.mean(moved) > 0.7


def test_every_choice_is_in_a_combination():
  found = combinations()
  for field in _FIELDS:
    names = set(cases.registries()[field])
    assert {getattr(case, field) for case in found} == names
  tied = {case.decoder for case in found if case.decoder_tied}
  # What the config refuses is these decoders alone.
  untied = {'gated_pixelcnn', 'grey_pixelcnn_pp', 'pixelcnn_pp'}
  assert set(cases.registries()['decoder']) - tied == untied
