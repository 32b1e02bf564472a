"""All that is registered can be coded, at the cost of its probability."""

import functools
import math

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import toys

from conformance import cases
from vlae_tf import compression
from vlae_tf.compression import lattice, rans
from vlae_tf.distributions import (
  autoregressive_image,
  pixel_distributions,
  reparameterized,
)

tfd = tfp.distributions

_LANES = 3
_IMAGE_SHAPE = (2, 3, 1)
_STEP = 1 / 16
_LIVE = np.array([True, False, True])
each_live = pytest.mark.parametrize('live', [None, _LIVE], ids=['all', 'some'])


# Lanes that are not coded to, with one that is, are harder than all lanes.
each_live_of_networks = pytest.mark.parametrize(
  'live',
  [
    pytest.param(
      None,
      id='all',
      marks=pytest.mark.exhaustive('all lanes, where some are coded as well'),
    ),
    pytest.param(_LIVE, id='some'),
  ],
)


@pytest.fixture(
  params=[
    'eagerly',
    pytest.param(
      'compiled', marks=pytest.mark.exhaustive('each codec compiled by XLA')
    ),
  ]
)
def way(request):
  """How codecs compute: compiled, as users have them, takes seconds each."""
  if request.param == 'eagerly':
    request.getfixturevalue('eagerly')


each_way = pytest.mark.usefixtures('way')


@functools.cache
def _exact(case, image_shape=_IMAGE_SHAPE):
  return compression.ExactModel(toys.random_model(case, image_shape))


@pytest.fixture(scope='module', autouse=True)
def _forgotten():
  yield
  _exact.cache_clear()


def _images(case):
  return tf.cast(cases.images(case, _LANES, *_IMAGE_SHAPE), tf.float64)


def _levels(images):
  """Pixels of a law as a codec has them: parts of 255 in float64."""
  return tf.round(images * 255) / 255


def _codes(*shape, step=_STEP):
  z = np.random.default_rng(0).normal(size=(_LANES, *shape))
  return lattice.nearest(tf.constant(z), step)


def _slack(num):
  """Bits that rounding heads takes at most, of so many symbols."""
  return 0.02 + 5 * 2.0**-10 * math.sqrt(num)


def _bits(log_prob, live):
  """Bits of the lanes that are coded."""
  nats = np.asarray(log_prob)[slice(None) if live is None else live]
  return -nats.sum() / math.log(2)


def _in_graph(codec):
  """A codec whose operations are traced once, as those of chunks are."""

  class Traced:
    """`codec`, in graphs."""

    push = staticmethod(tf.function(codec.push, autograph=False))
    pop = staticmethod(tf.function(codec.pop, autograph=False))

  return Traced()


# Names of what has no code of its own.
_NOT_CODED = {'pixel_distribution': set(), 'prior': set(), 'posterior': {'iaf'}}


@pytest.mark.parametrize('field', _NOT_CODED)
def test_everything_registered_has_a_codec(field):
  """A newcomer fails here by its name."""
  missing = set()
  for name in cases.registries()[field]:
    case = cases.config(**{field: name})
    model = cases.shared_model(case)
    laws = {
      'pixel_distribution': lambda m=model: m.likelihood(tf.zeros([_LANES, 3])),
      'prior': lambda m=model: m.prior(),
      'posterior': lambda m=model: m.posterior(
        tf.zeros([_LANES, *cases.IMAGE_SHAPE])
      ),
    }
    try:
      codec = compression.codec_of(laws[field](), _STEP, _LANES)
    except ValueError:
      missing.add(name)
    else:
      assert isinstance(codec, compression.Codec)
  assert missing == _NOT_CODED[field]


@pytest.mark.usefixtures('eagerly')
@each_live
@pytest.mark.parametrize('name', pixel_distributions.PIXEL_DISTRIBUTIONS)
def test_pixels_cost_their_probability(name, live):
  """Of parameters that no network makes; oracle: the law's probability."""
  law = pixel_distributions.PIXEL_DISTRIBUTIONS[name]()
  rng = np.random.default_rng(0)
  params = rng.normal(size=(_LANES, 2, 2, law.num_params(3)))
  params = tf.constant(np.floor(params * 2**10 + 0.5) / 2**10)
  pixels = rng.integers(0, 2, (_LANES, 2, 2, 3)).astype('float64')
  if 'levels' in law.kinds:
    pixels = rng.integers(0, 256, pixels.shape) / 255
  codec = compression.AutoregressiveImages(
    autoregressive_image.AutoregressiveImage(
      lambda image, params: params, params, 3, law
    )
  )
  bits = compression.check_codec(codec, tf.constant(pixels), live)
  log_prob = law.distribution(params).log_prob(
    tf.constant(pixels.astype('float32').astype('float64'))
  )
  expected = _bits(tf.reduce_sum(log_prob, [-2, -1]), live)
  # A logit is off by 1 / 512: on average that cancels.
  assert bits == pytest.approx(expected, abs=0.01 * 36)


