"""Decoders: Keras layers from a code to `p(x|z)`.

#### References

[1]: Xi Chen et al. Variational Lossy Autoencoder. In _International
     Conference on Learning Representations_, 2017.
     https://arxiv.org/abs/1611.02731 (section 2.2)
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from vlae_tf.distributions import autoregressive_image, pixel_distributions
from vlae_tf.models import architectures, parts
from vlae_tf.nn import fixed_point
from vlae_tf.nn.causal import network as causal_network
from vlae_tf.nn.pixel import (
  gated_pixel_cnn,
  pixel_cnn,
  pixel_cnn_pp,
  window_cnn,
)
from vlae_tf.utils import registry, serialization

# Networks by name: callables of a config and of the parameters a pixel needs.
NETWORKS = registry.Registry('decoder')


@serialization.register
class AutoregressiveDecoder(parts.Likelihood):
  """`p(x|z) = prod{ p(x[i] | window(x[0:i]), features(z)) }` [1].

  Maps codes `[..., *event_shape]` to an `AutoregressiveImage` of batch shape
  `[...]` and event shape `[height, width, channels]`. What the network does not
  see of the image has to come through the code.

  >>> from vlae_tf.nn import residual
  >>> generator = residual.Generator((6, 6), 1, (4,), 8)
  >>> network = window_cnn.WindowCNN(1, window=(3, 2), units=4, depth=2)
  >>> law = pixel_laws.BernoulliPixel()
  >>> decoder = AutoregressiveDecoder(1, generator, network, law)
  >>> decoder(tf.zeros([3, 2])).log_prob(tf.ones([3, 6, 6, 1])).shape
  TensorShape([3])
  """

  def __init__(
    self,
    channels: int,
    generator: keras.layers.Layer,
    network: causal_network.CausalNetwork,
    pixel_law: pixel_distributions.PixelLaw,
    name: str = 'likelihood',
    **kwargs,
  ):
    """Creates the layer.

    Args:
      channels: Number of channels of a pixel.
      generator: Keras layer with `output_size` and `maps` from codes `[n,
        *event_shape]` to features `[n, height, width, maps]`.
      network: `CausalNetwork` from images and features to the parameters of
        each pixel's law.
      pixel_law: Law of a pixel given its parameters.
      name: Name of the layer.
      **kwargs: Arguments of `keras.layers.Layer`.
    """
    super().__init__(name=name, **kwargs)
    self._channels = channels
    self._generator = generator
    self._network = network
    self._pixel_law = pixel_law

  @property
  def image_shape(self) -> tuple[int, ...]:
    """`(height, width, channels)` of the images it is a law of."""
    return (*self._generator.output_size, self._channels)

  @property
  def network(self) -> causal_network.CausalNetwork:
    """The `CausalNetwork`."""
    return self._network

  @property
  def pixel_law(self) -> pixel_distributions.PixelLaw:
    """The law of a pixel."""
    return self._pixel_law

  def build(self, input_shape):
    self._event_shape = tuple(input_shape[1:])
    self._generator.build((None, *self._event_shape))
    features = (None, *self._generator.output_size, self._generator.maps)
    self._network.build((*features[:-1], self._channels), features)

  def call(self, z):
    ndims = len(self._event_shape)
    batch, sizes = z.shape[:-ndims], tf.shape(z)[:-ndims]
    # Not -1, which is undefined for codes of no dimension.
    num = batch.num_elements() or tf.reduce_prod(sizes)
    features = self._generator(tf.reshape(z, [num, *self._event_shape]))
    features = fixed_point.bounded(tf.cast(features, self.compute_dtype))
    event = features.shape[1:]
    features = tf.reshape(features, tf.concat([sizes, event], 0))
    return autoregressive_image.AutoregressiveImage(
      self._network,
      tf.ensure_shape(features, batch.concatenate(event)),
      self._channels,
      self._pixel_law,
      unroll=self._network.unroll,
      order=self._network.order(*self._generator.output_size),
    )


@serialization.register
class NoFeatures(keras.layers.Layer):
  """The generator of a decoder without a code: features of no map.

  Maps `[n, 0]` to `[n, height, width, 0]`.
  """

  maps = 0

  def __init__(
    self, image_size: Sequence[int], name: str = 'generator', **kwargs
  ):
    """Creates the layer.

    Args:
      image_size: `(height, width)`.
      name: Name of the layer.
      **kwargs: Arguments of `keras.layers.Layer`.
    """
    super().__init__(name=name, **kwargs)
    self.output_size = tuple(image_size)

  def call(self, z):
    shape = [*self.output_size, self.maps]
    return tf.ensure_shape(
      tf.zeros([tf.shape(z)[0], *shape], z.dtype), [z.shape[0], *shape]
    )


@serialization.register
class LearnedFeatures(keras.layers.Layer):
  """The generator of a code that is always the same: maps that are learned.

  Maps `[n, 0]` to `[n, height, width, maps]`, the same for all images. Far from
  the edges they alone tell a decoder with a small window where in the image it
  is. The paper's tables [1] have an unconditional decoder, and do not say what
  stands for the maps of the code; these are our choice.
  """

  def __init__(
    self,
    image_size: Sequence[int],
    maps: int = 4,
    name: str = 'generator',
    **kwargs,
  ):
    """Creates the layer.

    Args:
      image_size: `(height, width)`.
      maps: Number of maps.
      name: Name of the layer.
      **kwargs: Arguments of `keras.layers.Layer`.
    """
    super().__init__(name=name, **kwargs)
    self.output_size, self.maps = tuple(image_size), maps

  def build(self, input_shape):
    self._maps = self.add_weight(
      shape=(*self.output_size, self.maps),
      initializer=keras.initializers.RandomNormal(stddev=0.05),
      name='maps',
    )

  def call(self, z):
    maps = tf.convert_to_tensor(self._maps)
    shape = tf.concat([tf.shape(z)[:1], tf.shape(maps)], 0)
    return tf.ensure_shape(
      tf.broadcast_to(maps, shape), [z.shape[0], *maps.shape]
    )


def _residual_sizes(config):
  return dict(
    units=config.decoder_units,
    depth=config.decoder_depth,
    tied=config.decoder_tied,
  )


@NETWORKS.register(
  'pixelcnn', "the paper's stack of masked 3x3 convolutions, 69 pixels"
)
def _pixel_cnn(config, outputs):
  return pixel_cnn.PixelCNN(outputs, **_residual_sizes(config))


@NETWORKS.register(
  'gated_pixelcnn', 'vertical and horizontal stacks, gates, no blind spot'
)
def _gated_pixel_cnn(config, outputs):
  return gated_pixel_cnn.GatedPixelCNN(
    outputs,
    config.decoder_units,
    config.decoder_depth,
    config.vertical_filter,
    config.horizontal_filter,
  )


@NETWORKS.register('window', 'exactly the `--window=WIDTHxHEIGHT` before it')
def _window(config, outputs):
  return window_cnn.WindowCNN(
    outputs, config.window_size, **_residual_sizes(config)
  )


@NETWORKS.register(
  'downsampled_window', 'a wide window of blocks of `--downsampling` pixels'
)
def _downsampled_window(config, outputs):
  return window_cnn.DownsampledWindowCNN(
    outputs,
    config.window_size,
    config.downsampling,
    **_residual_sizes(config),
  )


def _pixel_cnn_pp_sizes(config):
  return dict(
    window=config.window_size,
    units=config.decoder_units,
    depth=config.decoder_depth,
  )


@NETWORKS.register(
  'pixelcnn_pp', 'gated blocks that see exactly the `--window`, no further'
)
def _pixel_cnn_pp(config, outputs):
  return pixel_cnn_pp.PixelCNNPlusPlus(outputs, **_pixel_cnn_pp_sizes(config))


@NETWORKS.register(
  'grey_pixelcnn_pp', 'the same, of colour images the luminance alone'
)
def _grey_pixel_cnn_pp(config, outputs):
  sizes = _pixel_cnn_pp_sizes(config)
  return pixel_cnn_pp.GreyPixelCNNPlusPlus(outputs, **sizes)


@NETWORKS.register('factorised', 'nothing: the plain VAE')
def _factorised(config, outputs):
  return window_cnn.PointwiseCNN(outputs, **_residual_sizes(config))


def create(config: Any, image_shape: Sequence[int]) -> AutoregressiveDecoder:
  """The decoder of a config."""
  *size, channels = image_shape
  pixel_law = pixel_distributions.PIXEL_LAWS[config.pixel_law]()
  if config.latent_size:
    generator = architectures.create(config).generator(config, size)
  elif config.learned_maps:
    generator = LearnedFeatures(size, config.decoder_features)
  else:
    generator = NoFeatures(size)
  network = NETWORKS[config.decoder](config, pixel_law.num_params(channels))
  return AutoregressiveDecoder(channels, generator, network, pixel_law)
