"""Approximate posteriors: Keras layers from an image to `q(z|x)`.

`reparameterized.draw` must support the distributions that they return.

#### References

[1]: Kingma and Welling. Auto-Encoding Variational Bayes. ICLR 2014,
     arXiv:1312.6114.
[2]: Chen et al. Variational Lossy Autoencoder. ICLR 2017, arXiv:1611.02731
     (section 3.2, Appendix B).
[3]: Kingma et al. Improving Variational Inference with Inverse Autoregressive
     Flow. NIPS 2016, arXiv:1606.04934.
"""

import math
from collections.abc import Sequence

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from vlae_tf.distributions import autoregressive_shift, reparameterized
from vlae_tf.models import architectures, parts, priors
from vlae_tf.models.config import check, Config, POSTERIORS
from vlae_tf.nn import made, residual, weight_norm
from vlae_tf.utils import checks, fields, serialization

tfb = tfp.bijectors

# Log-scales lie within +-8: scales between 1/2981 and 2981.
MAX_LOG_SCALE = 8.0


@serialization.register
class DiagonalGaussianPosterior(parts.Posterior):
  """`q(z|x) = prod{ N(z[i]; mean_i(x), scale_i(x)) }` [1].

  Takes images `[batch, height, width, channels]` to a `tfd.Distribution` of
  batch shape `[batch]` and event shape `event_shape`.

  >>> posterior = DiagonalGaussianPosterior(2, residual.Encoder((4,), 8))
  >>> posterior.build((None, 6, 6, 1))
  >>> q = posterior(tf.zeros([3, 6, 6, 1]))
  >>> q.batch_shape, q.event_shape
  (TensorShape([3]), TensorShape([2]))

  The encoder is a Keras layer with `units` from images to features `[batch,
  units]`; the paper's residual network by default.
  """

  def __init__(
    self,
    event_shape: int | Sequence[int],
    encoder: keras.layers.Layer | None = None,
    name: str = 'posterior',
    **kwargs,
  ):
    super().__init__(event_shape, name=name, **kwargs)
    size = math.prod(self.event_shape)
    self._encoder = residual.Encoder() if encoder is None else encoder
    self._mean = weight_norm.WeightNormDense(size, name='mean')
    self._log_scale = weight_norm.WeightNormDense(
      size, init_scale=0.1, name='log_scale'
    )

  def build(self, input_shape):
    self._encoder.build(input_shape)
    for layer in (self._mean, self._log_scale):
      layer.build((None, self._encoder.units))

  def call(self, image):
    return self._gaussian(self._encoder(image))

  def _gaussian(self, features):
    mean, scale = self._mean(features), _scale(self._log_scale(features))
    if len(self.event_shape) > 1:
      mean, scale = (
        tf.reshape(x, [-1, *self.event_shape]) for x in (mean, scale)
      )
    return reparameterized.diagonal_gaussian(mean, scale, len(self.event_shape))


@serialization.register
class SpatialGaussianPosterior(parts.Posterior):
  """Diagonal Gaussian of a spatial latent, by 1x1 convolutions [2].

  >>> from vlae_tf.nn import residual
  >>> encoder = residual.SpatialEncoder((4, 4), (1, 1))
  >>> posterior = SpatialGaussianPosterior((3, 3, 2), encoder)
  >>> posterior.build((None, 6, 6, 1))
  >>> posterior(tf.zeros([5, 6, 6, 1])).event_shape
  TensorShape([3, 3, 2])

  The encoder is a Keras layer from images to feature maps `[batch, height,
  width, any]` of the height and width of a latent.
  """

  def __init__(
    self,
    event_shape: Sequence[int],
    encoder: keras.layers.Layer,
    name: str = 'posterior',
    **kwargs,
  ):
    super().__init__(event_shape, name=name, **kwargs)
    shape, needs = self.event_shape, '(height, width, channels)'
    fields.check('event_shape', shape, len(shape) == 3, needs)
    channels = shape[-1]
    self._encoder = encoder
    self._mean = weight_norm.WeightNormConv2D(channels, 1, name='mean')
    self._log_scale = weight_norm.WeightNormConv2D(
      channels, 1, init_scale=0.1, name='log_scale'
    )

  def build(self, input_shape):
    features = self._encoder.compute_output_shape(input_shape)
    if tuple(features[1:3]) != self.event_shape[:2]:
      raise ValueError(
        '`event_shape` must have the size of the feature maps of images of '
        f'{input_shape[1]}x{input_shape[2]}, {tuple(features[1:3])}, got '
        f'{self.event_shape}.'
      )
    self._encoder.build(input_shape)
    for layer in (self._mean, self._log_scale):
      layer.build(features)

  def call(self, image):
    features = self._encoder(image)
    scale = _scale(self._log_scale(features))
    return reparameterized.diagonal_gaussian(self._mean(features), scale, 3)