_PLAIN = {
  'coins': lambda: tfd.Bernoulli(logits=_normal(_LANES, 7)),
  'same_coin': lambda: tfd.Bernoulli(logits=_normal()),
  'levels': lambda: tfd.Categorical(logits=_normal(_LANES, 4, 9)),
  'same_levels': lambda: tfd.Categorical(logits=_normal(9)),
  'normal': lambda: tfd.Normal(
    _normal(_LANES, 4), tf.exp(_normal(_LANES, 4) / 4)
  ),
  'independent': lambda: tfd.Independent(
    tfd.Normal(_normal(_LANES, 2, 4), tf.exp(_normal(_LANES, 2, 4) / 4)), 2
  ),
  'diagonal': lambda: tfd.MultivariateNormalDiag(
    _normal(_LANES, 4), tf.exp(_normal(_LANES, 4) / 4)
  ),
  'standard': lambda: reparameterized.standard_gaussian((4,), 'float64'),
  'standard_image': lambda: reparameterized.standard_gaussian(
    (2, 3), 'float64'
  ),
  'no_dimension': lambda: reparameterized.standard_gaussian((0,), 'float64'),
  'no_dimension_of_each': lambda: reparameterized.diagonal_gaussian(
    tf.zeros([_LANES, 0], tf.float64), tf.ones([_LANES, 0], tf.float64)
  ),
}


def _normal(*shape):
  return tf.constant(np.random.default_rng(sum(shape)).normal(size=shape))


def _value_of(law, is_number):
  """A draw for each lane, on the lattice if it is a number."""
  lanes = [] if law.batch_shape.rank else [_LANES]
  value = tf.cast(law.sample(lanes, seed=3), tf.float64)
  return lattice.nearest(value, _STEP) if is_number else value


@each_way
@each_live
@pytest.mark.parametrize('name', _PLAIN)
def test_laws_cost_their_probability(name, live):
  """Of a number that is its density times the step, up to the bend of it."""
  law = _PLAIN[name]()
  is_number = isinstance(law, tfd.Normal) or bool(law.event_shape.rank)
  value = _value_of(law, is_number)
  bits = compression.check_codec(
    compression.codec_of(law, _STEP, _LANES), value, live
  )
  log_prob = law.log_prob(value if is_number else tf.cast(value, tf.int32))
  log_prob = tf.reshape(log_prob, [_LANES, -1])
  size = math.prod(value.shape[1:])
  if is_number:
    log_prob += size / log_prob.shape[1] * math.log(_STEP)
  # A mean is off by a sixteenth of a step, a scale by 2**(1 / 32).
  most = 0.03 * size * _LANES + 0.01
  assert bits == pytest.approx(_bits(log_prob, live), abs=most)


@each_way
@each_live_of_networks
@cases.each(cases.of_each('decoder'))
def test_images_cost_their_probability(case, live):
  exact, images = _exact(case), _images(case)
  with exact.scope():
    law = exact.model.likelihood(_codes(case.latent_size))
    codec = compression.codec_of(law, _STEP, _LANES)
    bits = compression.check_codec(_in_graph(codec), images, live)
    log_prob = law.log_prob(images)
  assert bits == pytest.approx(_bits(log_prob, live), abs=_slack(18))


@each_way
@cases.each(
  [
    cases.config(pixel_distribution=n)
    for n in ('categorical', 'logistic_mixture')
  ]
)
def test_images_of_levels_cost_their_probability(case):
  exact, images = _exact(case), _images(case)
  with exact.scope():
    law = exact.model.likelihood(_codes(case.latent_size))
    codec = compression.codec_of(law, _STEP, _LANES)
    bits = compression.check_codec(_in_graph(codec), _levels(images))
    # Of the pixels as a network gets them.
    seen = tf.floor(_levels(images) * 2**10 + 0.5) / 2**10
    conditionals = law.pixel_distribution.distribution(law.params(seen))
    log_prob = conditionals.log_prob(images)
  expected = _bits(log_prob, None)
  assert bits == pytest.approx(expected, abs=_slack(18) + 0.01 * 18)


