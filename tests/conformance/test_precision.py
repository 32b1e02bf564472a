"""Networks in sixteen bits are near those in thirty-two; laws have no less."""

import numpy as np
import pytest
import tensorflow as tf

from conformance import cases
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
