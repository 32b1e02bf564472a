"""Codes of a height, a width and maps are coded like vectors, without loss."""

import functools
import itertools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from vlae_tf import compression, distributions, models, nn
from vlae_tf.compression import chunks as chunks_lib
from vlae_tf.compression import lattice, lossy
from vlae_tf.evaluation import latents
from vlae_tf.models import vlae as vlae_lib
from vlae_tf.nn import fixed_point, weight_norm

pytestmark = pytest.mark.usefixtures('all_eagerly')

_EVENT = (2, 2, 3)
_IMAGE = (4, 5, 1)
_CLASSES = [
  models.PixelCNNFlowPrior,
  models.ChannelwisePixelCNNFlowPrior,
]
each_class = pytest.mark.parametrize('cls', _CLASSES)
one_class = pytest.mark.parametrize(
  'cls',
  [
    models.PixelCNNFlowPrior,
    pytest.param(
      models.ChannelwisePixelCNNFlowPrior,
      marks=pytest.mark.exhaustive('the other kind of flow'),
    ),
  ],
)


def _model(cls, seed=0):
  keras.utils.set_random_seed(seed)
  vlae = vlae_lib.VLAE(
    models.DiagonalGaussianPosterior(_EVENT, nn.Encoder((4,), 6)),
    cls(_EVENT, 2, (6, 5)),
    models.AutoregressiveDecoder(
      1,
      nn.Generator(_IMAGE[:2], 1, (4,), 6),
      nn.PointwiseCNN(1, 4, 1),
      distributions.BernoulliPixel(),
    ),
  )
  vlae.build((None, *_IMAGE))
  rng = np.random.default_rng(seed)
  for weight in vlae.trainable_variables:
    weight.assign(weight + 0.3 * rng.standard_normal(weight.shape))
  return vlae


def _codes(num, step, scale=1.0):
  z = scale * np.random.default_rng(0).normal(size=(num, *_EVENT))
  return lattice.nearest(tf.constant(z), step)


def _images(num, seed=0):
  return np.random.default_rng(seed).random((num, *_IMAGE)) < 0.3


@one_class
@pytest.mark.parametrize(
  'step',
  [pytest.param(1 / 16, marks=pytest.mark.exhaustive('a finer lattice')), 1.0],
)
def test_flows_of_places_are_bijections_of_a_lattice(cls, step):
  """In both directions, by shifts of a lattice, of several steps."""
  exact = compression.ExactModel(_stretched(_model(cls)))
  z = _codes(50, step, 4.0)
  with exact.scope():
    flow = compression.on_lattice(exact.model.prior.bijector(), step)
    noise = tf.identity(flow.inverse(z))
    again = tf.identity(flow.forward(noise))
    forward = tf.identity(flow.forward(z))
    back = flow.inverse(forward)
    order = _order(exact.model.prior())
    unmoved = tf.gather(tf.reshape(z, [50, -1]), order, axis=1)
  np.testing.assert_array_equal(again, z)
  np.testing.assert_array_equal(back, z)
  np.testing.assert_array_equal(noise / step, np.rint(noise / step))
  assert noise.shape == (50, *_EVENT)
  shifts = (noise - tf.reshape(unmoved, noise.shape)).numpy()
  assert len(np.unique(shifts)) > 5
  assert np.abs(shifts).max() <= 2 * lattice.MAX_SHIFT
  bound = lattice.max_noise(exact.model.prior.bijector())
  assert bound == lattice.MAX_LATENT + 2 * lattice.MAX_SHIFT


def _order(prior):
  return tf.argsort(latents.places_in_noise(prior, _EVENT))


def _stretched(vlae):
  """A model whose flow's shifts are of several steps of 1."""
  for layer in weight_norm.layers_of(vlae.prior):
    layer.gain.assign(6.0 * layer.gain)
  return vlae


def test_a_flow_of_places_is_one_of_all_points_of_a_box():
  """None of them is reached twice."""
  keras.utils.set_random_seed(0)
  prior = models.ChannelwisePixelCNNFlowPrior(
    (1, 2, 2), 2, (4,), dtype='float64'
  )
  prior.build_once()
  layers = weight_norm.layers_of(prior)
  for layer in layers:
    layer.gain.assign(tf.fill(layer.gain.shape, tf.constant(15.0, tf.float64)))
  kernels = [tf.constant(fixed_point.quantized(x.kernel)) for x in layers]
  line = np.arange(-3.0, 4.0)
  box = np.array(list(itertools.product(line, repeat=4))).reshape(-1, 1, 2, 2)
  with fixed_point.exact(), weight_norm.given_kernels(layers, kernels):
    flow = compression.on_lattice(prior.bijector(), 1.0)
    codes = tf.identity(flow.forward(tf.constant(box))).numpy()
    noise = flow.inverse(tf.constant(codes))
  np.testing.assert_array_equal(noise, box)
  assert len(np.unique(codes.reshape(len(box), -1), axis=0)) == len(box)
  assert len(np.unique(codes - box[:, :, ::-1, ::-1], axis=0)) > 5


