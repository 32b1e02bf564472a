"""Networks of the spatial flow: what a shift sees, on its own results as well.

Oracles: NumPy, sets of places, and the loop that asks the whole network for one
number after the other.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from vlae_tf import nn
from vlae_tf.nn import fixed_point, weight_norm

_EVENT = (4, 3, 3)
_CLASSES = [nn.ShiftCNN, nn.ChannelwiseShiftCNN]
each_class = pytest.mark.parametrize('cls', _CLASSES)


def _fresh(cls, event=_EVENT, hidden=(8, 9), **kwargs):
  keras.utils.set_random_seed(0)
  network = cls(hidden, **kwargs)
  network.build_for(event)
  return network


def _randomised(cls, event=_EVENT, hidden=(8, 9), **kwargs):
  network = _fresh(cls, event, hidden, **kwargs)
  rng = np.random.default_rng(0)
  for variable in network.variables:
    variable.assign(rng.normal(size=variable.shape))
  return network


def _codes(num, event=_EVENT, seed=0):
  return tf.random.stateless_normal([num, *event], [seed, 1])


def _seen(network, event=_EVENT):
  """Whether shift `[i, j, k]` changes with number `[p, q, r]`."""
  size = int(np.prod(event))
  # The same codes for each number: one pass gives all gradients.
  z = tf.repeat(_codes(20, event)[None], size, 0)
  z = tf.reshape(z, [-1, *event])
  with tf.GradientTape() as tape:
    tape.watch(z)
    shift = tf.reshape(network.shift(z), [size, 20, size])
    loss = tf.reduce_sum(tf.linalg.diag_part(tf.transpose(shift, [1, 0, 2])))
  gradient = tape.gradient(loss, z).numpy().reshape(*event, 20, *event)
  return (gradient != 0).any(3)


def _expected(is_channelwise, convolutions=3, event=_EVENT):
  """What `_seen` has to be, by walking from place to place."""
  steps = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 0)]
  expected = np.zeros([*event, *event], bool)
  for i, j, k in np.ndindex(*event):
    places = {(i, j)}
    for _ in range(convolutions):
      places = {(p + dp, q + dq) for p, q in places for dp, dq in steps}
      # What is outside is zero, and stays so.
      places = {(p, q) for p, q in places if p >= 0 and 0 <= q < event[1]}
    for place in places - {(i, j)}:
      expected[i, j, k][place] = True
    if is_channelwise:
      expected[i, j, k, i, j, :k] = True
  return expected


def _take_steps(network):
  """Steps of an optimiser that move all that they can."""
  optimizer = keras.optimizers.Adamax(0.1)
  z = _codes(16, seed=2)
  for _ in range(3):
    with tf.GradientTape() as tape:
      loss = tf.reduce_mean((z - network.shift(z) - 1.0) ** 2)
    gradients = tape.gradient(loss, network.trainable_variables)
    optimizer.apply(gradients, network.trainable_variables)


@each_class
def test_shifts_depend_on_what_is_before_them_exactly(cls):
  expected = _expected(cls is nn.ChannelwiseShiftCNN)
  network = _fresh(cls)
  np.testing.assert_array_equal(_seen(network), expected)
  before = [v.numpy() for v in network.trainable_variables]
  _take_steps(network)
  moved = [np.abs(v - w).max() for v, w in zip(network.variables, before)]
  assert max(moved) > 0.1
  np.testing.assert_array_equal(_seen(network), expected)
  np.testing.assert_array_equal(_seen(_randomised(cls)), expected)


@each_class
@pytest.mark.parametrize('hidden', [(), (7,)])
def test_any_number_of_hidden_layers_is_causal(cls, hidden):
  network = _randomised(cls, hidden=hidden)
  expected = _expected(cls is nn.ChannelwiseShiftCNN, len(hidden) + 1)
  np.testing.assert_array_equal(_seen(network), expected)


def _convolve(x, kernel, bias):
  """A 3x3 convolution of maps, by its definition."""
  height, width = x.shape[1:3]
  padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
  return bias + sum(
    padded[:, r : r + height, c : c + width] @ kernel[r, c]
    for r, c in np.ndindex(3, 3)
  )


def test_a_stack_of_masked_convolutions_and_elus():
  """Of the weights of earlier places, and of the place itself after the first.

  Weight-normalised: `g v / |v|`, the norm of what is not masked.
  """
  network = _randomised(nn.ShiftCNN)
  z = h = _codes(3).numpy()
  for k, layer in enumerate(network._layers_):
    mask = np.zeros([3, 3, 1, 1])
    mask[0], mask[1, 0], mask[1, 1] = 1, 1, float(k > 0)
    v = layer.v.numpy() * mask
    kernel = layer.gain.numpy() * v / np.sqrt((v**2).sum((0, 1, 2)))
    seen = np.where(h > 0, h, np.expm1(np.minimum(h, 0))) if k else h
    h = _convolve(seen, kernel, layer.bias.numpy())
  np.testing.assert_allclose(network.shift(z), 0.1 * h, rtol=1e-4, atol=1e-4)


def _one_by_one(network, noise, update):
  """`z = update(noise, shift(z))`, a pass of the network for every number."""
  z = tf.zeros_like(noise).numpy()
  for i in np.ndindex(*noise.shape[1:]):
    z[(slice(None), *i)] = update(noise, network.shift(z))[(slice(None), *i)]
  return z


def _bent(noise, shift):
  return tf.tanh(noise + shift) + noise


@each_class
@pytest.mark.parametrize(
  'update',
  [pytest.param(tf.add, marks=pytest.mark.exhaustive('both updates')), _bent],
)
@pytest.mark.parametrize(
  'event',
  [
    (3, 2, 2),
    (1, 1, 4),
    *(
      pytest.param(event, marks=pytest.mark.exhaustive('more sizes'))
      for event in [_EVENT, (1, 5, 2), (5, 1, 2), (3, 4, 1)]
    ),
  ],
)
def test_unrolled_is_the_loop_over_numbers(cls, update, event):
  network = _randomised(cls, event, output_scale=1.0, dtype='float64')
  noise = tf.cast(_codes(2, event, seed=3), tf.float64)
  z = network.unroll_shift(noise, update, jit_compile=False)
  expected = _one_by_one(network, noise, update)
  np.testing.assert_allclose(z, expected, rtol=1e-9, atol=1e-9)
  # Shifts of later numbers depend on earlier ones, but for a place's own maps.
  alone = update(noise, network.shift(tf.zeros_like(noise)))
  assert np.abs(z - alone).max() > 1e-4 or (
    cls is nn.ShiftCNN and event[:2] == (1, 1)
  )


@each_class
def test_compiled_is_what_is_not(cls):
  network, noise = _randomised(cls, (3, 2, 2), (4,)), _codes(2, (3, 2, 2))
  found = network.unroll_shift(noise, tf.add)
  expected = network.unroll_shift(noise, tf.add, jit_compile=False)
  np.testing.assert_allclose(found, expected, atol=1e-5)


@each_class
def test_unrolled_in_a_graph_of_an_unknown_batch(cls):
  network, noise = _randomised(cls), _codes(5, seed=3)
  spec = tf.TensorSpec([None, *_EVENT])
  fn = tf.function(
    lambda e: network.unroll_shift(e, tf.add, jit_compile=False),
    input_signature=[spec],
  )
  z = fn(noise)
  np.testing.assert_allclose(z - network.shift(z), noise, atol=1e-5)


@each_class
def test_follows_the_weights_and_is_compiled_once(cls):
  network, noise = _randomised(cls, (2, 2, 2), (4,)), _codes(2, (2, 2, 2))
  for factor in (1.0, -0.7):
    for variable in network.variables:
      variable.assign(factor * variable)
    z = network.unroll_shift(noise, tf.add)
    np.testing.assert_allclose(z - network.shift(z), noise, atol=1e-4)
  assert network.num_compiled == 1


@pytest.mark.parametrize(
  'cls',
  [
    nn.ShiftCNN,
    pytest.param(
      nn.ChannelwiseShiftCNN,
      marks=pytest.mark.exhaustive('six networks more, compiled by XLA'),
    ),
  ],
)
def test_many_networks_do_not_warn_of_tracing(cls, caplog):
  noise = _codes(1, (1, 1, 1), seed=3)
  for _ in range(6):
    _fresh(cls, (1, 1, 1), ()).unroll_shift(noise, tf.add)
  assert 'retracing' not in caplog.text


@each_class
def test_shifts_start_near_zero(cls):
  network, z = _fresh(cls), _codes(500)
  assert np.abs(network.shift(z)).max() < 0.5
  with weight_norm.data_dependent_initialization():
    network.shift(5.0 * z + 3.0)
  shift = network.shift(5.0 * z + 3.0)
  np.testing.assert_allclose(tf.reduce_mean(shift, [0, 1, 2]), 0, atol=1e-3)
  deviation = tf.math.reduce_std(shift, [0, 1, 2])
  np.testing.assert_allclose(deviation, 0.1, rtol=1e-3)


@each_class
def test_sixty_four_bits_are_kept(cls):
  network = _randomised(cls, dtype='float64')
  z = tf.cast(_codes(2), tf.float64)
  noise = z - network.shift(z)
  assert noise.dtype == tf.float64
  found = network.unroll_shift(noise, tf.add, jit_compile=False)
  np.testing.assert_allclose(found, z, rtol=1e-12, atol=1e-12)


@each_class
def test_sixteen_bits_are_near_and_codes_keep_their_dtype(cls):
  network, z = _randomised(cls, dtype='mixed_bfloat16'), _codes(2)
  shift = network.shift(z)
  assert shift.dtype == tf.float32
  exact = _randomised(cls).shift(z)
  assert (shift != exact).numpy().any()
  np.testing.assert_allclose(shift, exact, atol=0.3)


def _on_grid(cls):
  """A network of float64 and its kernels on the grid of `fixed_point`."""
  network = _randomised(cls, (4, 5, 3), (12, 9), dtype='float64')
  layers = weight_norm.layers_of(network)
  for layer in layers:
    layer.bias.assign(fixed_point.quantized(layer.bias))
  kernels = [tf.constant(fixed_point.quantized(x.kernel)) for x in layers]
  return network, weight_norm.given_kernels(layers, kernels)


def _differences(network, compiled):
  """Places where one pass and the loop differ, and the codes of the loop."""
  noise = tf.round(tf.cast(_codes(7, (4, 5, 3)), tf.float64) * 64) / 64
  z = network.unroll_shift(noise, tf.add, compiled)
  # On the grid these sums have no rounding.
  return (z - noise != network.shift(z)).numpy(), z.numpy()


@pytest.mark.parametrize(
  'cls, compiled',
  [
    (nn.ShiftCNN, False),
    (nn.ChannelwiseShiftCNN, False),
    (nn.ChannelwiseShiftCNN, True),
    pytest.param(
      nn.ShiftCNN, True, marks=pytest.mark.exhaustive('compiled by XLA')
    ),
  ],
)
def test_on_the_grid_one_pass_and_the_loop_give_the_same_bits(cls, compiled):
  network, kernels = _on_grid(cls)
  with fixed_point.exact(), kernels:
    differ, z = _differences(network, compiled)
  assert not differ.any()
  np.testing.assert_array_equal(z * 2**10, np.rint(z * 2**10))
  assert len(np.unique(z)) > 300


@each_class
def test_floats_would_not_be(cls):
  """Or the test of the grid would show nothing."""
  differ, _ = _differences(_on_grid(cls)[0], compiled=False)
  assert differ.any()


@each_class
def test_hidden_layers_without_maps_are_refused(cls):
  with pytest.raises(ValueError, match='`hidden` must be at least 1, got 0'):
    cls((4, 0))


@each_class
def test_bad_shapes_are_refused(cls):
  network = cls((4,))
  with pytest.raises(ValueError, match='`network` must be built'):
    network.shift(_codes(1))
  with pytest.raises(ValueError, match=r'`event_shape` must be .*got \(3, 2\)'):
    network.build_for((3, 2))
  network.build_for(_EVENT)
  for bad in (_codes(1, (4, 3, 2)), _codes(1)[0]):
    with pytest.raises(ValueError, match=r'`z` must have shape \[.*3\], got'):
      network.shift(bad)
    with pytest.raises(ValueError, match=r'`noise` must have shape .*3\], got'):
      network.unroll_shift(bad, tf.add)
