"""Facts of the paper: what the default model is made of, and how.

#### References

[1]: Xi Chen et al. Variational Lossy Autoencoder. In _International
     Conference on Learning Representations_, 2017.
     https://arxiv.org/abs/1611.02731 (section 3.2, Appendices A and C)
"""

import functools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

import vlae_tf
from vlae_tf import models, nn
from vlae_tf.models import objectives
from vlae_tf.training import state

pytestmark = pytest.mark.usefixtures('all_eagerly')

_SHAPE = (28, 28, 1)
_WIDTHS = (16, 32, 32)


@functools.cache
def _default_model():
  keras.utils.set_random_seed(0)
  return vlae_tf.build_model(vlae_tf.Config(), _SHAPE)


def _randomised(layer, seed=0):
  """Gives a layer weights of no special value."""
  rng = np.random.default_rng(seed)
  for weight in layer.trainable_variables:
    weight.assign(rng.normal(size=weight.shape))
  return layer


def _silence(*layers):
  """Lets layers give zeros."""
  for layer in layers:
    layer.gain.assign(tf.zeros_like(layer.gain))
    layer.bias.assign(tf.zeros_like(layer.bias))


def _elu(x):
  return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def _convolve(layer, x):
  """A 3x3 or 1x1 convolution of maps, by its definition."""
  kernel = layer.kernel.numpy()
  half = kernel.shape[0] // 2
  padded = np.pad(x, [(0, 0), (half, half), (half, half), (0, 0)])
  height, width = x.shape[1:3]
  y = sum(
    padded[:, r : r + height, c : c + width] @ kernel[r, c]
    for r, c in np.ndindex(*kernel.shape[:2])
  )
  return y + layer.bias.numpy()


# The prior.


def _dependence(steps, size=5):
  """Derivatives of noise by the code, `[eps[i], z[j]]`."""
  prior = models.AutoregressiveFlowPrior(size, steps, (40, 40))
  prior.build()
  _randomised(prior)
  z = tf.random.stateless_normal([1, size], [0, 1])
  with tf.GradientTape() as tape:
    tape.watch(z)
    eps = prior.bijector().inverse(z)
  return tape.jacobian(eps, z).numpy()[0, :, 0]


def test_a_flow_of_one_step_is_autoregressive():
  found = _dependence(1)
  np.testing.assert_array_equal(found != 0, np.tri(5, dtype=bool))
  np.testing.assert_array_equal(np.diag(found), 1)


def test_the_order_is_reversed_between_flows():
  found = _dependence(2)
  # The second flow begins where the first ends: with all numbers of the code.
  assert (found[0] != 0).all()
  assert found[0, -1] == pytest.approx(1, abs=1e-5)
  # Whatever the weights, the volume is that of the noise.
  assert abs(np.linalg.det(found.astype('float64'))) == pytest.approx(
    1, rel=1e-3
  )


def test_the_order_is_reversed_again_between_later_flows():
  # Of flows that do nothing, all that is left are the reversals.
  for steps in (1, 2, 3, 4):
    prior = models.AutoregressiveFlowPrior(3, steps, (4,))
    prior.build()
    for made in prior._networks:
      _silence(*made._layers_)
    z = prior.bijector().forward(tf.constant([[1.0, 2.0, 3.0]]))
    expected = [1, 2, 3] if steps % 2 else [3, 2, 1]
    np.testing.assert_array_equal(z[0], expected)


def test_a_made_is_of_relus_and_starts_near_zero():
  made = nn.MADE(4, (7, 9))
  made.build((None, 4))
  _randomised(made)
  x = h = np.random.default_rng(1).normal(size=(6, 4)).astype('float32')
  for layer in made._layers_:
    last = h @ layer.kernel.numpy() + layer.bias.numpy()
    h = np.maximum(last, 0)
  np.testing.assert_allclose(made(x), 0.1 * last, rtol=1e-4, atol=1e-5)


# The PixelCNN.


def _pixel_cnn(depth=4):
  return toys.build_network(nn.PixelCNN(2, 5, depth))


def _image_and_features():
  rng = np.random.default_rng(0)
  return (
    rng.normal(size=(2, 4, 3, maps)).astype('float32')
    for maps in (1, toys.FEATURE_MAPS)
  )


