"""Draws, densities and flows agree, as those of TFP's own tests have to.

`VectorDistributionTestHelpers` and `DiscreteScalarDistributionTestHelpers` of
TFP's `test_util`, which is in its wheel: volumes of balls from the density of
draws, moments, histograms. What `bijector_test_util` checks, which is in no
wheel, is written anew.
"""

import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.internal import test_util

from conformance import cases
from vlae_tf.distributions import autoregressive_image, autoregressive_shift
from vlae_tf.models import architectures, posteriors, priors
from vlae_tf.nn import made

pytestmark = pytest.mark.usefixtures('all_eagerly')

tfb = tfp.bijectors
tfd = tfp.distributions

_DRAWS = 100_000
_IMAGES = 20_000
_SEED = 3
# Of codes of two numbers and of three; not all priors are of each.
_EVENT_SHAPES = [(2,), (1, 2, 1), (1, 1, 2), (3,), (3, 1, 1), (1, 1, 3)]
_MORE = pytest.mark.exhaustive('more shapes of the same laws')


class _Vectors(test_util.VectorDistributionTestHelpers, test_util.TestCase):
  __test__ = False  # No tests: helpers of TFP's tests.


class _Scalars(
  test_util.DiscreteScalarDistributionTestHelpers, test_util.TestCase
):
  __test__ = False


vectors, scalars = _Vectors('evaluate'), _Scalars('evaluate')


@pytest.fixture(autouse=True)
def _stateless_seeds(monkeypatch):
  """Has TFP's helpers draw without global state, and read no flags."""
  monkeypatch.setattr(
    test_util, 'test_seed_stream', lambda hardcoded_seed: (0, hardcoded_seed)
  )


def with_weights(layer, seed=0):
  """A built layer with weights that make a flow far from the identity."""
  rng = np.random.default_rng(seed)
  for weight in layer.variables:
    scale = 2.0 if weight.name == 'gain' else 0.5
    weight.assign(scale * rng.standard_normal(weight.shape))
  return layer


@functools.cache
def prior_of(name, event_shape):
  """The registered prior over codes of a shape, with random weights.

  One for all tests: to draw from some of them takes seconds to compile.
  """
  prior = new_prior(name, event_shape)
  prior.build()
  return with_weights(prior)


@functools.cache
def new_prior(name, event_shape):
  """The same without weights, or `None` where it is not of such codes."""
  try:
    return priors.PRIORS[name](cases.config(prior=name), event_shape)
  except ValueError:
    return None


def prior_cases():
  """Each prior with its first shape; with others in the exhaustive tier."""
  found = []
  for name in priors.PRIORS:
    shapes = [shape for shape in _EVENT_SHAPES if new_prior(name, shape)]
    for k, shape in enumerate(shapes):
      marks = _MORE if k else ()
      found.append(pytest.param(name, shape, marks=marks, id=f'{name},{shape}'))
  return found


def usual_priors():
  """Names of the priors, and the shapes of those not in the larger tier."""
  return [case.values for case in prior_cases() if not case.marks]


def posterior_cases():
  """Each posterior with the codes that it may be of."""
  found = []
  for name in posteriors.POSTERIORS:
    for encoder in architectures.ENCODERS:
      for size in (2, 3):
        try:
          case = cases.config(posterior=name, encoder=encoder, latent_size=size)
        except ValueError:
          continue
        if case.posterior == name:
          usual = size == 2 and encoder in ('vector', 'spatial_resnet')
          found.append(
            pytest.param(
              case,
              marks=() if usual else _MORE,
              id=f'{name},{encoder},{size}',
            )
          )
  return found


def posterior_law(case):
  """The law of the codes of two images, by a posterior of random weights."""
  image_shape = (2, 2, 1)
  posterior = posteriors.create(
    case, architectures.event_shape(case, image_shape)
  )
  posterior.build((None, *image_shape))
  images = np.random.default_rng(0).random((2, *image_shape), 'float32')
  return with_weights(posterior)(images)


def flattened(law):
  """A law of codes as one of vectors."""
  shape = law.event_shape
  if len(shape) == 1:
    return law
  # By its number: of `[-1]` TFP does not say the shape of an event.
  size = shape.num_elements()
  return tfd.TransformedDistribution(law, tfb.Reshape([size], shape))


def standardised(law):
  """A law of vectors with mean zero and variance one, by its draws."""
  draws = law.sample(_DRAWS, seed=(0, 1)).numpy()
  mean, deviation = draws.mean(0), draws.std(0)
  unit = tfb.Chain([tfb.Scale(1 / deviation), tfb.Shift(-mean)])
  return tfd.TransformedDistribution(law, unit)


def check_balls(law):
  """Checks TFP's estimate of the volumes of two balls, by draws' densities."""
  law = standardised(law)
  for center, radius in ((0.0, 1.2), (0.4, 0.8)):
    vectors.run_test_sample_consistent_log_prob(
      vectors.evaluate,
      law,
      num_samples=_DRAWS,
      radius=radius,
      center=center,
      seed=_SEED,
      rtol=0.03,
    )


