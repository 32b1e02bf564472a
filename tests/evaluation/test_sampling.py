"""Samples, decompressions, completions and nats of pixels."""

import functools
import itertools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import toys

from vlae_tf.distributions import autoregressive_image, pixel_distributions
from vlae_tf.evaluation import sampling
from vlae_tf.utils import random

pytestmark = pytest.mark.usefixtures('all_eagerly')

tfd = tfp.distributions


@functools.cache
def _small_model():
  """A model whose compiled functions all tests share."""
  return toys.small_model()


@pytest.fixture(scope='module', autouse=True)
def _forget_model():
  yield
  _small_model.cache_clear()


def test_seed_decides_the_samples():
  vlae = _small_model()
  first, again, other = (sampling.sample_prior(vlae, 6, s) for s in (1, 1, 2))
  np.testing.assert_array_equal(first, again)
  assert (first != other).any()
  assert set(np.unique(first)) <= {0.0, 1.0}
  assert first.shape == (6, 6, 5, 1)


def test_draws_of_one_code_differ_and_codes_decide_their_mean():
  vlae = _small_model()
  images = toys.binary_images(3)
  draws = sampling.decompress(vlae, images, draws=400)
  assert draws.shape == (400, 3, 6, 5, 1)
  # The first pixel depends on the latent alone: its frequency is its mean.
  latent_seed = random.stream_seed(0, 'sample', 0)
  # With so many draws, every image is a part, with its own seed.
  fold = tf.random.experimental.stateless_fold_in
  part_seeds = [latent_seed, fold(latent_seed, 1), fold(latent_seed, 2)]
  z = tf.concat(
    [
      sampling.posterior_samples(vlae, images[i : i + 1], seed)
      for i, seed in enumerate(part_seeds)
    ],
    0,
  )
  mean = vlae.likelihood(z).conditionals(images).mean().numpy()[:, 0, 0, 0]
  error = np.sqrt(mean * (1 - mean) / 400)
  assert (np.abs(draws[:, :, 0, 0, 0].mean(0) - mean) < 4 * error).all()


def test_continuations_keep_what_is_given():
  vlae = _small_model()
  images = toys.binary_images(3)
  drawn = sampling.complete(vlae, images, 13, draws=4, seed=1)
  assert drawn.shape == (4, 3, 6, 5, 1)
  flat = drawn.reshape(4, 3, -1)
  np.testing.assert_array_equal(
    flat[:, :, :13], [images.reshape(3, -1)[:, :13]] * 4
  )
  assert flat[:, :, 13:].std() > 0
  everything = sampling.complete(vlae, images, 30, draws=1)
  np.testing.assert_array_equal(everything[0], images)


class SharedCode:
  """`p(x|z) = prod{ Bernoulli(x[i]; logit = 3 z) }`, `z ~ N(0, 1)`."""

  image_shape = (2, 3, 1)
  event_shape = (1,)

  def posterior(self, image):
    # Far from the true posterior, as it may be for half an image.
    mean = tf.zeros([len(image), 1]) - 1.0
    return tfd.MultivariateNormalDiag(mean, tf.ones_like(mean))

  def prior(self):
    return tfd.MultivariateNormalDiag(tf.zeros([1]))

  def likelihood(self, z):
    features = tf.broadcast_to(z[..., None, None, :], [*z.shape[:-1], 2, 3, 1])
    return autoregressive_image.AutoregressiveImage(
      lambda image, features: 3.0 * features,
      features,
      1,
      pixel_distributions.BernoulliPixel(),
    )

  def joint(self, images):
    """p(x) by quadrature over the latent."""
    z = np.linspace(-8, 8, 4001)
    ones = images.reshape(len(images), -1).sum(1)[:, None]
    mean = 1 / (1 + np.exp(-3 * z))
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) * (z[1] - z[0])
    return (mean**ones * (1 - mean) ** (6 - ones) * density).sum(1)


def test_continuations_follow_the_law_given_the_prefix():
  # p(rest | prefix) = p(prefix, rest) / p(prefix).
  model, draws = SharedCode(), 4000
  rests = np.array(list(itertools.product([0.0, 1.0], repeat=3)), 'float32')
  images = np.concatenate([np.ones([8, 3], 'float32'), rests], 1)
  joint = model.joint(images)
  expected = joint / joint.sum()
  image = images[:1].reshape(1, 2, 3, 1)
  drawn = sampling.complete(model, image, 3, draws, proposals=20000)
  codes = drawn.reshape(draws, -1)[:, 3:] @ [4, 2, 1]
  frequency = np.bincount(codes.astype(int), minlength=8) / draws
  error = np.sqrt(expected * (1 - expected) / draws)
  assert (np.abs(frequency - expected) < 4.5 * error).all()


def test_no_more_pixels_are_given_than_there_are():
  with pytest.raises(ValueError, match=r'`num_given` must be in \[0, 30\]'):
    sampling.complete(_small_model(), toys.binary_images(1), 31)


