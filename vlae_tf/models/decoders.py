"""Decoders: Keras layers from a latent to `p(x|z)`.

#### References

[1]: Chen et al. Variational Lossy Autoencoder. ICLR 2017, arXiv:1611.02731
     (section 2.2).
"""

import re
from collections.abc import Sequence
from typing import ClassVar

import keras
import tensorflow as tf

from vlae_tf.distributions import autoregressive_image, pixel_distributions
from vlae_tf.models import architectures, parts
from vlae_tf.models.config import check, Config, DEEP, NETWORKS
from vlae_tf.nn import fixed_point
from vlae_tf.nn.causal import network as causal_network
from vlae_tf.nn.pixel import pixel_cnn, pixel_cnn_pp, window_cnn
from vlae_tf.utils import fields, serialization


@serialization.register
class AutoregressiveDecoder(parts.Likelihood):
  """`p(x|z) = prod{ p(x[i] | window(x[0:i]), features(z)) }` [1].

  Takes latents `[..., *event_shape]` to an `AutoregressiveImage` of batch shape
  `[...]` and event shape `[height, width, channels]`. Structure beyond the
  receptive field of the network has to be encoded in the latent.

  >>> from vlae_tf.nn import residual
  >>> generator = residual.Generator((6, 6), 1, (4,), 8)
  >>> network = window_cnn.WindowCNN(1, window=(3, 2), units=4, depth=2)
  >>> pixel = pixel_distributions.BernoulliPixel()
  >>> decoder = AutoregressiveDecoder(1, generator, network, pixel)
  >>> decoder(tf.zeros([3, 2])).log_prob(tf.ones([3, 6, 6, 1])).shape
  TensorShape([3])

  The generator is a Keras layer with `output_size` and `maps` from latents `[n,
  *event_shape]` to feature maps `[n, height, width, maps]`; the network maps
  images and these to the parameters of the distribution of each pixel.
  """

  saved_names: ClassVar = {'pixel_distribution': 'pixel_law'}

  def __init__(
    self,
    channels: int,
    generator: keras.layers.Layer,
    network: causal_network.CausalNetwork,
    pixel_distribution: pixel_distributions.PixelDistribution,
    name: str = 'likelihood',
    **kwargs,
  ):
    super().__init__(name=name, **kwargs)
    self._channels, self._generator = channels, generator
    self._network, self.pixel_distribution = network, pixel_distribution

  @property
  def image_shape(self) -> tuple[int, ...]:
    """`(height, width, channels)` of the images."""
    return (*self._generator.output_size, self._channels)

  @property
  def network(self) -> causal_network.CausalNetwork:
    """The `CausalNetwork`."""
    # Under another name, as files of weights have that of the attribute.
    return self._network

  def build(self, input_shape):
    self._event_shape = tuple(input_shape[1:])
    self._generator.build((None, *self._event_shape))
    features = (None, *self._generator.output_size, self._generator.maps)
    self._network.build((*features[:-1], self._channels), features)

  def call(self, z):
    ndims = len(self._event_shape)
    sizes = tf.shape(z)[:-ndims]
    # Not -1, which is undefined for latents of no dimension.
    num = z.shape[:-ndims].num_elements() or tf.reduce_prod(sizes)
    features = self._generator(tf.reshape(z, [num, *self._event_shape]))
    features = fixed_point.bounded(tf.cast(features, self.compute_dtype))
    return autoregressive_image.AutoregressiveImage(
      self._network,
      tf.reshape(features, tf.concat([sizes, features.shape[1:]], 0)),
      self._channels,
      self.pixel_distribution,
      unroll=self._network.unroll,
      order=self._network.order(*self._generator.output_size),
    )


@serialization.register
class NoFeatures(keras.layers.Layer):
  """Generator without latent: `[n, 0]` to no maps, `[n, height, width, 0]`."""

  maps = 0

  def __init__(
    self, image_size: Sequence[int], name: str = 'generator', **kwargs
  ):
    super().__init__(name=name, **kwargs)
    self.output_size = tuple(image_size)

  def call(self, z):
    return tf.zeros([tf.shape(z)[0], *self.output_size, self.maps], z.dtype)


