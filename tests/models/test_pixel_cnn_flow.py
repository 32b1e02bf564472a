"""The prior of PixelCNN flows: its order, its volume, its density, its draws.

Fresh tensors go around TFP's cache, in which a wrong inverse would pass.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import toys

from vlae_tf import distributions, models, nn
from vlae_tf.evaluation import latents
from vlae_tf.models import vlae as vlae_lib
from vlae_tf.nn import weight_norm

tfb = tfp.bijectors
tfd = tfp.distributions

_EVENT = (3, 2, 2)
_SIZE = 12
_CLASSES = [
  models.PixelCNNFlowPrior,
  models.ChannelwisePixelCNNFlowPrior,
]
each_class = pytest.mark.parametrize('cls', _CLASSES)
# They share the code, and make the same of codes of one map.
one_class = pytest.mark.parametrize(
  'cls',
  [
    models.ChannelwisePixelCNNFlowPrior,
    pytest.param(
      models.PixelCNNFlowPrior,
      marks=pytest.mark.exhaustive('both classes where one tells enough'),
    ),
  ],
)


@pytest.fixture(
  params=[
    'eagerly',
    pytest.param(
      'compiled', marks=pytest.mark.exhaustive('each flow compiled by XLA')
    ),
  ]
)
def way(request):
  """How draws are made: XLA takes seconds for each flow."""
  if request.param == 'eagerly':
    request.getfixturevalue('eagerly')


each_way = pytest.mark.usefixtures('way')


def _fresh(cls, steps=2, hidden=(6, 5), event=_EVENT, **kwargs):
  keras.utils.set_random_seed(0)
  prior = cls(event, steps, hidden, **kwargs)
  prior.build_once()
  return prior


def _randomised(cls, *args, **kwargs):
  prior = _fresh(cls, *args, **kwargs)
  rng = np.random.default_rng(0)
  for variable in prior.variables:
    scale = 8.0 if variable.name == 'gain' else 1.0
    variable.assign(scale * rng.normal(size=variable.shape))
  return prior


def _codes(*shape, seed=0):
  return tf.random.stateless_normal([*shape, *_EVENT], [seed, 1])


def _jacobian(prior, num=8):
  """Derivatives of noise by codes, `[num, size, size]`, in raster order."""
  z = tf.cast(_codes(num), prior.variable_dtype)
  with tf.GradientTape(persistent=True) as tape:
    tape.watch(z)
    # Of the numbers of all codes, each depends on those of its own.
    ends = tf.reshape(prior.bijector().inverse(z), [num, _SIZE])
    ends = tf.unstack(tf.reduce_sum(ends, 0))
  rows = [tf.reshape(tape.gradient(end, z), [num, _SIZE]) for end in ends]
  return np.stack(rows, 1)


def _flipped(prior, x):
  """`x[..., size]` in the order of the next flow."""
  x = x.reshape(*x.shape[:-1], -1, _EVENT[-1])[..., ::-1, :]
  if isinstance(prior, models.ChannelwisePixelCNNFlowPrior):
    x = x[..., ::-1]
  return x.reshape(*x.shape[:-2], -1)


@each_class
def test_a_flow_of_one_step_is_autoregressive(cls):
  found = _jacobian(_randomised(cls, 1))
  before = np.tri(_SIZE, k=-1, dtype=bool)
  if cls is models.PixelCNNFlowPrior:
    # Numbers of one place do not see each other.
    place = np.arange(_SIZE) // _EVENT[-1]
    before &= place[:, None] != place
  seen = ((found - np.eye(_SIZE)) != 0).any(0)
  assert not (seen & ~before).any()
  # All but what lies in the blind spot.
  assert seen.sum() > 0.9 * before.sum()
  np.testing.assert_array_equal(found[:, range(_SIZE), range(_SIZE)], 1)


@each_class
def test_the_order_is_reversed_between_flows(cls):
  one, two = (_jacobian(_randomised(cls, n), 1)[0] != 0 for n in (1, 2))
  # The second flow begins where the first ends: with all numbers of the code.
  assert two[0].mean() > 0.7 and one[0].sum() == 1
  assert two.sum() > one.sum()


@each_class
@pytest.mark.parametrize('steps', [1, 2, 3, 4])
def test_of_flows_that_do_nothing_reversals_are_left(cls, steps):
  prior = _fresh(cls, steps)
  for layer in weight_norm.layers_of(prior):
    layer.gain.assign(tf.zeros_like(layer.gain))
  z = _codes(2).numpy()
  expected = z
  for _ in range(steps - 1):
    expected = _flipped(prior, expected.reshape(2, -1)).reshape(z.shape)
  np.testing.assert_array_equal(prior.bijector().inverse(z), expected)


@each_way
@each_class
@pytest.mark.parametrize(
  'steps',
  [pytest.param(1, marks=pytest.mark.exhaustive('one flow and three')), 3],
)
def test_volume_is_one_by_autodiff(cls, steps):
  prior = _randomised(cls, steps, dtype='float64')
  found = _jacobian(prior)
  assert np.abs(found - np.eye(_SIZE)).max() > 0.5
  _, log_det = np.linalg.slogdet(found)
  np.testing.assert_allclose(log_det, 0, atol=1e-8)
  z = tf.cast(_codes(4), tf.float64)
  for direction in ('forward', 'inverse'):
    method = getattr(prior.bijector(), f'{direction}_log_det_jacobian')
    np.testing.assert_array_equal(method(tf.identity(z), 3), 0.0)


@each_way
@each_class
@pytest.mark.parametrize(
  'batch',
  [
    (2, 3),
    *(
      pytest.param(b, marks=pytest.mark.exhaustive('all ranks of a batch'))
      for b in [(), (3,)]
    ),
  ],
)
def test_noise_comes_back_and_so_do_codes(cls, batch):
  flow = _randomised(cls, dtype='float64').bijector()
  eps = tf.cast(_codes(*batch), tf.float64)
  z = flow.forward(eps)
  assert z.shape == (*batch, *_EVENT)
  assert np.abs(z - eps).max() > 0.1
  np.testing.assert_allclose(flow.inverse(tf.identity(z)), eps, atol=1e-9)
  found = flow.forward(tf.identity(flow.inverse(eps)))
  np.testing.assert_allclose(found, eps, atol=1e-9)


@each_way
@each_class
def test_density_is_that_of_the_noise(cls):
  prior = _randomised(cls)
  law = prior()
  assert (law.batch_shape, law.event_shape) == ((), _EVENT)
  assert law.dtype == tf.float32
  eps = _codes(2, 3)
  z = tf.identity(prior.bijector().forward(eps))
  flat = eps.numpy().reshape(2, 3, -1)
  expected = -0.5 * (flat**2 + np.log(2 * np.pi)).sum(-1)
  np.testing.assert_allclose(law.log_prob(z), expected, rtol=1e-5)


@each_way
@each_class
def test_draws_of_a_seed_are_the_same_and_of_the_law(cls):
  prior = _randomised(cls)
  first, again, other = (prior().sample(40, seed=(0, k)) for k in (1, 1, 2))
  np.testing.assert_array_equal(first, again)
  assert (first != other).numpy().all()
  eps = prior.bijector().inverse(tf.identity(first))
  assert abs(np.mean(eps)) < 0.15 and abs(np.std(eps) - 1) < 0.1
  assert {net.num_compiled for net in prior._networks} == {1}


@each_class
def test_it_starts_near_the_standard_gaussian(cls):
  prior = _fresh(cls, hidden=(20, 20))
  for initialize in (False, True):
    z = _codes(200)
    if initialize:
      with weight_norm.data_dependent_initialization():
        prior().log_prob(z)
    eps = prior.bijector().inverse(z).numpy().reshape(200, -1)
    flipped = _flipped(prior, z.numpy().reshape(200, -1))
    assert 0 < (eps - flipped).std() < 0.2
    rate = distributions.standard_gaussian(_EVENT).log_prob(z)
    difference = tf.reduce_mean(rate - prior().log_prob(z))
    assert abs(difference) < 0.01 * _SIZE + 0.1


@each_class
def test_every_layer_is_initialised_from_the_data_of_its_flow(cls, monkeypatch):
  outputs = {}
  call = weight_norm.WeightNorm.call

  def spy(layer, x):
    y = call(layer, x)
    outputs.setdefault(id(layer), np.array(y).reshape(-1, layer.units))
    return y

  monkeypatch.setattr(weight_norm.WeightNorm, 'call', spy)
  prior = _randomised(cls, 3)
  with weight_norm.data_dependent_initialization():
    prior().log_prob(7.0 * _codes(300) + 2.0)
  layers = weight_norm.layers_of(prior)
  assert len(layers) == 9 and outputs.keys() == set(map(id, layers))
  for y in outputs.values():
    np.testing.assert_allclose(y.std(0), 1.0, rtol=1e-2)
    np.testing.assert_allclose(y.mean(0), 0.0, atol=1e-3)


@each_class
@pytest.mark.parametrize(
  'compiled',
  [False, pytest.param(True, marks=pytest.mark.exhaustive('compiled by XLA'))],
)
def test_all_weights_have_gradients_in_graphs_as_well(cls, compiled):
  prior, z = _randomised(cls), _codes(5)

  def gradients(z):
    with tf.GradientTape() as tape:
      rate = -tf.reduce_mean(prior().log_prob(z))
    return [rate, *tape.gradient(rate, prior.trainable_variables)]

  expected = gradients(z)
  for gradient in expected[1:]:
    assert gradient.shape and np.abs(gradient).max() > 0
  found = tf.function(gradients, jit_compile=compiled)(z)
  for a, b in zip(found, expected):
    np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


@one_class
def test_it_learns_what_a_gaussian_of_neighbours_is(cls):
  """`z[i, j] = eps[i, j] + 0.8 z[i, j - 1]`: the entropy is that of `eps`.

  So no law has more than the noise's mean log-density.
  """
  event = (2, 4, 1)
  eps = tf.random.stateless_normal([4096, *event], [0, 3])
  places = [eps[:, :, 0]]
  for j in range(1, 4):
    places.append(eps[:, :, j] + 0.8 * places[-1])
  z = tf.stack(places, 2)
  prior = _fresh(cls, 1, (8,), event)
  with weight_norm.data_dependent_initialization():
    prior().log_prob(z)
  optimizer = keras.optimizers.Adam(0.02)

  @tf.function(jit_compile=True)
  def step(z):
    with tf.GradientTape() as tape:
      rate = -tf.reduce_mean(prior().log_prob(z))
    variables = prior.trainable_variables
    optimizer.apply(tape.gradient(rate, variables), variables)

  optimizer.build(prior.trainable_variables)
  for k in range(200):
    step(z[256 * (k % 16) :][:256])
  normal = distributions.standard_gaussian(event)
  best = float(tf.reduce_mean(normal.log_prob(eps)))
  plain = float(tf.reduce_mean(normal.log_prob(z)))
  found = float(tf.reduce_mean(prior().log_prob(z)))
  assert plain < best - 2.0
  assert best - 0.15 < found < best + 0.05


def _model(cls, event=(2, 2, 3), image_shape=(6, 5, 1)):
  keras.utils.set_random_seed(0)
  vlae = vlae_lib.VLAE(
    models.DiagonalGaussianPosterior(event, nn.Encoder((4,), 5)),
    cls(event, 2, (4, 4)),
    models.AutoregressiveDecoder(
      1,
      nn.Generator(image_shape[:2], 1, (4,), 5),
      nn.PixelCNN(1, 4, 2),
      distributions.BernoulliPixel(),
    ),
  )
  vlae.build((None, *image_shape))
  rng = np.random.default_rng(0)
  for weight in vlae.trainable_variables:
    weight.assign(weight + 0.3 * rng.standard_normal(weight.shape))
  return vlae


@each_way
@each_class
def test_both_readings_of_the_bound_agree(cls):
  """AF prior on z against IAF posterior on eps = f^-1(z) (paper, Eqs 12-14)."""
  vlae, image = _model(cls), toys.binary_images(7)
  q, flow = vlae.posterior(image), vlae.prior.bijector()
  z = q.sample(seed=(0, 1))
  rate_z = q.log_prob(z) - vlae.prior().log_prob(z)
  iaf = tfd.TransformedDistribution(q, tfb.Invert(flow))
  eps = flow.inverse(tf.identity(z))
  base = distributions.standard_gaussian(vlae.event_shape)
  rate_eps = iaf.log_prob(tf.identity(eps)) - base.log_prob(eps)
  np.testing.assert_allclose(rate_z, rate_eps, rtol=1e-5, atol=1e-4)
  distortion_z = vlae.likelihood(z).log_prob(image)
  distortion_eps = vlae.likelihood(flow.forward(eps)).log_prob(image)
  np.testing.assert_allclose(distortion_z, distortion_eps, rtol=1e-4)


@each_way
@each_class
def test_rates_of_dimensions_sum_to_the_rate(cls):
  vlae, image = _model(cls), toys.binary_images(3)
  noise = np.random.default_rng(0).normal(size=(3, 2, 2, 3)).astype('float32')
  q = vlae.posterior(image)
  code = distributions.draw(q, tf.constant(noise))
  rates = latents.rates_per_dimension(q, vlae.prior(), code.value)
  rate = vlae.terms(code, image).rate
  np.testing.assert_allclose(tf.reduce_sum(rates, 1), rate, rtol=1e-4)
  # Without shifts a number of a code is made of that of the noise alone.
  for layer in weight_norm.layers_of(vlae.prior):
    layer.gain.assign(tf.zeros_like(layer.gain))
    layer.bias.assign(tf.zeros_like(layer.bias))
  place = latents.places_in_noise(vlae.prior(), (2, 2, 3)).numpy()
  eps = latents.to_noise(vlae.prior(), code.value).numpy().reshape(3, -1)
  z = code.value.numpy().reshape(3, -1)
  np.testing.assert_array_equal(eps[:, place], z)
  assert (place != np.arange(12)).any()


@pytest.mark.exhaustive('every prior is trained and saved in conformance')
@each_way
@each_class
def test_a_model_with_it_trains_and_is_saved(cls, tmp_path):
  vlae, images = _model(cls), toys.binary_images(8)
  before = [w.numpy() for w in vlae.prior.trainable_variables]
  vlae.compile(keras.optimizers.Adamax(0.01))
  vlae.fit(images, batch_size=4, verbose=0)
  for old, new in zip(before, vlae.prior.trainable_variables):
    assert (old != new.numpy()).any()
  vlae.save(tmp_path / 'm.keras')
  again = keras.saving.load_model(tmp_path / 'm.keras')
  assert [v.path for v in again.variables] == [v.path for v in vlae.variables]
  for a, b in zip(vlae(images), again(images)):
    np.testing.assert_array_equal(a, b)
  config = vlae.prior.get_config()
  assert type(vlae.prior).from_config(config).get_config() == config


@one_class
def test_draws_in_a_graph_of_an_unknown_number(cls):
  """The loop compiled by XLA, of one small flow."""
  event = (2, 1, 2)
  prior = _randomised(cls, 1, (4,), event)
  spec = tf.TensorSpec([None, *event])
  forward = tf.function(
    lambda eps: prior.bijector().forward(eps), input_signature=[spec]
  )
  eps = tf.random.stateless_normal([3, *event], [0, 1])
  z = forward(eps)
  assert np.abs(z - eps).max() > 0.1
  np.testing.assert_allclose(prior.bijector().inverse(z), eps, atol=1e-4)


@each_class
@pytest.mark.parametrize(
  'arguments, message',
  [
    (((4,),), r'`event_shape` must be \(height, width.*got \(4,\)'),
    ((5,), r'`event_shape` must be \(height, width.*got \(5,\)'),
    (((2, 2, 0),), r'`event_shape` must be .*at least 1, got \(2, 2, 0\)'),
    (((2, 2, 3), 0), '`steps` must be at least 1, got 0'),
    (((2, 2, 3), 1.5), '`steps` must be an integer, got 1.5'),
    (((2, 2, 3), 1, (4, 0)), '`hidden` must be at least 1, got 0'),
  ],
)
def test_bad_sizes_are_refused(cls, arguments, message):
  with pytest.raises(ValueError, match=message):
    cls(*arguments)
