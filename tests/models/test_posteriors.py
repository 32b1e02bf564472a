"""Posteriors: densities, draws, and how a flow of one is a flow of a prior."""

import numpy as np
import pytest
import tensorflow as tf

from vlae_tf import compression, models, nn
from vlae_tf.compression import codecs
from vlae_tf.distributions import reparameterized
from vlae_tf.models import config

_SHAPE = (6, 5, 1)
_SIZE = 4


def _posterior(with_context=True):
  posterior = models.InverseAutoregressiveFlowPosterior(
    _SIZE, nn.Encoder((4,), 7), 3, (8, 9), with_context
  )
  posterior.build((None, *_SHAPE))
  rng = np.random.default_rng(0)
  for weight in posterior.trainable_variables:
    weight.assign(weight + 0.3 * rng.standard_normal(weight.shape))
  return posterior


def _images(num):
  return tf.random.stateless_uniform([num, *_SHAPE], [0, 1])


def _noise(*shape):
  return tf.random.stateless_normal([*shape, _SIZE], [2, 3])


@pytest.mark.parametrize('with_context', [True, False])
def test_density_is_that_of_the_noise_over_the_volume(with_context):
  law, noise = _posterior(with_context)(_images(5)), _noise(5)
  with tf.GradientTape() as tape:
    tape.watch(noise)
    code = reparameterized.draw(law, noise)
  # A code is of its own noise alone, so rows can be summed over.
  volume = np.linalg.slogdet(tape.batch_jacobian(code.value, noise))[1]
  of_noise = -0.5 * tf.reduce_sum(noise**2 + np.log(2 * np.pi), -1)
  np.testing.assert_allclose(code.log_prob, of_noise - volume, atol=1e-4)
  fresh = law.log_prob(tf.identity(code.value))
  np.testing.assert_allclose(code.log_prob, fresh, atol=1e-4)


def test_many_codes_of_many_images_are_those_of_each():
  posterior, images, noise = _posterior(), _images(3), _noise(2, 3)
  together = reparameterized.draw(posterior(images), noise)
  for draw in range(2):
    for i in range(3):
      own = posterior(images[i : i + 1])
      alone = reparameterized.draw(own, noise[draw, i : i + 1])
      for both in zip(together, alone):
        np.testing.assert_allclose(both[0][draw, i], both[1][0], atol=1e-5)


@pytest.mark.parametrize('with_context', [True, False])
def test_flows_see_the_image_where_they_have_a_context(with_context):
  flow = _posterior(with_context)(_images(2)).bijector
  noise = tf.repeat(_noise(1), 2, 0)
  first, second = flow.forward(noise).numpy()
  assert (first != second).any() == with_context


def test_a_flow_of_the_posterior_is_one_of_the_prior_read_two_ways():
  """The paper's Eqs 12-14, in value and in gradient."""
  iaf = _posterior(with_context=False)
  prior = models.AutoregressiveFlowPrior(_SIZE, 3, (8, 9))
  prior.build_once()
  prior.set_weights([w for n in iaf._networks for w in n.get_weights()])
  image, noise = _images(5), _noise(5)

  with tf.GradientTape() as tape:
    of_noise = reparameterized.draw(iaf(image), noise)
    standard = models.GaussianPrior(_SIZE)()
    posteriors = of_noise.log_prob - standard.log_prob(of_noise.value)
    loss = tf.reduce_sum(posteriors)
  flows = [w.value for n in iaf._networks for w in n.trainable_variables]
  of_posterior = tape.gradient(loss, flows)

  with tf.GradientTape() as tape:
    code = reparameterized.draw(iaf(image).distribution, noise)
    priors = code.log_prob - prior().log_prob(code.value)
    loss = tf.reduce_sum(priors)
  of_prior = tape.gradient(loss, [w.value for w in prior.trainable_variables])

  np.testing.assert_allclose(posteriors, priors, atol=1e-4)
  eps = prior().bijector.inverse(tf.identity(code.value))
  np.testing.assert_allclose(of_noise.value, eps, atol=1e-5)
  assert len(of_posterior) == len(of_prior) > 0
  for both in zip(of_posterior, of_prior):
    np.testing.assert_allclose(*both, atol=1e-3)


def test_a_flow_is_of_vectors():
  with pytest.raises(ValueError, match='`event_shape` must be that of a vec'):
    models.InverseAutoregressiveFlowPosterior((2, 2, 3))
  with pytest.raises(ValueError, match="`encoder` must be 'vector' with --pos"):
    config.Config(posterior='iaf', encoder='spatial_resnet')
  with pytest.raises(ValueError, match='`flow_units` must be at least'):
    config.Config(posterior='iaf', prior='gaussian', flow_units=9)


def test_codes_of_a_flow_are_not_sent():
  law = _posterior()(_images(2))
  with pytest.raises(ValueError, match='`posterior` must be a diagonal'):
    codecs.gaussian_parameters(law)
  with pytest.raises(ValueError, match='`bijector` must be of steps that map'):
    compression.codec_of(law, 0.1, 2)
