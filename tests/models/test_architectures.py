"""Encoders by name make codes and networks that fit each other."""

import pytest
import tensorflow as tf

from vlae_tf import models
from vlae_tf.models import architectures, builder, config
from vlae_tf.nn import residual

_SMALL = dict(
  latent_size=3,
  encoder_units=6,
  encoder_widths='4,4',
  encoder_blocks='1,1',
  prior='gaussian',
  decoder_features=2,
  decoder_units=4,
  decoder_depth=2,
)


def _config(**fields):
  return config.Config(**(_SMALL | fields))


@pytest.mark.parametrize('name', models.ENCODERS)
def test_a_model_has_codes_of_the_shape_that_its_encoder_says(name):
  case = _config(encoder=name)
  model = builder.build_model(case, (6, 9, 1))
  expected = (3,) if name == 'vector' else (3, 5, 3)
  assert architectures.event_shape(case, (6, 9, 1)) == expected
  for part in (model.posterior, model.prior):
    assert part.event_shape == expected
  image = tf.zeros([2, 6, 9, 1])
  assert model.posterior(image).event_shape == expected
  z = model.prior().sample(2, seed=0)
  assert model.likelihood(z).log_prob(image).shape == (2,)


def test_the_paper_codes_photographs_by_places():
  case = config.Config(
    encoder='spatial_resnet', encoder_widths='48,96,96', latent_size=16
  )
  assert architectures.event_shape(case, (32, 32, 3)) == (8, 8, 16)


def test_dense_priors_are_of_places_as_well():
  case = _config(encoder='spatial_resnet', prior='flow', flow_units=60)
  model = builder.build_model(case, (6, 6, 1))
  assert model.prior().event_shape == (3, 3, 3)


@pytest.mark.parametrize(
  'fields, words',
  [
    (dict(encoder='transformer'), '`encoder` must be one of vector, '),
    (dict(encoder_widths='4,x'), '`encoder_widths` must be positive integers'),
    (dict(encoder_blocks='1,0'), '`encoder_blocks` must be positive integers'),
    (dict(encoder_blocks='999'), '`encoder_blocks` must be .*at most 256 each'),
    (dict(encoder_widths='1' + 16 * ',1'), 'must be at most 16 numbers'),
    (
      dict(encoder='spatial_resnet', encoder_blocks='1'),
      '`encoder_blocks` must be as many numbers as `encoder_widths`, .*got',
    ),
    (
      dict(prior='pixelcnn_flow'),
      "`encoder` must be one of spatial latents.*got 'vector'",
    ),
    (
      dict(decoder='pixelcnn_pp', window='2x1'),
      '`window` must be 2 height - 1 or 2 height wide',
    ),
    (
      dict(decoder='grey_pixelcnn_pp', decoder_tied=True),
      '`decoder_tied` must be false with --decoder=grey_pixelcnn_pp',
    ),
  ],
)
def test_sizes_that_fit_nothing_are_errors(fields, words):
  with pytest.raises(ValueError, match=words):
    _config(**fields)


@pytest.mark.parametrize('shape', [(3,), (3, 3)])
def test_a_spatial_code_has_places(shape):
  with pytest.raises(ValueError, match=r'`event_shape` must be \(height'):
    models.SpatialGaussianPosterior(shape, residual.SpatialEncoder())


def test_a_code_of_another_size_than_the_encoder_makes_is_an_error():
  encoder = residual.SpatialEncoder((4, 4), (1, 1))
  posterior = models.SpatialGaussianPosterior((4, 4, 2), encoder)
  with pytest.raises(ValueError, match='`event_shape` must have the size of'):
    posterior.build((None, 6, 6, 1))
