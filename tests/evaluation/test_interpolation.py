"""Interpolations and traversals, with shared pixel noise."""

import functools

import numpy as np
import pytest
import tensorflow as tf
import toys

from vlae_tf import models
from vlae_tf.evaluation import latents, sampling

_TOY = toys.LinearGaussian()


@functools.cache
def _small_model():
  """A model whose compiled functions all tests share."""
  return toys.small_model()


@pytest.fixture(scope='module', autouse=True)
def _forget_model():
  yield
  _small_model.cache_clear()


def _toy_model():
  model = _TOY.model()
  model.build((None, *_TOY.image_shape))
  return model


def _toy_images(num, seed=0):
  shape = (num, *_TOY.image_shape)
  return np.random.default_rng(seed).random(shape, np.float32)


def _code(images):
  return images.reshape(len(images), -1) @ _TOY.gain.T


def _flat(images):
  return images.reshape(*images.shape[:-3], -1)


def _turn(radius, angle):
  return np.array([[radius * np.cos(angle), radius * np.sin(angle), 0.0]])


def test_a_great_circle_turns_evenly_while_the_norm_grows_evenly():
  a, b = _turn(2, 0.3), _turn(6, 1.5)
  for t in (0, 0.25, 0.5, 1):
    found = sampling.great_circle(a, b, t)
    np.testing.assert_allclose(found, _turn(2 + 4 * t, 0.3 + 1.2 * t), 1e-9)


@pytest.mark.parametrize('angle', [0.0, np.pi])
def test_without_a_great_circle_the_way_is_straight(angle):
  a, b = _turn(2, 0.3), _turn(6, 0.3 + angle)
  found = sampling.great_circle(a, b, 0.25)
  np.testing.assert_allclose(found, 0.75 * a + 0.25 * b, 1e-6, 1e-9)
  nowhere = sampling.great_circle(a, 0 * a, 0.25)
  np.testing.assert_allclose(nowhere, 0.75 * a)


@pytest.mark.parametrize('space', ['z', 'eps'])
def test_images_of_a_way_differ_by_their_codes_alone(space):
  first, last = _toy_images(3), _toy_images(3, seed=1)
  drawn = sampling.interpolate(_toy_model(), first, last, 4, space, seed=1)
  assert drawn.shape == (4, 3, *_TOY.image_shape)
  way = sampling.great_circle
  if space == 'z':
    way = sampling.line
  # The prior is a standard normal: eps = z. With x = W z + noise, what is left
  # of an image without W z is the noise.
  a, b = _code(first), _code(last)
  places = [way(a, b, t) for t in (0, 1 / 3, 2 / 3, 1)]
  noise = _flat(drawn) - np.array(places) @ _TOY.weight.T
  assert noise.std() > 0.3
  np.testing.assert_allclose(noise, noise[:1].repeat(4, 0), atol=1e-5)


def test_the_ends_of_a_way_in_the_noise_are_the_codes_of_the_images(
  monkeypatch,
):
  model = _small_model()
  images, codes = toys.binary_images(4), []
  monkeypatch.setattr(
    sampling, '_drawn', lambda model, z, seed: codes.extend(z)
  )
  sampling.interpolate(model, images[:2], images[2:], 5, 'eps')
  mean = latents.encode(model, tf.constant(images)).mean
  np.testing.assert_allclose(codes[0], mean[:2], 1e-4, 1e-5)
  np.testing.assert_allclose(codes[-1], mean[2:], 1e-4, 1e-5)
  straight = 0.5 * (mean[:2] + mean[2:])
  assert np.abs(codes[2] - straight).max() > 1e-3


def test_equal_images_have_a_way_of_equal_images():
  images = toys.binary_images(2)
  drawn = sampling.interpolate(_small_model(), images, images, 3)
  np.testing.assert_array_equal(drawn, drawn[:1].repeat(3, 0))
  other = sampling.interpolate(_small_model(), images, images, 3, seed=1)
  assert (drawn != other).any()


def test_a_traversal_in_the_noise_sets_one_number_from_minus_3_to_3():
  images = _toy_images(2)
  drawn = sampling.traverse(_toy_model(), images, [1, 0], 5, 'eps')
  assert drawn.shape == (2, 2, 5, *_TOY.image_shape)
  codes = np.tile(_code(images)[:, None, None], (1, 2, 5, 1))
  codes[:, 0, :, 1] = codes[:, 1, :, 0] = [-3, -1.5, 0, 1.5, 3]
  noise = _flat(drawn) - codes @ _TOY.weight.T
  np.testing.assert_allclose(
    noise, np.broadcast_to(noise[:, :1, :1], noise.shape), atol=1e-5
  )


