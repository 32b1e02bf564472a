"""From a config to a model: the one place where names become components."""

import math

import tensorflow as tf

from vlae_tf import decoders, model, objectives, posteriors, priors
from vlae_tf.distributions import pixel_laws
from vlae_tf.nn import pixel_cnn, residual


def _flow_prior(config):
  hidden = (config.flow_units, config.flow_units)
  return priors.AutoregressiveFlowPrior(
    config.latent_size, config.flow_steps, hidden
  )


def _gaussian_prior(config):
  return priors.GaussianPrior(config.latent_size)


def _pixel_cnn(config, outputs):
  return pixel_cnn.PixelCNN(
    outputs,
    config.decoder_units,
    config.decoder_depth,
    tied=config.decoder_tied,
  )


PRIORS = {'flow': _flow_prior, 'gaussian': _gaussian_prior}
DECODERS = {'pixelcnn': _pixel_cnn}


def build_model(config, image_shape):
  """A built, untrained model.

  Args:
    config: `Config`.
    image_shape: `(height, width, channels)`.

  Returns:
    A `VLAE` whose variables exist.
  """
  height, width, channels = image_shape
  pixel_law = pixel_laws.BernoulliPixel()
  generator = residual.Generator(
    (height, width),
    config.decoder_features,
    config.widths,
    config.encoder_units,
  )
  vlae = model.VLAE(
    posteriors.DiagonalGaussianPosterior(
      config.latent_size,
      residual.Encoder(config.widths, config.encoder_units),
    ),
    PRIORS[config.prior](config),
    decoders.AutoregressiveDecoder(
      channels,
      generator,
      DECODERS[config.decoder](config, pixel_law.num_params(channels)),
      pixel_law,
    ),
    objective=build_objective(config, image_shape),
    seed=config.seed,
  )
  with tf.name_scope('vlae'):
    vlae.build((None, height, width, channels))
  return vlae


def build_objective(config, image_shape):
  """The objective of a config for images of a shape."""
  floor = config.free_bits * math.prod(image_shape)
  return objectives.FreeBits(floor) if floor else objectives.NegativeELBO()
