"""Probabilities sum to one, and draws are as frequent as these say."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import toys

from conformance import cases
from vlae_tf.distributions import reparameterized

tfd = tfp.distributions

_SIZE = (3, 4)
_MAX_IMAGES = 600
_DRAWS = 20_000
pytestmark = pytest.mark.usefixtures('all_eagerly')


def continuations(image, values):
  """All images that agree with one but for its last few pixels.

  Returns:
    An array `[num, height, width, 1]`, and how many pixels are the same.
  """
  num = min(image.size, int(math.log(_MAX_IMAGES, len(values))))
  ends = np.array(list(itertools.product(values, repeat=num)), 'float32')
  start = np.tile(image.reshape(1, -1)[:, : image.size - num], [len(ends), 1])
  images = np.concatenate([start, ends], 1)
  return images.reshape(-1, *image.shape), image.size - num


@cases.each_network
def test_images_sum_to_the_probability_of_what_they_share(case):
  """They share all pixels but the last few."""
  network = cases.shared_network(case)
  law = cases.image_law(case, network, cases.features(case, *_SIZE, seed=7))
  image = cases.images(case, *_SIZE, 1)
  images, num = continuations(
    image, cases.values(cases.pixel_distribution(case))
  )
  total = tf.reduce_logsumexp(law.log_prob(images))
  shared = tf.reshape(law.conditionals(image).log_prob(image), [-1])[:num]
  np.testing.assert_allclose(total, tf.reduce_sum(shared), atol=1e-4)


def pixel_cases():
  """Each pixel law, of one channel and of two where it may have two."""
  return [
    pytest.param(case, channels, id=f'{cases.label(case)},{channels}')
    for case in cases.of_each('pixel_distribution')
    for channels in (1, 2)
    if cases.channels(case, channels) == channels
  ]


@pytest.mark.parametrize('case, channels', pixel_cases())
def test_pixels_are_as_frequent_as_their_law_says(case, channels):
  law, values = (
    cases.pixel_distribution(case),
    cases.values(cases.pixel_distribution(case)),
  )
  params = tf.random.stateless_normal([law.num_params(channels)], [0, 1])
  pixels = np.array(list(itertools.product(values, repeat=channels)))
  probabilities = np.exp(law.distribution(params).log_prob(pixels))
  np.testing.assert_allclose(probabilities.sum(), 1.0, rtol=1e-4)
  uniforms = toys.uniforms(_DRAWS, law.num_uniforms(channels))
  drawn = law.quantile(tf.tile(params[None], [_DRAWS, 1]), uniforms)
  levels = np.searchsorted(values, drawn.numpy())
  np.testing.assert_array_equal(values[levels], drawn)
  numbers = levels @ len(values) ** np.arange(channels)[::-1]
  frequencies = np.bincount(numbers, minlength=len(pixels)) / _DRAWS
  error = np.sqrt(probabilities * (1 - probabilities) / _DRAWS)
  # A few draws of the rarest are no deviation.
  assert (np.abs(frequencies - probabilities) < 5 * error + 3 / _DRAWS).all()


def check_density(draws, log_prob):
  """Checks by importance sampling that draws have a density.

  The mean of `g / p` is one for any density `g` if `p` is that of the draws.

  Args:
    draws: Array of shape `[num, ...]`.
    log_prob: Array of shape `[num]`.
  """
  draws = draws.reshape(len(draws), -1)
  # Narrower than the draws, so that no weight is large.
  inner = tfd.MultivariateNormalDiag(draws.mean(0), 0.7 * draws.std(0))
  weights = np.exp(inner.log_prob(draws) - log_prob)
  error = weights.std() / np.sqrt(len(weights))
  assert error < 0.02
  assert abs(weights.mean() - 1) < 5 * error


@cases.each(cases.of_each('prior'))
def test_codes_have_the_density_of_the_prior(case):
  prior = cases.shared_model(case).prior()
  draws = prior.sample(_DRAWS, seed=(0, 1))
  check_density(draws.numpy(), prior.log_prob(tf.identity(draws)).numpy())


@cases.each(cases.of_each('posterior'))
def test_codes_have_the_density_of_the_posterior(case):
  model = cases.shared_model(case)
  law = model.posterior(cases.images(case, 1, *cases.IMAGE_SHAPE))
  noise = cases.noise(model, _DRAWS)[:, None]
  code = reparameterized.draw(law, noise)
  again = law.log_prob(tf.identity(code.value))
  np.testing.assert_allclose(code.log_prob, again, rtol=1e-4, atol=1e-4)
  check_density(code.value[:, 0].numpy(), code.log_prob[:, 0].numpy())


@cases.each(cases.of_each('prior', 'posterior'))
def test_density_is_that_of_the_noise_over_the_volume(case):
  model = cases.shared_model(case)
  image = cases.images(case, 2, *cases.IMAGE_SHAPE)
  noise = tf.convert_to_tensor(cases.noise(model, 2))
  axes = list(range(1, len(noise.shape)))
  of_noise = tf.reduce_sum(tfd.Normal(0.0, 1.0).log_prob(noise), axes)
  for law in (model.prior(), model.posterior(image)):
    value = tf.identity(reparameterized.draw(law, noise).value)
    np.testing.assert_allclose(
      law.log_prob(value), of_noise - _volume(law, noise, value), atol=1e-3
    )


def _volume(law, noise, value):
  """Logarithm of a draw's volume over that of the noise it is made of.

  A flow over places is drawn by the engine, which has no gradient: of such a
  law it is minus that of the inverse.
  """
  if hasattr(law, 'bijector') and len(law.event_shape) > 1:
    return -_log_det(lambda z: law.bijector.inverse(tf.identity(z)), value)
  return _log_det(lambda e: reparameterized.draw(law, e).value, noise)


def _log_det(fn, x):
  """Logarithm of the Jacobian's determinant of each row, by autodiff."""
  with tf.GradientTape(persistent=True) as tape:
    tape.watch(x)
    ends = tf.unstack(tf.reshape(tf.reduce_sum(fn(x), 0), [-1]))
  rows = [tf.reshape(tape.gradient(end, x), [len(x), -1]) for end in ends]
  return np.linalg.slogdet(np.stack(rows, 1))[1]
