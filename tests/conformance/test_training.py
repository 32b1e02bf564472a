"""Every pair of parts that a config allows takes a training step."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from conformance import cases
from vlae_tf.training import state as training_state
from vlae_tf.training import step as train_step

_FIELDS = ('encoder', 'prior', 'posterior', 'decoder', 'pixel_distribution')
_SMALL = dict(flow_steps=1, flow_units=3, decoder_units=2, batch_size=2)


def combinations():
  """Every pair of parts in one config; all configs in the exhaustive tier."""
  found = cases.pairwise(*_FIELDS, **_SMALL)
  more = set(cases.products(*_FIELDS[1:4], **_SMALL)) - set(found)
  mark = pytest.mark.exhaustive('all combinations of parts')
  slow = sorted(more, key=cases.label)
  return [*found, *(pytest.param(case, marks=mark) for case in slow)]


def batch(step):
  """An element of `training_batches`, of two images."""
  image = np.random.default_rng(step).integers(0, 2, (2, *cases.IMAGE_SHAPE))
  place = tf.range(2, dtype=tf.int64)
  return {
    'image': tf.constant(image, tf.float32),
    'step': tf.constant(step, tf.int64),
    'slot': place,
    'index': place,
  }


@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize('case', combinations(), ids=cases.label)
def test_a_step_is_taken(case):
  state = training_state.TrainingState(case, cases.IMAGE_SHAPE, 10)
  state.initialize(batch(0))
  step = train_step.TrainStep(
    tf.distribute.get_strategy(),
    state,
    case,
    train_step.Execution(xla='none'),
  )
  before = [w.numpy() for w in state.model.trainable_variables]
  metrics = step(map(batch, range(1)), 1)
  assert np.isfinite(float(metrics['loss']))
  assert (state.step, float(metrics['skipped'])) == (1, 0)
  moved = [
    (old != new.numpy()).any()
    for old, new in zip(before, state.model.trainable_variables)
  ]
  assert np.mean(moved) > 0.7


def test_every_choice_is_in_a_pairwise_combination():
  names = cases.registries()
  found = cases.pairwise(*_FIELDS)
  for field in _FIELDS:
    assert {getattr(case, field) for case in found} == set(names[field])
  tied = {case.decoder for case in found if case.decoder_tied}
  # The config refuses to tie these decoders alone.
  untied = {'gated_pixelcnn', 'grey_pixelcnn_pp', 'pixelcnn_pp'}
  assert set(names['decoder']) - tied == untied


def test_pairs_that_are_allowed_are_covered():
  pairs = [
    {tuple((f, getattr(case, f)) for f in two) for case in rows}
    for two in itertools.combinations(_FIELDS, 2)
    for rows in (cases.products(*_FIELDS), cases.pairwise(*_FIELDS))
  ]
  assert pairs[::2] == pairs[1::2]
