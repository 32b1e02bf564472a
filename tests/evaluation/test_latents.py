"""Encodings of images, and the noise of the prior."""

import numpy as np
import pytest
import tensorflow as tf
import toys
from conformance import cases

from vlae_tf import data, models
from vlae_tf.evaluation import latents

_IMAGES = np.random.default_rng(0).integers(0, 2, (5, 6, 5, 1)).astype(bool)


@pytest.mark.parametrize('prior', ['flow', 'gaussian'])
def test_the_noise_is_what_the_prior_makes_the_mean_of(prior):
  model = toys.small_model(prior=prior)
  found = latents.encode(model, tf.cast(_IMAGES, tf.float32))
  again = latents.from_noise(model.prior(), tf.constant(found.eps))
  np.testing.assert_allclose(again, found.mean, rtol=1e-5, atol=1e-5)
  assert (prior == 'gaussian') == bool(np.all(found.eps == found.mean))


def test_encodings_are_moments_of_the_posterior():
  """Of a flow as well, which has no closed form."""
  for case in cases.of_each('posterior'):
    model = cases.shared_model(case)
    image = tf.constant(cases.images(case, 3, *cases.IMAGE_SHAPE))
    drawn = model.posterior(image).sample(20_000, seed=(0, 1)).numpy()
    found, stddev = latents.encode(model, image), drawn.std(0)
    # 100 draws estimate a mean to 0.1, a standard deviation to 0.07 of it.
    assert (np.abs(found.mean - drawn.mean(0)) < 0.4 * stddev).all()
    np.testing.assert_allclose(found.stddev, stddev, rtol=0.3)


def test_a_flow_of_codes_of_several_axes_keeps_their_shape():
  prior = models.AutoregressiveFlowPrior((2, 3), steps=2, hidden=(8,))
  prior.build(None)
  for i, weight in enumerate(prior.trainable_variables):
    weight.assign(tf.random.stateless_normal(weight.shape, [i, 1]))
  z = tf.random.stateless_normal([4, 2, 3], [1, 2])
  eps = latents.to_noise(prior(), z)
  assert eps.shape == z.shape
  np.testing.assert_allclose(
    latents.from_noise(prior(), eps), z, rtol=1e-4, atol=1e-4
  )
  # The flow preserves volume: noise and latent have the same density.
  log_prob = -0.5 * np.sum(np.square(eps), (1, 2)) - 3 * np.log(2 * np.pi)
  np.testing.assert_allclose(prior().log_prob(z), log_prob, rtol=1e-4)


def test_all_images_are_encoded_in_their_order(monkeypatch):
  model = toys.small_model()
  monkeypatch.setattr(latents, '_BATCH', 2)
  found = latents.encode_all(model, _IMAGES)
  image = data.fixed_binarization(_IMAGES, 'test')
  q = model.posterior(tf.convert_to_tensor(image))
  np.testing.assert_allclose(found.mean, q.mean(), rtol=1e-5, atol=1e-6)
  np.testing.assert_allclose(found.stddev, q.stddev(), rtol=1e-5)


def test_images_of_another_shape_are_refused():
  with pytest.raises(ValueError, match='`images` must be of the shape'):
    latents.encode_all(toys.small_model(), _IMAGES[:, :5])
