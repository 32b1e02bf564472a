"""Approximate posteriors: Keras layers from an image to `q(z|x)`.

#### References

[1]: Diederik P. Kingma, Max Welling. Auto-Encoding Variational Bayes. In
     _International Conference on Learning Representations_, 2014.
     https://arxiv.org/abs/1312.6114
"""

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from vlae_tf.nn import residual, weight_norm

tfd = tfp.distributions

# Log-scales lie within +-8: scales between 1/2981 and 2981.
MAX_LOG_SCALE = 8.0


class DiagonalGaussianPosterior(keras.layers.Layer):
  """`q(z|x) = prod{ N(z[i]; mean_i(x), scale_i(x)) }` [1].

  Maps images `[batch, height, width, channels]` to a `tfd.Distribution` of
  batch shape `[batch]` and event shape `[latent_size]`.
  """

  def __init__(self, latent_size, encoder=None, **kwargs):
    """Creates the layer.

    Args:
      latent_size: Number of latent dimensions.
      encoder: Keras layer from images to features `[batch, units]`; the paper's
        residual network by default.
      **kwargs: Arguments of `keras.layers.Layer`.
    """
    super().__init__(**kwargs)
    self.latent_size = latent_size
    self._encoder = residual.Encoder() if encoder is None else encoder
    self._mean = weight_norm.WeightNormDense(latent_size, name='mean')
    self._log_scale = weight_norm.WeightNormDense(
      latent_size, init_scale=0.1, name='log_scale'
    )

  def build(self, input_shape):
    self._encoder.build(input_shape)
    features = (None, self._encoder.units)
    self._mean.build(features)
    self._log_scale.build(features)

  def call(self, image):
    features = self._encoder(image)
    log_scale = self._log_scale(features)
    log_scale = MAX_LOG_SCALE * tf.tanh(log_scale / MAX_LOG_SCALE)
    return tfd.MultivariateNormalDiag(self._mean(features), tf.exp(log_scale))


def sample_from_noise(posterior, noise):
  """Reparameterised draws of a diagonal Gaussian from given noise.

  Args:
    posterior: What `DiagonalGaussianPosterior` returns.
    noise: Standard normal `Tensor` of shape `[..., latent_size]`.

  Returns:
    `mean + scale * noise`.
  """
  return posterior.mean() + posterior.stddev() * noise