@each_way
@each_live_of_networks
@cases.each(cases.of_each('prior'))
def test_codes_cost_their_probability_under_a_prior(case, live):
  exact = _exact(case, cases.IMAGE_SHAPE)
  with exact.scope():
    law = exact.model.prior()
    code = _codes(*law.event_shape)
    bits = compression.check_codec(
      compression.codec_of(law, _STEP, _LANES), code, live
    )
    noise = code
    if hasattr(exact.model.prior, 'bijector'):
      flow = compression.on_lattice(exact.model.prior.bijector(), _STEP)
      noise = flow.inverse(tf.identity(code))
  # Of the noise that is coded: the flow's shifts are rounded.
  density = -0.5 * noise**2 - 0.5 * math.log(2 * math.pi)
  axes = list(range(1, len(density.shape)))
  log_prob = tf.reduce_sum(density + math.log(_STEP), axes)
  assert bits == pytest.approx(_bits(log_prob, live), abs=0.03)


@each_way
@each_live_of_networks
@cases.each(
  case
  for case in cases.of_each('posterior')
  if case.posterior not in _NOT_CODED['posterior']
)
def test_codes_cost_their_probability_under_a_posterior(case, live):
  exact, images = _exact(case), _images(case)
  with exact.scope():
    law = exact.model.posterior(images)
    noise = np.random.default_rng(0).normal(size=law.mean().shape)
    code = lattice.nearest(law.mean() + noise * law.stddev(), _STEP)
    bits = compression.check_codec(
      compression.codec_of(law, _STEP, _LANES), code, live
    )
    log_prob = law.log_prob(code) + case.latent_size * math.log(_STEP)
  # A mean is off by a sixteenth of a step, a scale by 2**(1 / 32).
  assert bits == pytest.approx(_bits(log_prob, live), abs=0.06 * 9)


def _parts(exact):
  """Prior, likelihood and posterior as `BitsBack` wants them."""
  model = exact.model

  def of(law):
    return compression.codec_of(law, _STEP, _LANES)

  return (
    lambda: of(model.prior()),
    lambda code: of(model.likelihood(code)),
    lambda image: of(model.posterior(image)),
  )


_WITH_FLOW = cases.config(prior='flow')


@each_way
@each_live_of_networks
def test_images_and_codes_cost_what_their_laws_do(live):
  exact, images = _exact(_WITH_FLOW), _images(_WITH_FLOW)
  code = _codes(_WITH_FLOW.latent_size)
  with exact.scope():
    prior, likelihood, _ = _parts(exact)
    codec = _in_graph(compression.WithCode(prior, likelihood))
    found = compression.check_codec(codec, (images, code), live)
    log_prob = exact.model.likelihood(code).log_prob(images)
    expected = compression.check_codec(prior(), code, live) + _bits(
      log_prob, live
    )
  assert found == pytest.approx(expected, abs=_slack(30))


@each_way
@each_live_of_networks
def test_bits_come_back(live):
  """An image costs the bound of the very code that was drawn."""
  exact, images = _exact(_WITH_FLOW), _images(_WITH_FLOW)
  with exact.scope():
    prior, likelihood, posterior = _parts(exact)
    codec = _in_graph(compression.BitsBack(prior, likelihood, posterior))
    found = compression.check_codec(codec, images, live)
    before = rans.random(_LANES, live=live)
    _, code = posterior(images).pop(before)
    rate, back = (
      compression.check_codec(f, code, live)
      for f in (prior(), posterior(images))
    )
    log_prob = exact.model.likelihood(code).log_prob(images)
    expected = rate - back + _bits(log_prob, live)
  assert found == pytest.approx(expected, abs=_slack(40))


class _Broken(compression.Independent):
  """Gives back something else, or leaves another message."""

  def __init__(self, how):
    super().__init__(compression.BernoulliSymbols(), tf.zeros([_LANES, 5, 1]))
    self._how = how

  def pop(self, message):
    popped, value = super().pop(message)
    if self._how == 'value':
      return popped, 1 - value
    return popped._replace(heads=popped.heads + 1), value


@pytest.mark.parametrize('how', ['value', 'message'])
def test_codecs_that_do_not_undo_themselves_are_refused(how):
  with pytest.raises(ValueError, match=rf'`codec` must give back the {how}'):
    compression.check_codec(_Broken(how), tf.ones([_LANES, 5]))