def test_the_pixel_cnn_is_its_formula():
  network = _pixel_cnn()
  image, features = _image_and_features()
  pointwise = network._pointwise
  h = _convolve(network._first, np.concatenate([image, features], -1))
  for i, masked in enumerate(network._masked):
    h = h + _convolve(masked, _elu(h))
    if i < len(network._masked) - 1:
      middle = _convolve(pointwise[2 * i], _elu(h))
      h = h + _convolve(pointwise[2 * i + 1], _elu(middle))
  expected = _convolve(network._last, _elu(h))
  found = network(image, features)
  np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_without_its_branches_the_pixel_cnn_is_first_and_last_layer():
  network = _pixel_cnn()
  image, features = _image_and_features()
  before = network(image, features).numpy()
  _silence(*network._masked, *network._pointwise[1::2])
  first = _convolve(network._first, np.concatenate([image, features], -1))
  expected = _convolve(network._last, _elu(first))
  found = network(image, features)
  np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
  assert (np.abs(before - found) > 1e-3).any()


def test_features_are_seen_whole_and_the_image_before_the_pixel():
  (first,) = [
    la
    for la in _default_model().likelihood.network._layers
    if la.name == 'first'
  ]
  seen = np.broadcast_to(first._mask, first.v.shape).any(-1)
  before = np.arange(9).reshape(3, 3) < 4
  np.testing.assert_array_equal(seen[..., 0], before)
  assert seen[..., 1:].all()
  assert seen.shape == (3, 3, 1 + 4)


def test_69_pixels_are_seen():
  network = _default_model().likelihood.network
  assert vlae_tf.receptive_field(network).num_pixels == 69


# The residual networks.


def test_a_residual_block_is_its_formula():
  block = nn.ResidualBlock(3)
  block.build((None, 4, 5, 3))
  _randomised(block)
  x = np.random.default_rng(0).normal(size=(2, 4, 5, 3)).astype('float32')
  branch = _convolve(block._second, _elu(_convolve(block._first, _elu(x))))
  np.testing.assert_allclose(block(x), x + 0.1 * branch, rtol=1e-4, atol=1e-5)
  _silence(block._second)
  np.testing.assert_array_equal(block(x), x)


def _encoder():
  encoder = nn.Encoder((4, 6), 7)
  encoder.build((None, 6, 5, 1))
  x = np.random.default_rng(0).random((2, 6, 5, 1)).astype('float32')

  def ends(h):
    h = _elu(h).reshape(2, -1)
    dense = encoder._dense
    return _elu(h @ dense.kernel.numpy() + dense.bias.numpy())

  return encoder, x, x - 0.5, ends


def _generator():
  generator = nn.Generator((6, 5), 2, (4, 6), 7)
  generator.build((None, 3))
  z = np.random.default_rng(0).normal(size=(2, 3)).astype('float32')
  h = z
  for dense in (generator._dense, generator._reshape):
    h = _elu(h @ dense.kernel.numpy() + dense.bias.numpy())
  h = h.reshape(2, *generator._top)
  return generator, z, h, lambda h: _convolve(generator._last, _elu(h))


@pytest.mark.parametrize('make', [_encoder, _generator])
def test_without_its_branches_a_residual_network_is_its_shortcuts(make):
  network, inputs, h, ends = make()
  assert [bool(b._shortcut) for b in network._blocks].count(True) == 2
  before = network(inputs).numpy()
  _silence(*(block._second for block in network._blocks))
  for block in network._blocks:
    h = h if block._shortcut is None else block._shortcut(h).numpy()
  found = network(inputs)
  np.testing.assert_allclose(found, ends(h), rtol=1e-4, atol=1e-5)
  assert (np.abs(before - found) > 1e-4).any()


# Sizes of the default model at 28x28.


def _linear(inputs, units, size=1):
  """Weights of a weight-normalised layer: `v`, gains and biases."""
  return size**2 * inputs * units + 2 * units


def _block(inputs, units, resized):
  first = _linear(inputs, units, 3)
  return first * (2 if resized else 1) + _linear(units, units, 3)


def _encoder_size():
  size, maps = 0, 1
  for width in _WIDTHS:
    size += _block(maps, width, True) + _block(width, width, False)
    maps = width
  return size + _linear(4 * 4 * 32, 450)


