"""A decoder without a code is trained, scored and sampled like any model."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
import toys

from vlae_tf.evaluation import latents, likelihood, sampling
from vlae_tf.models import config
from vlae_tf.runs import loading
from vlae_tf.training import step as train_step
from vlae_tf.training import trainer as trainer_lib

pytestmark = pytest.mark.usefixtures('all_eagerly')

_DECODERS = ['pixelcnn', 'gated_pixelcnn', 'window', 'downsampled_window']


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """A trainer after two steps, and its directory."""
  folder = tmp_path_factory.mktemp('run')
  trainer = trainer_lib.Trainer(
    toys.small_config(latent_size=0),
    toys.image_data(),
    folder,
    limits=trainer_lib.Limits(max_steps=2, steps_per_call=1),
    execution=train_step.Execution(xla='none'),
  )
  trainer.run()
  return trainer, folder


def test_bound_is_the_likelihood_and_no_rate_is_paid(trained):
  result = trained[0].validate()
  assert result['val_rate'] == 0
  assert result['val_active_units'] == 0
  np.testing.assert_allclose(result['val_elbo'], -result['val_distortion'])


def test_scored_with_one_code_whatever_is_asked_for(trained):
  images = toys.image_data().test
  vlae = loading.restore(trained[1]).model
  evaluator = likelihood.Evaluator(vlae, 100)
  assert evaluator.num_samples == 1
  estimates = evaluator(images)
  np.testing.assert_array_equal(estimates.log_prob, estimates.elbo)
  np.testing.assert_array_equal(estimates.rate, 0)
  use = latents.CodeProbe(vlae)(images)
  assert use.rates.shape == use.variances.shape == (0,)


def test_sampled_decompressed_and_completed(trained):
  vlae, images = trained[0].averages, np.round(toys.image_data().test[:3])
  samples = sampling.sample_prior(vlae, 5)
  assert samples.shape == (5, *images.shape[1:])
  assert set(np.unique(samples)) == {0.0, 1.0}
  assert sampling.decompress(vlae, images, 2).shape == (2, *images.shape)
  draws = sampling.complete(vlae, images, 20, draws=2)
  given = np.arange(64).reshape(8, 8, 1) < 20
  np.testing.assert_array_equal(
    draws * given, (images * given)[None].repeat(2, 0)
  )


@pytest.mark.parametrize('decoder', _DECODERS)
def test_probabilities_of_all_images_sum_to_one(decoder):
  vlae = toys.small_model(
    (2, 3, 1), latent_size=0, decoder=decoder, window='1x1'
  )
  images = np.array(list(itertools.product([0.0, 1.0], repeat=6)), 'float32')
  images = images.reshape(-1, 2, 3, 1)
  law = vlae.likelihood(tf.zeros([len(images), 0]))
  total = tf.reduce_sum(tf.exp(tf.cast(law.log_prob(images), tf.float64)))
  np.testing.assert_allclose(total, 1.0, rtol=1e-5)


@pytest.mark.parametrize(
  'change', [dict(decoder='factorised'), dict(objective='soft_free_bits')]
)
def test_what_needs_a_code_is_refused(change):
  with pytest.raises(ValueError, match='`latent_size` must be at least 1 with'):
    config.Config(latent_size=0, **change)


def test_learned_maps_are_refused_beside_a_code():
  with pytest.raises(ValueError, match='`latent_size` must be 0 with'):
    config.Config(latent_size=4, learned_maps=True)


def _marginals(vlae, shape):
  """Probability that each pixel is 1: the sum over all images."""
  size = int(np.prod(shape))
  images = np.array(list(itertools.product([0.0, 1.0], repeat=size)), 'float32')
  images = images.reshape(-1, *shape)
  law = vlae.likelihood(tf.zeros([len(images), 0]))
  weights = np.exp(np.float64(law.log_prob(images)))
  np.testing.assert_allclose(weights.sum(), 1.0, rtol=1e-5)
  return np.tensordot(weights, images, 1)


def test_learned_maps_alone_tell_places_far_from_the_edge_apart():
  shape, means = (2, 7, 1), []
  for learned in (False, True):
    # A pixel sees the one above it alone, and no edge at its sides.
    vlae = toys.small_model(
      shape, latent_size=0, decoder='window', window='1x1', learned_maps=learned
    )
    for variable in vlae.trainable_variables:
      if variable.path.endswith('generator/maps'):
        values = np.zeros(variable.shape, 'float32')
        values[1, 4] = 5.0
        variable.assign(values)
    means.append(_marginals(vlae, shape)[1, :, 0])
  plain, told = means
  assert np.ptp(plain) < 1e-5
  assert np.ptp(told) > 1e-2


def test_learned_maps_are_trained():
  vlae = toys.small_model((4, 5, 1), latent_size=0, learned_maps=True)
  (maps,) = [
    v for v in vlae.trainable_variables if v.path.endswith('generator/maps')
  ]
  images = toys.binary_images(6, (4, 5, 1))
  with tf.GradientTape() as tape:
    law = vlae.likelihood(tf.zeros([6, 0]))
    loss = -tf.reduce_mean(law.log_prob(images))
  gradient = tape.gradient(loss, maps.value)
  assert maps.shape == (4, 5, vlae.config.decoder_features)
  assert (np.abs(gradient).sum(-1) > 0).mean() > 0.5
