"""Networks in sixteen bits are near those in thirty-two; laws have no less."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from conformance import cases, test_keras_layers
from vlae_tf import from_pretrained
from vlae_tf.training import state as training_state

pytestmark = pytest.mark.usefixtures('all_eagerly')


@cases.each_model
def test_sixteen_bits_are_near_thirty_two(case):
  model = cases.fresh_model(case)
  image = cases.images(case, 2, *cases.IMAGE_SHAPE)
  noise = cases.noise(model, 2)
  exact = model(image, noise)
  for policy in ('mixed_bfloat16', 'mixed_float16'):
    training_state.apply_precision(model, policy)
    rounded = model(image, noise)
    check_laws_are_float32(model, image)
    assert any(exact.distortion != rounded.distortion)
    for a, b in zip(exact, rounded):
      assert b.dtype == tf.float32
      np.testing.assert_allclose(a, b, rtol=0.02, atol=0.2)


def check_laws_are_float32(model, image):
  """Checks the laws' numbers and the weights of a model."""
  codes = tf.zeros([len(image), *model.event_shape])
  laws = model.posterior(image), model.prior(), model.likelihood(codes)
  assert {law.dtype for law in laws} == {tf.float32}
  assert {w.dtype for w in model.trainable_variables} == {'float32'}


# Tolerances: some neighbouring numbers of the least precise arithmetic.
_POLICIES = {
  'float64': 1e-5,
  'float16': 0.05,
  'mixed_float16': 0.05,
  'bfloat16': 0.2,
  'mixed_bfloat16': 0.2,
}


@pytest.fixture
def global_policy():
  """Sets the policy of all layers for one test."""
  before = keras.config.dtype_policy()
  yield keras.config.set_dtype_policy
  keras.config.set_dtype_policy(before)


def _layers():
  """Layers, their arguments, and shapes of their inputs."""
  for kind, (arguments, shape, _) in test_keras_layers._OF_ONE.items():
    yield kind, arguments, [shape]
  for kind, (arguments, maps) in test_keras_layers._OF_TWO.items():
    shapes = test_keras_layers.pair(maps).values()
    yield kind, arguments, list(shapes)


def _policies():
  """Policies; those of other sixteen bits in the exhaustive tier."""
  mark = pytest.mark.exhaustive('other sixteen bits')
  usual = ('float64', 'float16', 'mixed_float16')
  return [p if p in usual else pytest.param(p, marks=mark) for p in _POLICIES]


@pytest.mark.parametrize('policy', _policies())
def test_layers_compute_in_the_global_policy(global_policy, policy):
  rng = np.random.default_rng(0)
  for kind, arguments, shapes in _layers():
    inputs = [rng.random(shape, 'float32') for shape in shapes]
    global_policy('float32')
    exact = kind(**arguments)
    expected = exact(*map(tf.constant, inputs))
    global_policy(policy)
    layer = kind(**arguments)
    found = layer(*map(tf.constant, inputs))
    for a, b in zip(layer.variables, exact.variables, strict=True):
      a.assign(tf.cast(b, a.dtype))
      assert a.dtype == layer.variable_dtype
    found = layer(*map(tf.constant, inputs))
    assert found.dtype.name == layer.compute_dtype, kind
    np.testing.assert_allclose(
      tf.cast(found, 'float32'), expected, rtol=0, atol=_POLICIES[policy]
    )


@pytest.mark.parametrize('policy', _POLICIES)
def test_distributions_refuse_another_global_policy(global_policy, policy):
  """They would sum pixels in sixteen bits, or draw noise of another type."""
  global_policy(policy)
  for make in (
    lambda: cases.fresh_model(cases.config()),
    lambda: from_pretrained('digits'),
  ):
    with pytest.raises(ValueError, match=r'`dtype` must be float32 .*precis'):
      make()


def test_a_model_computes_alike_under_another_floatx():
  case = cases.config(prior='gaussian', decoder='factorised')
  model, image = cases.fresh_model(case), cases.images(case, 2, 3, 4, 1)
  before = keras.config.floatx()
  try:
    keras.config.set_floatx('float64')
    assert model(image).elbo.dtype == tf.float32
  finally:
    keras.config.set_floatx(before)
