"""Decoders: Keras layers from a code to `p(x|z)`.

#### References

[1]: Xi Chen et al. Variational Lossy Autoencoder. In _International
     Conference on Learning Representations_, 2017.
     https://arxiv.org/abs/1611.02731 (section 2.2)
"""

import keras
import tensorflow as tf

from vlae_tf.distributions import autoregressive_image


class AutoregressiveDecoder(keras.layers.Layer):
  """`p(x|z) = prod{ p(x[i] | window(x[0:i]), features(z)) }` [1].

  Maps codes `[..., latent_size]` to an `AutoregressiveImage` of batch shape
  `[...]` and event shape `[height, width, channels]`. What the network does not
  see of the image has to come through the code.
  """

  def __init__(self, channels, generator, network, pixel_law, **kwargs):
    """Creates the layer.

    Args:
      channels: Number of channels of a pixel.
      generator: Keras layer from codes `[n, latent_size]` to features
        `[n, height, width, maps]`.
      network: `CausalNetwork` from images and features to the parameters of
        each pixel's law.
      pixel_law: Law of a pixel given its parameters.
      **kwargs: Arguments of `keras.layers.Layer`.
    """
    super().__init__(**kwargs)
    self._channels = channels
    self._generator = generator
    self._network = network
    self._pixel_law = pixel_law

  @property
  def network(self):
    """The `CausalNetwork`."""
    return self._network

  def build(self, input_shape):
    self._generator.build((None, input_shape[-1]))
    features = (None, *self._generator.output_size, self._generator.maps)
    self._network.build((*features[:-1], self._channels), features)

  def call(self, z):
    features = self._generator(tf.reshape(z, [-1, z.shape[-1]]))
    features = tf.cast(features, self.compute_dtype)
    shape = tf.concat([tf.shape(z)[:-1], features.shape[1:]], 0)
    features = tf.ensure_shape(
      tf.reshape(features, shape), z.shape[:-1].concatenate(features.shape[1:])
    )
    return autoregressive_image.AutoregressiveImage(
      self._network,
      features,
      self._channels,
      self._pixel_law,
      unroll=self._network.unroll,
    )
