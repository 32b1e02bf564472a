"""MADE and its sequential form."""

import numpy as np
import pytest
import tensorflow as tf

from vlae_tf.nn import made


def randomised(event_size, hidden):
  network = made.MADE(event_size, hidden, output_scale=1.0)
  network.build((None, event_size))
  rng = np.random.default_rng(0)
  for variable in network.variables:
    variable.assign(rng.normal(size=variable.shape))
  return network


_SIZES = [(1, (3,)), (5, ()), (7, (9,)), (6, (5, 11)), (16, (40, 20, 30))]


@pytest.mark.parametrize('event_size, hidden', _SIZES)
def test_output_depends_on_earlier_inputs_exactly(event_size, hidden):
  network = randomised(event_size, hidden)
  x = tf.random.stateless_normal([64, event_size], [0, 1])
  with tf.GradientTape() as tape:
    tape.watch(x)
    y = network(x)
  seen = (tape.batch_jacobian(y, x).numpy() != 0).any(0)
  assert not (seen & ~np.tri(event_size, k=-1, dtype=bool)).any()
  if len(hidden) < 2:
    np.testing.assert_array_equal(seen, np.tri(event_size, k=-1, dtype=bool))


@pytest.mark.parametrize('event_size, hidden', _SIZES)
@pytest.mark.parametrize('compiled', [False, True])
def test_unroll_is_the_fixed_point(event_size, hidden, compiled):
  network = randomised(event_size, hidden)
  noise = tf.random.stateless_normal([3, event_size], [2, 3])

  def update(noise, output):
    return tf.tanh(noise + output) + noise

  unroll = tf.function(
    lambda e: network.unroll(e, update), jit_compile=compiled
  )
  x = unroll(noise)
  np.testing.assert_allclose(x, update(noise, network(x)), atol=1e-5)


def test_too_few_units_are_an_error():
  with pytest.raises(ValueError, match='`hidden` must have at least'):
    made.MADE(8, (6, 9))