@one_class
def test_codes_cost_their_probability(cls):
  """Of the noise that is coded: the flow's shifts are rounded."""
  lanes, step = 3, 1 / 16
  exact, code = compression.ExactModel(_model(cls)), _codes(lanes, step)
  with exact.scope():
    codec = compression.codec_of(exact.model.prior(), step, lanes)
    bits = compression.check_codec(codec, code)
    flow = compression.on_lattice(exact.model.prior.bijector(), step)
    noise = flow.inverse(tf.identity(code))
    exactly = exact.model.prior().log_prob(code)
  log_prob = -0.5 * noise**2 - 0.5 * math.log(2 * math.pi) + math.log(step)
  assert bits == pytest.approx(-np.sum(log_prob) / math.log(2), abs=0.03)
  # And that is near the density of the flow that is not rounded.
  nats = tf.reduce_sum(exactly) + code.shape.num_elements() * math.log(step)
  assert bits == pytest.approx(-float(nats) / math.log(2), rel=0.02)


@functools.cache
def _chunks(cls):
  """Compiled once for both tests of images."""
  return compression.LosslessChunks(compression.ExactModel(_model(cls)), 4)


@pytest.fixture(scope='module', autouse=True)
def _forget_chunks():
  yield
  _chunks.cache_clear()


@one_class
def test_images_come_back(cls):
  chunks = _chunks(cls)
  images = _images(17)
  assert chunks_lib.schedule(17, 4)[-1].bits_back
  data = chunks.encode(images).data
  np.testing.assert_array_equal(chunks.decode(data, 17), images)


@pytest.mark.usefixtures('compiled')
@one_class
def test_images_take_the_bits_of_the_bound(cls):
  """All but the first rounds, which cost a code that does not come back."""
  chunks, images = _chunks(cls), _images(400)
  vlae = chunks.exact.original
  batches = chunks_lib.schedule(len(images), 4)
  direct = sum(batch.size for batch in batches if not batch.bits_back)
  first = chunks.encode(images[:direct]).net_bits
  found = chunks.encode(images).net_bits - first
  numbers = tf.constant(images[direct:].astype('float32'))
  draws = []
  for k in range(20):
    noise = tf.random.stateless_normal([len(numbers), *_EVENT], [0, k])
    terms = vlae(numbers, noise)
    draws.append(float(tf.reduce_sum(terms.distortion + terms.rate)))
  assert found == pytest.approx(np.mean(draws) / math.log(2), rel=0.02)


@one_class
@pytest.mark.exhaustive('a second codec of places')
def test_points_that_are_sent_alone_come_back(cls):
  rng = np.random.default_rng(0)
  points = rng.integers(-4, 5, (5, *_EVENT)).astype(np.int16)
  chunks = compression.LossyChunks(compression.ExactModel(_model(cls)), 0.5)
  encoded = chunks.encode(points)
  np.testing.assert_array_equal(chunks.decode(encoded.data, 5), points)


@each_class
def test_each_number_of_noise_is_of_a_number_of_a_code(cls):
  """Which a flow that does nothing shows."""
  prior = _silent(_model(cls)).prior
  flow, code = compression.on_lattice(prior.bijector(), 1.0), _codes(2, 1 / 16)
  noise = tf.reshape(flow.inverse(tf.cast(code, tf.float32)), [2, -1])
  order = _order(prior())
  found = tf.gather(tf.reshape(code, [2, -1]), order, axis=1)
  np.testing.assert_array_equal(found, noise)
  assert sorted(order.numpy()) == list(range(12)) != list(order.numpy())


def _silent(vlae):
  """A model whose flow only moves numbers."""
  for layer in weight_norm.layers_of(vlae.prior):
    layer.gain.assign(tf.zeros_like(layer.gain))
    layer.bias.assign(tf.zeros_like(layer.bias))
  return vlae


@one_class
@pytest.mark.exhaustive('a second codec of places')
def test_searched_points_say_as_much_for_fewer_bits(cls):
  """Than the nearest ones: bits of the code, and of the image given it."""
  vlae, images = _model(cls), _images(6).astype('float32')
  with_search, nearest = (
    _total(vlae, images, lossy.find_points(vlae, images, 1.0, moves))
    for moves in (8, 0)
  )
  assert with_search.shape == (6,)
  assert (with_search <= nearest + 1e-3).all()
  assert (with_search < nearest - 0.1).any()


def _total(vlae, images, points):
  """Bits of codes by their codec, and of images by the distribution."""
  code = tf.constant(points.astype('float32'))
  bits = compression.codec_of(vlae.prior(), 1.0, len(images)).bits(code)
  distribution = vlae.likelihood(code)
  return bits.numpy() - distribution.log_prob(images).numpy() / math.log(2)


@pytest.mark.usefixtures('compiled')
def test_nothing_is_compiled_twice():
  """The codec of each call is a new one, of the same networks."""
  exact = compression.ExactModel(_model(models.PixelCNNFlowPrior))
  z = _codes(3, 0.5)
  with exact.scope():
    prior = exact.model.prior
    for _ in range(3):
      compression.on_lattice(prior.bijector(), 0.5).forward(tf.identity(z))
    assert {n.num_compiled for n in prior._networks} == {1}
