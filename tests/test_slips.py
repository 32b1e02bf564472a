"""Slips of those who write Python get words, not TensorFlow's errors."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

import vlae_tf
from vlae_tf import models, nn
from vlae_tf.evaluation import figures, sampling

pytestmark = pytest.mark.usefixtures('all_eagerly')


@pytest.fixture(scope='module')
def model():
  return toys.small_model((4, 3, 1), prior='gaussian', encoder_widths='4')


@pytest.mark.parametrize(
  'make, words',
  [
    (lambda: models.AutoregressiveFlowPrior(3, steps=0), 'steps'),
    (lambda: models.Beta(math.inf), 'beta'),
    (lambda: models.FreeBits(math.inf), 'floor'),
    (lambda: models.SoftFreeBits(math.inf), 'target'),
    (lambda: models.ImportanceWeighted(2.5), 'num_samples'),
    (lambda: vlae_tf.build_model({}, (8, 8, 1)), 'config'),
    (lambda: vlae_tf.build_model(toys.small_config(), (8, 8)), 'image_shape'),
    (
      lambda: vlae_tf.build_model(toys.small_config(), (8, 8, 1.5)),
      'image_shape',
    ),
    (lambda: vlae_tf.restore(None), 'workdir'),
    (
      lambda: vlae_tf.Trainer(toys.small_config(), np.zeros([9, 8, 8, 1]), '/'),
      'data',
    ),
    (lambda: vlae_tf.receptive_field(3), 'network'),
    (lambda: vlae_tf.receptive_field(nn.PixelCNN(1, 4, 2)), 'network'),
    (
      lambda: nn.PixelCNN(1, 4, 2).unroll(tf.zeros([1, 3, 3, 1]), None, None),
      'network',
    ),
    (lambda: nn.PixelCNN(1, 4, 2).start(tf.zeros([1, 3, 3, 1])), 'network'),
    (lambda: figures.grid(np.zeros([0, 4, 4, 1])), 'images'),
  ],
)
def test_arguments_are_named(make, words):
  with pytest.raises(ValueError, match=f'`{words}` must '):
    make()


def test_images_must_be_as_many_as_codes(model):
  shape = model.image_shape
  law = model.likelihood(tf.zeros([4, *model.event_shape]))
  with pytest.raises(ValueError, match='`image` must have leading axes'):
    law.log_prob(tf.zeros([3, *shape]))
  assert law.log_prob(tf.zeros([2, 1, *shape])).shape == [2, 4]


def test_a_likelihood_must_return_a_law(model):
  other = vlae_tf.VLAE(model.posterior, model.prior, keras.layers.Dense(3))
  other.build((None, *model.image_shape))
  with pytest.raises(ValueError, match='`likelihood` must return a `tfd'):
    other(tf.zeros([2, *model.image_shape]))


def test_many_images_are_drawn_a_few_at_a_time(model, monkeypatch):
  """The first of them are those of a draw at once, the others are new."""
  images = toys.binary_images(7, model.image_shape)
  draws = {
    'prior': lambda: sampling.sample_prior(model, 7, seed=1)[None],
    'decompress': lambda: sampling.decompress(model, images, 2, seed=1),
    'complete': lambda: sampling.complete(model, images, 9, 2, seed=1),
  }
  whole = {name: draw() for name, draw in draws.items()}
  monkeypatch.setattr(sampling, 'AT_ONCE', 4)
  for name, draw in draws.items():
    drawn = draw()
    assert drawn.shape == whole[name].shape
  prior = draws['prior']()[0]
  np.testing.assert_array_equal(
    prior[:4], sampling.sample_prior(model, 4, seed=1)
  )
  assert len(np.unique(prior.reshape(7, -1), axis=0)) > 4
  given = draws['complete']().reshape(2, 7, -1)[..., :9]
  np.testing.assert_array_equal(given[0], images.reshape(7, -1)[:, :9])