@pytest.mark.parametrize(
  'changes, message',
  [
    (dict(proposals=1), '`proposals` must be at least 2, got 1'),
    (dict(draws=0), '`draws` must be at least 1, got 0'),
    (dict(draws=1.5), '`draws` must be an integer, got 1.5'),
    (dict(num_given=-1), r'`num_given` must be in \[0, 30\], got -1'),
    (dict(seed=-1), r'`seed` must be in \[0, 2147483646\], got -1'),
    (dict(images=np.zeros((2, 5, 6, 1))), r'\[batch, 6, 5, 1\], got \(2, 5'),
    (dict(images=np.zeros((6, 5, 1))), r'\[batch, 6, 5, 1\], got \(6, 5, 1'),
    (dict(images=np.zeros((1, 6, 5, 1), bool)), 'float dtype .* got bool'),
    (dict(images=np.full((1, 6, 5, 1), 2.0)), r'in \[0, 1\] .* 2.0 to 2.0'),
    (dict(images=np.zeros((0, 6, 5, 1))), '`images` must not be empty'),
  ],
)
def test_bad_completions_are_refused(changes, message):
  given = dict(images=toys.binary_images(1), num_given=3)
  with pytest.raises(ValueError, match=message):
    sampling.complete(_small_model(), **(given | changes))


def test_two_proposals_are_enough():
  images = toys.binary_images(1)
  drawn = sampling.complete(_small_model(), images, 3, proposals=2)
  assert drawn.shape == (1, *images.shape)


def test_bad_samples_and_decompressions_are_refused():
  vlae = _small_model()
  with pytest.raises(ValueError, match='`num` must be at least 1, got 0'):
    sampling.sample_prior(vlae, 0)
  with pytest.raises(ValueError, match='`draws` must be at least 1, got 0'):
    sampling.decompress(vlae, toys.binary_images(1), draws=0)
  with pytest.raises(ValueError, match='got values from nan to nan'):
    sampling.decompress(vlae, toys.binary_images(1) * np.nan)


@pytest.mark.parametrize('pattern', ['first rows', 'a column', 'none'])
def test_pixels_that_are_not_given_do_not_count(pattern):
  vlae = _small_model()
  given = np.zeros((6, 5), bool)
  if pattern == 'first rows':
    given[:3] = True
  elif pattern == 'a column':
    given[:, 2] = True
  images = toys.binary_images(2)
  others = np.where(given[..., None], images, 1 - images)
  drawn, again = (
    sampling.completions(vlae, tf.constant(x), given, 3, 1).numpy()
    for x in (images, others)
  )
  np.testing.assert_array_equal(drawn, again)
  kept = np.broadcast_to(images, drawn.shape)[:, :, given]
  np.testing.assert_array_equal(drawn[:, :, given], kept)


_SHAPE = (6, 5, 1)


def _images(num):
  pixels = np.random.default_rng(0).integers(0, 2, (num, *_SHAPE))
  return pixels.astype('float32')


def _log_prob(model, images, seed, start):
  """Posterior samples as `pixel_nats` draws them, and log p(x|z)."""
  image = tf.convert_to_tensor(images)
  z = sampling.posterior_samples(
    model, image, random.stream_seed(seed, 'sample', start)
  )
  return z, model.likelihood(z).log_prob(image).numpy()


def test_pixels_sum_to_the_distortion():
  model, images = toys.small_model(_SHAPE), _images(120)
  found = sampling.pixel_nats(model, images, seed=3)
  assert found.shape == (120, 6, 5)
  for start, stop in ((0, 100), (100, 120)):
    _, log_prob = _log_prob(model, images[start:stop], 3, start)
    total = found[start:stop].sum((1, 2))
    np.testing.assert_allclose(total, -log_prob, rtol=1e-5)


def test_the_last_pixel_has_its_conditional():
  """The joint probability over its sum over that pixel."""
  model, images = toys.small_model(_SHAPE), _images(4)
  found = sampling.pixel_nats(model, images)
  z, log_prob = _log_prob(model, images, 0, 0)
  flipped = images.copy()
  flipped[:, -1, -1] = 1 - flipped[:, -1, -1]
  other = model.likelihood(z).log_prob(flipped).numpy()
  expected = np.logaddexp(log_prob, other) - log_prob
  np.testing.assert_allclose(found[:, -1, -1], expected, rtol=1e-3)


def test_a_law_without_conditionals_has_none():
  toy = toys.LinearGaussian()
  model = toy.model()
  model.build((None, *toy.image_shape))
  assert sampling.pixel_nats(model, np.ones([2, 3, 2, 1], 'float32')) is None


def test_images_of_another_shape_are_refused():
  with pytest.raises(ValueError, match='`images` must'):
    sampling.pixel_nats(
      toys.small_model(_SHAPE), np.zeros([1, 2, 2, 1], 'float32')
    )