def _generator_size():
  size = _linear(64, 450) + _linear(450, 4 * 4 * 32)
  for width, leaves_to in ((32, 32), (32, 16), (16, 16)):
    size += _block(width, width, False)
    # A transposed convolution has gain and bias of what it gives.
    size += _block(width, leaves_to, True)
  return size + _linear(16, 4, 3)


def _pixel_cnn_size():
  size = _linear(5, 12, 3) + 5 * _linear(12, 12, 3)
  return size + 4 * 2 * _linear(12, 12) + _linear(12, 1)


_SIZES = {
  'posterior': _encoder_size() + 2 * _linear(450, 64),
  'prior': 4 * (_linear(64, 640) + _linear(640, 640) + _linear(640, 64)),
  'likelihood': _generator_size() + _pixel_cnn_size(),
}


@pytest.mark.parametrize('part', _SIZES)
def test_parts_have_the_weights_of_the_papers_table(part):
  weights = getattr(_default_model(), part).trainable_variables
  assert sum(math.prod(w.shape) for w in weights) == _SIZES[part]


def test_there_are_about_2_7_million_weights():
  total = sum(math.prod(w.shape) for w in _default_model().trainable_variables)
  assert round(total / 1e6, 1) == 2.7


def test_layers_and_maps_are_those_of_the_papers_table():
  model = _default_model()
  shapes = {
    w.path.removeprefix('vlae/'): tuple(w.shape)
    for w in model.trainable_variables
    if w.name == 'v'
  }

  def counts(room):
    return len([path for path in shapes if path.startswith(room)])

  # Three stride-2 blocks of three convolutions, three stride-1 ones of two.
  assert counts('posterior/encoder/halve') == 9
  assert counts('posterior/encoder/keep') == 6
  assert counts('likelihood/generator/double') == 9
  assert counts('likelihood/generator/keep') == 6
  assert counts('prior/made') == 4 * 3
  # Six masked convolutions, four residual blocks of two between them.
  assert counts('likelihood/network/masked') + 1 == 6
  assert counts('likelihood/network/pointwise') == 4 * 2
  assert shapes['likelihood/network/first/v'] == (3, 3, 1 + 4, 12)
  assert shapes['prior/made_0/layer_1/v'] == (640, 640)
  assert model.event_shape == (64,)
  assert model.likelihood(tf.zeros([2, 64])).event_shape == _SHAPE


def test_tied_masked_convolutions_are_one_but_for_the_first():
  tied = toys.build_network(nn.PixelCNN(1, 12, 6, tied=True))
  names = {w.path.split('/')[-2] for w in tied.trainable_variables}
  assert {n for n in names if n.startswith(('masked', 'first'))} == {
    'first',
    'masked_0',
  }


# What is minimised, and how.


def test_the_floor_is_7_84_nats():
  objective = objectives.create(vlae_tf.Config(), _SHAPE)
  assert isinstance(objective, models.FreeBits)
  assert objective.floor == pytest.approx(7.84)
  rates = [float(objective.rate_loss(tf.constant(r), 0)) for r in (5.0, 10.0)]
  assert rates == pytest.approx([7.84, 10.0])


@pytest.mark.parametrize(
  'changes, floor',
  [
    ({}, 7.84),
    (dict(kl_warmup_steps=5), 7.84),
    (dict(objective='soft_free_bits'), 7.84),
    (dict(objective='soft_free_bits', kl_warmup_steps=5), 7.84),
    (dict(free_bits=0.0), 0.0),
    (dict(objective='beta'), 0.0),
    (dict(objective='iwae'), 0.0),
    (dict(latent_size=0), 0.0),
  ],
)
def test_every_objective_says_its_floor(changes, floor):
  objective = objectives.create(vlae_tf.Config(**changes), _SHAPE)
  assert objective.floor == pytest.approx(floor)


def test_the_optimiser_is_adamax_at_0_002():
  training = state.TrainingState(
    toys.small_config(prior='gaussian', encoder_widths='4'), (8, 8, 1), 100
  )
  optimizer = training.optimizer
  assert type(optimizer) is keras.optimizers.Adamax
  constants = optimizer.beta_1, optimizer.beta_2, optimizer.epsilon
  assert constants == (0.9, 0.999, 1e-7)
  assert float(optimizer.learning_rate) == pytest.approx(0.002)
  assert not optimizer.use_ema and not optimizer.weight_decay
  assert vlae_tf.Config().learning_rate == 0.002
  assert vlae_tf.Config().polyak_decay == 0.998