def _scale(log_scale):
  return tf.exp(MAX_LOG_SCALE * tf.tanh(log_scale / MAX_LOG_SCALE))


@serialization.register
class InverseAutoregressiveFlowPosterior(DiagonalGaussianPosterior):
  """`z = g(u)`, `u` diagonal Gaussian, `g` a chain of inverse flows [3].

  Each flow is a mean-only MADE over the latent dimensions that also gets the
  features of the encoder; the order of the dimensions is reversed between
  flows. A draw and its density take one parallel pass; the density of any other
  latent is sequential. `hidden` units are at least the dimensions minus 1.

  Without features, they are the flows of `AutoregressiveFlowPrior` in the other
  direction: the same rate for latents `u` in place of `g(u)` ([2], Eqs 12-14).

  >>> from vlae_tf.nn import residual
  >>> encoder = residual.Encoder((4,), 8)
  >>> posterior = InverseAutoregressiveFlowPosterior(3, encoder, 2, (8, 8))
  >>> posterior.build((None, 6, 6, 1))
  >>> q = posterior(tf.zeros([5, 6, 6, 1]))
  >>> q.sample(2, seed=1).shape, q.event_shape
  (TensorShape([2, 5, 3]), TensorShape([3]))
  """

  def __init__(
    self,
    event_shape: int | Sequence[int],
    encoder: keras.layers.Layer | None = None,
    steps: int = 4,
    hidden: Sequence[int] = (640, 640),
    with_context: bool = True,
    name: str = 'posterior',
    **kwargs,
  ):
    super().__init__(event_shape, encoder, name=name, **kwargs)
    shape = self.event_shape
    fields.check('event_shape', shape, len(shape) == 1, 'that of a vector')
    checks.integer('steps', steps, 1)
    self._with_context = with_context
    context = self._encoder.units if with_context else 0
    self._networks = [
      made.MADE(shape[0], hidden, context_size=context, name=f'made_{i}')
      for i in range(steps)
    ]

  def build(self, input_shape):
    super().build(input_shape)
    for network in self._networks:
      network.build((None, *self.event_shape))

  def call(self, image):
    features = self._encoder(image)
    context = features if self._with_context else None
    steps = [_conditional(network, context) for network in self._networks]
    flow = tfb.Invert(autoregressive_shift.chain(steps, self.event_shape))
    noise = self._gaussian(features)
    return autoregressive_shift.FlowDistribution(noise, flow)


def _conditional(network, context):
  """A flow over latents `[..., batch, size]`, given a context of each image."""
  if context is None:
    return autoregressive_shift.AutoregressiveShift(network, network.unroll)

  def repeated(z):
    times = tf.shape(z)[0] // tf.shape(context)[0]
    return tf.cast(tf.tile(context, [times, 1]), z.dtype)

  return autoregressive_shift.AutoregressiveShift(
    lambda z: network(z, repeated(z)),
    lambda eps, update: network.unroll(eps, update, repeated(eps)),
  )


@serialization.register
class NoPosterior(parts.Posterior):
  """The posterior of a model without a latent: a latent of no dimension.

  The rate is 0, so the bound is the likelihood itself.
  """

  def __init__(self, name: str = 'posterior', **kwargs):
    super().__init__(0, name=name, **kwargs)

  def call(self, image):
    mean = tf.zeros([tf.shape(image)[0], 0])
    return reparameterized.diagonal_gaussian(mean, tf.ones_like(mean))


@POSTERIORS.register('gaussian', 'independent dimensions')
def _gaussian(config, event_shape):
  encoder = architectures.create(config).encoder(config)
  if len(event_shape) == 3:
    return SpatialGaussianPosterior(event_shape, encoder)
  return DiagonalGaussianPosterior(event_shape, encoder)


@POSTERIORS.register('iaf', 'inverse autoregressive flows that see the image')
def _iaf(config, event_shape):
  encoder = architectures.create(config).encoder(config)
  sizes = priors.flow_sizes(config)
  return InverseAutoregressiveFlowPosterior(event_shape, encoder, *sizes)


@check
def _check(config: Config) -> None:
  if config.latent_size and config.posterior == 'iaf':
    spatial = architectures.create(config).is_spatial
    needs = "'vector' with --posterior=iaf"
    fields.check('encoder', config.encoder, not spatial, needs)
    priors.check_units(config)


def create(config: Config, event_shape: Sequence[int]) -> keras.layers.Layer:
  """The posterior of a config."""
  if not config.latent_size:
    return NoPosterior()
  return POSTERIORS[config.posterior](config, event_shape)