def has_moments(law):
  """Whether a law says its mean and its covariance."""
  try:
    law.mean(), law.covariance()
  except NotImplementedError:
    return False
  return True


def check_vectors(law):
  """Checks draws of codes against density and moments."""
  law = flattened(law)
  check_balls(law)
  if has_moments(law):
    scale = law.stddev().numpy().max()
    vectors.run_test_sample_consistent_mean_covariance(
      vectors.evaluate,
      law,
      num_samples=_DRAWS,
      seed=_SEED,
      rtol=0.02,
      atol=0.02 * scale,
      cov_atol=0.02 * scale**2,
    )


@pytest.mark.parametrize('name, event_shape', prior_cases())
def test_codes_of_a_prior(name, event_shape):
  law = prior_of(name, event_shape)()
  assert tuple(law.event_shape) == event_shape
  check_vectors(law)


@pytest.mark.parametrize('case', posterior_cases())
def test_codes_of_a_posterior(case):
  law = posterior_law(case)
  assert tuple(law.batch_shape) == (2,)
  check_vectors(law)


def test_moments_are_those_of_gaussians_alone():
  """What a flow makes of its noise's mean is not the mean of its codes."""
  with_them = {
    name
    for name, event_shape in usual_priors()
    if has_moments(prior_of(name, event_shape)())
  }
  assert with_them == {'gaussian'}
  for name in posteriors.POSTERIORS:
    case = cases.config(posterior=name, latent_size=2)
    assert has_moments(posterior_law(case)) == (name == 'gaussian')


def test_every_name_is_tested_without_the_exhaustive_tier():
  assert {name for name, _ in usual_priors()} == set(priors.PRIORS)
  usual = {c.values[0].posterior for c in posterior_cases() if not c.marks}
  assert usual == set(posteriors.POSTERIORS)


def flow_cases():
  """Names and shapes of the priors that have a flow, the larger ones last."""
  return [
    case
    for case in prior_cases()
    if hasattr(new_prior(*case.values), 'bijector')
    and not _is_constant(*case.values)
  ]


def _is_constant(name, event_shape):
  """Whether a flow's shifts are: a place alone has none before it."""
  return name == 'placewise_pixelcnn_flow' and event_shape[:2] == (1, 1)


def iaf_flow():
  """The flow of a posterior, which sees two images."""
  return posterior_law(cases.config(posterior='iaf', latent_size=3)).bijector


def points(event_shape, num=_DRAWS):
  """Numbers where flows are tried, far ones among them.

  Arrays: of a tensor that a bijector made, TFP would remember whereof.
  """
  rng = np.random.default_rng(0)
  return 2 * rng.standard_normal((num, *event_shape), 'float32')


def check_bijective(flow, x, y):
  """Checks that both directions are inverses, their volumes as well.

  Args:
    flow: `tfb.Bijector`.
    x: Array of inputs of `forward`.
    y: Array of inputs of `inverse`.
  """
  ndims = flow.forward_min_event_ndims, flow.inverse_min_event_ndims
  f_x, g_y = flow.forward(x).numpy(), flow.inverse(y).numpy()
  assert f_x.shape == y.shape and g_y.shape == x.shape
  # Neither is nothing at all.
  assert np.abs(f_x.reshape(x.shape) - x).max() > 0.1
  close = functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-4)
  close(flow.inverse(f_x), x)
  close(flow.forward(g_y), y)
  for a, b in ((x, f_x), (g_y, y)):
    forward = flow.forward_log_det_jacobian(a, ndims[0]).numpy()
    inverse = flow.inverse_log_det_jacobian(b, ndims[1]).numpy()
    assert np.isfinite([forward, inverse]).all()
    close(-inverse, forward)


def check_volume(fn, log_det, x):
  """Checks the volume of a map by automatic differentiation.

  Args:
    fn: Callable of a tensor `[num, ...]`, differentiable.
    log_det: What the bijector says of it at `x`.
    x: Array of shape `[num, ...]`.
  """
  flat = tf.constant(x.reshape(len(x), -1))
  with tf.GradientTape(persistent=True) as tape:
    tape.watch(flat)
    y = tf.reshape(fn(tf.reshape(flat, x.shape)), flat.shape)
  jacobian = tape.batch_jacobian(y, flat, experimental_use_pfor=False)
  _, found = np.linalg.slogdet(jacobian)
  np.testing.assert_allclose(
    np.broadcast_to(log_det, found.shape), found, atol=1e-4
  )
  # Not for want of any dependence.
  assert np.abs(jacobian - np.eye(flat.shape[-1])).max() > 0.1