@serialization.register
class LearnedFeatures(keras.layers.Layer):
  """Generator without latent: `[n, 0]` to learned `[n, height, width, maps]`.

  The feature maps are the same for all images. Far from the edges only they
  give a decoder with a small window the position of a pixel. The paper's tables
  [1] have an unconditional decoder and do not specify what replaces the
  features of the latent; this is our choice.
  """

  def __init__(
    self,
    image_size: Sequence[int],
    maps: int = 4,
    name: str = 'generator',
    **kwargs,
  ):
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
    return tf.broadcast_to(maps, [tf.shape(z)[0], *maps.shape])


def _register(name, description, network, **arguments):
  """Registers a network, with the config's field for each of its arguments."""
  arguments = dict(units='decoder_units', depth='decoder_depth') | arguments
  NETWORKS.register(name, description)(
    lambda config, outputs: network(
      outputs, **{key: getattr(config, f) for key, f in arguments.items()}
    )
  )


_register(
  'pixelcnn',
  "the paper's stack of masked 3x3 convolutions, 69 pixels",
  pixel_cnn.PixelCNN,
  tied='decoder_tied',
)
_register(
  'gated_pixelcnn',
  'vertical and horizontal stacks, gates, no blind spot',
  pixel_cnn.GatedPixelCNN,
  vertical_filter='vertical_filter',
  horizontal_filter='horizontal_filter',
)
_register(
  'window',
  'exactly the `--window=WIDTHxHEIGHT` before it',
  window_cnn.WindowCNN,
  window='window_size',
  tied='decoder_tied',
)
_register(
  'downsampled_window',
  'a wide window of blocks of `--downsampling` pixels',
  window_cnn.DownsampledWindowCNN,
  window='window_size',
  factor='downsampling',
  tied='decoder_tied',
)
_register(
  'pixelcnn_pp',
  'gated blocks that see exactly the `--window`, no further',
  pixel_cnn_pp.PixelCNNPlusPlus,
  window='window_size',
)
_register(
  'grey_pixelcnn_pp',
  'the same, on the luminance of colour images only',
  pixel_cnn_pp.GreyPixelCNNPlusPlus,
  window='window_size',
)
_register(
  'factorised',
  'nothing: the plain VAE',
  window_cnn.PointwiseCNN,
  tied='decoder_tied',
)


@check
def _check(config: Config) -> None:
  for name in ('vertical_filter', 'horizontal_filter'):
    size = getattr(config, name)
    fields.check(name, size, size % 2 == 1, 'odd')
  window = config.window
  fits = bool(re.fullmatch('[1-9][0-9]*x[1-9][0-9]*', window))
  fields.check('window', window, fits, 'a width and a height such as 4x2')
  fits = max(config.window_size) <= DEEP
  fields.check('window', window, fits, f'at most {DEEP} wide and high')
  is_plus_plus = config.decoder in ('pixelcnn_pp', 'grey_pixelcnn_pp')
  if is_plus_plus:
    pixel_cnn_pp.check_window(config.window_size)
  if config.decoder_tied and (
    is_plus_plus or config.decoder == 'gated_pixelcnn'
  ):
    raise ValueError(
      f'`decoder_tied` must be false with --decoder={config.decoder}, got true.'
    )
  if not config.latent_size and config.decoder == 'factorised':
    raise ValueError(
      '`latent_size` must be at least 1 with --decoder=factorised, got 0: all '
      'images would have the same distribution of pixels.'
    )
  if config.latent_size and config.learned_maps:
    raise ValueError(
      f'`latent_size` must be 0 with --learned_maps, got {config.latent_size}: '
      'the feature maps are those of the latent.'
    )


def create(config: Config, image_shape: Sequence[int]) -> AutoregressiveDecoder:
  """The decoder of a config."""
  *size, channels = image_shape
  pixel_distribution = pixel_distributions.PIXEL_DISTRIBUTIONS[
    config.pixel_distribution
  ]()
  if config.latent_size:
    generator = architectures.create(config).generator(config, size)
  elif config.learned_maps:
    generator = LearnedFeatures(size, config.decoder_features)
  else:
    generator = NoFeatures(size)
  network = NETWORKS[config.decoder](
    config, pixel_distribution.num_params(channels)
  )
  return AutoregressiveDecoder(channels, generator, network, pixel_distribution)