def test_a_traversal_of_a_code_goes_six_deviations_of_the_prior():
  drawn = _flat(sampling.traverse(_toy_model(), _toy_images(1), [1], 3, 'z'))
  way = drawn[0, 0, 2] - drawn[0, 0, 0]
  np.testing.assert_allclose(way, 6 * _TOY.weight[:, 1], rtol=0.1)
  middle = (drawn[0, 0, 0] + drawn[0, 0, 2]) / 2
  np.testing.assert_allclose(drawn[0, 0, 1], middle, atol=1e-5)


@pytest.mark.parametrize('steps', [1, 2, 3, 4])
def test_the_place_of_a_number_in_the_noise_undoes_the_reversals(steps):
  prior = models.AutoregressiveFlowPrior((2, 3), steps=steps, hidden=(8,))
  prior.build(None)
  for weight in prior.trainable_variables:
    weight.assign(tf.zeros_like(weight))  # Nothing but reversals is left.
  z = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
  eps = latents.to_noise(prior(), z).numpy().reshape(-1)
  place = latents.places_in_noise(prior(), (2, 3))
  np.testing.assert_array_equal(eps[place], z.reshape(-1))
  assert (list(place) == list(range(6))) == (steps % 2 == 1)


def test_the_number_of_the_noise_is_the_one_of_the_code(monkeypatch):
  """With an even number of flows the noise is in the opposite order."""
  model, codes = _small_model(), []

  def drawn(model, z, seed):
    codes.extend(z)
    return np.zeros([len(z), 1, 6, 5, 1])

  monkeypatch.setattr(sampling, '_drawn', drawn)
  sampling.traverse(model, toys.binary_images(1), [0], 2, 'eps')
  noise = [latents.to_noise(model.prior(), z).numpy()[0] for z in codes]
  np.testing.assert_allclose(noise[1] - noise[0], [0, 0, 0, 6], atol=1e-4)


@pytest.mark.parametrize(
  'rates, expected', [([0.1, 3.0, 2.0], [1, 2]), (None, [2, 0])]
)
def test_the_most_used_come_first(monkeypatch, rates, expected):
  use = latents.CodeUse(
    None if rates is None else np.array(rates), np.array([2.0, 1.0, 3.0])
  )
  monkeypatch.setattr(
    latents, 'CodeProbe', lambda model: lambda images, split, kind: use
  )
  found = sampling.most_used(_small_model(), toys.binary_images(1), 2)
  assert found == expected


@pytest.mark.parametrize(
  'changes, message',
  [
    (dict(steps=1), '`steps` must be at least 2, got 1'),
    (dict(space='x'), r"`space` must be one of \('eps', 'z'\), got 'x'"),
    (dict(last=toys.binary_images(1)), '`last` must have as many .* 2, got 1'),
    (dict(first=np.zeros((2, 5, 6, 1))), r'\[batch, 6, 5, 1\], got \(2, 5'),
    (dict(seed=-1), '`seed` must be in'),
  ],
)
def test_bad_interpolations_are_refused(changes, message):
  images = toys.binary_images(2)
  given = dict(first=images, last=images, steps=2)
  with pytest.raises(ValueError, match=message):
    sampling.interpolate(_small_model(), **(given | changes))


@pytest.mark.parametrize(
  'dimensions, message',
  [
    ([4], r'`dimensions` must be in \[0, 3\], got 4'),
    ([1.5], '`dimensions` must be an integer, got 1.5'),
    ([], r'`dimensions` must be one or more .* got \[\]'),
    ([1, 1], r'each once, got \[1, 1\]'),
  ],
)
def test_bad_dimensions_are_refused(dimensions, message):
  with pytest.raises(ValueError, match=message):
    sampling.traverse(_small_model(), toys.binary_images(1), dimensions, 2)


def test_a_model_without_a_code_has_no_ways():
  model = toys.small_model(latent_size=0)
  images = toys.binary_images(1)
  with pytest.raises(ValueError, match='`model` must be a model with latents'):
    sampling.interpolate(model, images, images, 2)
  with pytest.raises(ValueError, match='`model` must be a model with latents'):
    sampling.traverse(model, images, [0], 2)
