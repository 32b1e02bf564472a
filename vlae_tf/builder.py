"""From a config to a model: the one place where names become components."""

import tensorflow as tf

from vlae_tf import model
from vlae_tf.components import decoders, objectives, posteriors, priors
from vlae_tf.distributions import pixel_laws
from vlae_tf.nn import residual
from vlae_tf.nn.pixel import gated_pixel_cnn, pixel_cnn, window_cnn


def _flow_prior(config):
  hidden = (config.flow_units, config.flow_units)
  return priors.AutoregressiveFlowPrior(
    config.latent_size, config.flow_steps, hidden
  )


def _gaussian_prior(config):
  return priors.GaussianPrior(config.latent_size)


def _residual_sizes(config):
  return dict(
    units=config.decoder_units,
    depth=config.decoder_depth,
    tied=config.decoder_tied,
  )


def _pixel_cnn(config, outputs):
  return pixel_cnn.PixelCNN(outputs, **_residual_sizes(config))


def _gated_pixel_cnn(config, outputs):
  return gated_pixel_cnn.GatedPixelCNN(
    outputs,
    config.decoder_units,
    config.decoder_depth,
    config.vertical_filter,
    config.horizontal_filter,
  )


def _window(config, outputs):
  return window_cnn.WindowCNN(
    outputs, config.window_size, **_residual_sizes(config)
  )


def _downsampled_window(config, outputs):
  return window_cnn.DownsampledWindowCNN(
    outputs,
    config.window_size,
    config.downsampling,
    **_residual_sizes(config),
  )


def _factorised(config, outputs):
  return window_cnn.PointwiseCNN(outputs, **_residual_sizes(config))


PRIORS = {'flow': _flow_prior, 'gaussian': _gaussian_prior}
DECODERS = {
  'pixelcnn': _pixel_cnn,
  'gated_pixelcnn': _gated_pixel_cnn,
  'window': _window,
  'downsampled_window': _downsampled_window,
  'factorised': _factorised,
}


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
    objective=objectives.create(config, image_shape),
    seed=config.seed,
  )
  with tf.name_scope('vlae'):
    vlae.build((None, height, width, channels))
  return vlae