@pytest.mark.usefixtures('compiled')
@pytest.mark.parametrize('name, event_shape', flow_cases())
def test_flow_of_a_prior_is_bijective(name, event_shape):
  flow = prior_of(name, event_shape).bijector()
  y = points(event_shape)
  check_bijective(flow, y.reshape(-1, *flow.inverse(y[:1]).shape[1:]), y)
  # The draw's direction is compiled, without a gradient.
  y = y[:6]
  ndims = flow.inverse_min_event_ndims
  check_volume(flow.inverse, flow.inverse_log_det_jacobian(y, ndims), y)


def test_flow_of_a_posterior_is_bijective():
  flow, x = iaf_flow(), points((3,), 20)
  check_bijective(flow, x, x)
  x = x[:6]
  check_volume(flow.forward, flow.forward_log_det_jacobian(x, 1), x)


@pytest.mark.parametrize('changed', [False, True])
def test_a_step_is_bijective(changed):
  network = with_weights(made_of(3))
  step = autoregressive_shift.AutoregressiveShift(network, network.unroll)
  if changed:
    step = step.with_shift(tf.tanh)
  # Also of more axes than a batch.
  x = points((5, 4, 3), 2)
  check_bijective(step, x, x)
  for direction in ('forward', 'inverse'):
    log_det = getattr(step, f'{direction}_log_det_jacobian')(x[0, 0], 1)
    check_volume(getattr(step, direction), log_det, x[0, 0])


def made_of(size):
  """A network of a step."""
  network = made.MADE(size, (5, 4))
  network.build((None, size))
  return network


def test_every_flow_is_tested_without_the_exhaustive_tier():
  """All laws of codes that are not the one without a flow."""
  names = {case.values[0] for case in flow_cases() if not case.marks}
  assert names == set(priors.PRIORS) - {'gaussian'}
  assert set(posteriors.POSTERIORS) == {'gaussian', 'iaf'}


def pixel_params(case):
  """Parameters of two pixels of one channel, with few likely levels."""
  num = cases.pixel_distribution(case).num_params(1)
  return 3 * tf.random.stateless_normal([2, num], [0, 2])


@dataclasses.dataclass
class Levels:
  """A law of pixels of one channel as one of whole numbers, for TFP."""

  law: tfd.Distribution
  highest: int

  def sample(self, num, seed):
    return tf.round(self.law.sample(num, seed=seed)[..., 0] * self.highest)

  def log_prob(self, levels):
    return self.law.log_prob(levels[..., None] / self.highest)

  def batch_shape_tensor(self):
    return self.law.batch_shape_tensor()


@cases.each(cases.of_each('pixel_distribution'))
def test_pixels_of_a_law(case):
  values = cases.values(cases.pixel_distribution(case))
  law = cases.pixel_distribution(case).distribution(pixel_params(case))
  least = 1000
  scalars.run_test_sample_consistent_log_prob(
    scalars.evaluate,
    Levels(law, len(values) - 1),
    num_samples=_DRAWS,
    num_threshold=least,
    batch_size=2,
    seed=_SEED,
    rtol=0.12,
  )
  # What was compared is most of it.
  probabilities = np.exp(law.log_prob(values[:, None, None]))
  likely = probabilities * (probabilities * _DRAWS > least)
  assert (likely.sum(0) > 0.6).all()


@cases.each(cases.of_each('pixel_distribution'))
def test_pixels_have_the_moments_of_their_law(case):
  law = cases.pixel_distribution(case).distribution(pixel_params(case))
  try:
    law.variance()
  except NotImplementedError:
    # No variance: the mean alone.
    mean = law.sample(_DRAWS, seed=(0, _SEED)).numpy().mean(0)
    np.testing.assert_allclose(mean, law.mean(), rtol=0.02)
    return
  scalars.run_test_sample_consistent_mean_variance(
    scalars.evaluate, law, num_samples=_DRAWS, seed=_SEED, rtol=0.02
  )


@cases.each(cases.of_each('pixel_distribution'))
def test_images_of_two_pixels_are_as_frequent_as_they_should_be(case):
  """All that are drawn often, and together the rest."""
  network = cases.shared_network(case)
  law = autoregressive_image.AutoregressiveImage(
    lambda image, features: 4 * network(image, features),
    cases.features(case, 1, 2, seed=5),
    1,
    cases.pixel_distribution(case),
  )
  drawn = law.sample(_IMAGES, seed=(0, _SEED)).numpy()
  images, counts = np.unique(drawn, axis=0, return_counts=True)
  often = counts > 100
  probabilities = np.exp(law.log_prob(images[often]))
  frequencies = counts[often] / _IMAGES
  error = np.sqrt(probabilities * (1 - probabilities) / _IMAGES)
  assert (np.abs(frequencies - probabilities) < 4 * error).all()
  assert frequencies.sum() > 0.6
  assert len(frequencies) > 2
  total = probabilities.sum()
  spread = np.sqrt(total * (1 - total) / _IMAGES) if total < 1 else 0.0
  assert abs(total - frequencies.sum()) < 4 * spread + 1e-5
