"""Approximate posteriors: Keras layers from an image to `q(z|x)`.

The law they return has to be one that `reparameterized.draw` can draw from.

#### References

[1]: Diederik P. Kingma, Max Welling. Auto-Encoding Variational Bayes. In
     _International Conference on Learning Representations_, 2014.
     https://arxiv.org/abs/1312.6114
[2]: Xi Chen et al. Variational Lossy Autoencoder. In _International
     Conference on Learning Representations_, 2017.
     https://arxiv.org/abs/1611.02731 (Appendix B)
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from vlae_tf.distributions import gaussians
from vlae_tf.models import architectures, parts, priors
from vlae_tf.nn import residual, weight_norm
from vlae_tf.utils import registry, serialization

tfd = tfp.distributions

POSTERIORS = registry.Registry('posterior')

# Log-scales lie within +-8: scales between 1/2981 and 2981.
MAX_LOG_SCALE = 8.0


@serialization.register
class DiagonalGaussianPosterior(parts.Posterior):
  """`q(z|x) = prod{ N(z[i]; mean_i(x), scale_i(x)) }` [1].

  Maps images `[batch, height, width, channels]` to a `tfd.Distribution` of
  batch shape `[batch]` and event shape `event_shape`.

  >>> posterior = DiagonalGaussianPosterior(2, residual.Encoder((4,), 8))
  >>> posterior.build((None, 6, 6, 1))
  >>> law = posterior(tf.zeros([3, 6, 6, 1]))
  >>> law.batch_shape, law.event_shape
  (TensorShape([3]), TensorShape([2]))
  """

  def __init__(
    self,
    event_shape: int | Sequence[int],
    encoder: keras.layers.Layer | None = None,
    name: str = 'posterior',
    **kwargs,
  ):
    """Creates the layer.

    Args:
      event_shape: Shape of a code, or its number of dimensions.
      encoder: Keras layer with `units` from images to features `[batch,
        units]`; the paper's residual network by default.
      name: Name of the layer.
      **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
      ValueError: `event_shape` is not a shape.
    """
    super().__init__(event_shape, name=name, **kwargs)
    size = math.prod(self.event_shape)
    self._encoder = residual.Encoder() if encoder is None else encoder
    self._mean = weight_norm.WeightNormDense(size, name='mean')
    self._log_scale = weight_norm.WeightNormDense(
      size, init_scale=0.1, name='log_scale'
    )

  def build(self, input_shape):
    self._encoder.build(input_shape)
    features = (None, self._encoder.units)
    self._mean.build(features)
    self._log_scale.build(features)

  def call(self, image):
    return self._gaussian(self._encoder(image))

  def _gaussian(self, features):
    mean, scale = self._mean(features), _scale(self._log_scale(features))
    if len(self.event_shape) > 1:
      mean, scale = (
        tf.reshape(x, [-1, *self.event_shape]) for x in (mean, scale)
      )
    return gaussians.diagonal_gaussian(mean, scale, len(self.event_shape))


@serialization.register
class SpatialGaussianPosterior(parts.Posterior):
  """The same law over codes `[height, width, maps]`, by 1x1 convolutions [2].

  >>> from vlae_tf.nn import spatial
  >>> encoder = spatial.SpatialEncoder((4, 4), (1, 1))
  >>> posterior = SpatialGaussianPosterior((3, 3, 2), encoder)
  >>> posterior.build((None, 6, 6, 1))
  >>> posterior(tf.zeros([5, 6, 6, 1])).event_shape
  TensorShape([3, 3, 2])
  """

  def __init__(
    self,
    event_shape: Sequence[int],
    encoder: keras.layers.Layer,
    name: str = 'posterior',
    **kwargs,
  ):
    """Creates the layer.

    Args:
      event_shape: `(height, width, maps)` of a code.
      encoder: Keras layer from images to maps `[batch, height, width, any]`.
      name: Name of the layer.
      **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
      ValueError: `event_shape` is no such shape.
    """
    super().__init__(event_shape, name=name, **kwargs)
    if len(self.event_shape) != 3:
      raise ValueError(
        f'`event_shape` must be (height, width, maps), got {self.event_shape}.'
      )
    maps = self.event_shape[-1]
    self._encoder = encoder
    self._mean = weight_norm.WeightNormConv2D(maps, 1, name='mean')
    self._log_scale = weight_norm.WeightNormConv2D(
      maps, 1, init_scale=0.1, name='log_scale'
    )

  def build(self, input_shape):
    features = self._encoder.compute_output_shape(input_shape)
    if tuple(features[1:3]) != self.event_shape[:2]:
      raise ValueError(
        '`event_shape` must have the size of what the encoder makes of images '
        f'of {input_shape[1]}x{input_shape[2]}, {tuple(features[1:3])}, got '
        f'{self.event_shape}.'
      )
    self._encoder.build(input_shape)
    self._mean.build(features)
    self._log_scale.build(features)

  def call(self, image):
    features = self._encoder(image)
    scale = _scale(self._log_scale(features))
    return gaussians.diagonal_gaussian(self._mean(features), scale, 3)


def _scale(log_scale):
  return tf.exp(MAX_LOG_SCALE * tf.tanh(log_scale / MAX_LOG_SCALE))


@serialization.register
class NoPosterior(parts.Posterior):
  """The posterior of a model without a code: a code of no dimension.

  Rate and noise have no element, so the bound is the likelihood itself.
  """

  def __init__(self, name: str = 'posterior', **kwargs):
    """Creates the layer.

    Args:
      name: Name of the layer.
      **kwargs: Arguments of `keras.layers.Layer`.
    """
    super().__init__(0, name=name, **kwargs)

  def call(self, image):
    mean = tf.zeros([tf.shape(image)[0], 0])
    return gaussians.diagonal_gaussian(mean, tf.ones_like(mean))


@POSTERIORS.register('gaussian', 'independent dimensions')
def _gaussian(config, event_shape) -> keras.layers.Layer:
  encoder = architectures.create(config).encoder(config)
  if len(event_shape) == 3:
    return SpatialGaussianPosterior(event_shape, encoder)
  return DiagonalGaussianPosterior(event_shape, encoder)


def check(config: Any) -> None:
  """Checks that a posterior can be of the codes of a config."""
  if not config.latent_size or config.posterior != 'iaf':
    return
  if architectures.create(config).is_spatial:
    raise ValueError(
      "`encoder` must be 'vector' with --posterior=iaf, got "
      f'{config.encoder!r}.'
    )
  priors.check_units(config)


def create(config: Any, event_shape: Sequence[int]) -> keras.layers.Layer:
  """The posterior of a config."""
  if not config.latent_size:
    return NoPosterior()
  return POSTERIORS[config.posterior](config, event_shape)
