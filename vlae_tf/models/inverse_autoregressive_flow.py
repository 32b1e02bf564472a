"""Posteriors of inverse autoregressive flows.

#### References

[1]: Diederik P. Kingma et al. Improved Variational Inference with Inverse
     Autoregressive Flow. In _Neural Information Processing Systems_, 2016.
     https://arxiv.org/abs/1606.04934
[2]: Xi Chen et al. Variational Lossy Autoencoder. In _International
     Conference on Learning Representations_, 2017.
     https://arxiv.org/abs/1611.02731 (section 3.2)
"""

from collections.abc import Sequence

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from vlae_tf.distributions import autoregressive_shift
from vlae_tf.models import architectures, posteriors
from vlae_tf.nn import made
from vlae_tf.utils import checks, serialization

tfb = tfp.bijectors
tfd = tfp.distributions


@serialization.register
class InverseAutoregressiveFlowPosterior(posteriors.DiagonalGaussianPosterior):
  """`z = g(u)`, `u` of a diagonal Gaussian, `g` a chain of inverse flows [1].

  Each is a mean-only MADE over the code's numbers which also sees the encoder's
  features; their order is reversed between flows. A draw and its density take
  one parallel pass; the density of any other code is sequential.

  Without features the flows are those of `AutoregressiveFlowPrior`, read the
  other way: the same rate, with codes `u` in place of `g(u)` ([2], Eqs 12-14).

  >>> from vlae_tf.nn import residual
  >>> encoder = residual.Encoder((4,), 8)
  >>> posterior = InverseAutoregressiveFlowPosterior(3, encoder, 2, (8, 8))
  >>> posterior.build((None, 6, 6, 1))
  >>> law = posterior(tf.zeros([5, 6, 6, 1]))
  >>> law.sample(2, seed=1).shape, law.event_shape
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
    """Creates the layer.

    Args:
      event_shape: Number of dimensions of a code, or its shape, `[size]`.
      encoder: As of `DiagonalGaussianPosterior`.
      steps: Number of flows.
      hidden: Hidden units of each MADE.
      with_context: Whether the flows see the encoder's features.
      name: Name of the layer.
      **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
      ValueError: `event_shape` is not that of a vector, there is no step, or a
        hidden layer is too small.
    """
    super().__init__(event_shape, encoder, name=name, **kwargs)
    if len(self.event_shape) != 1:
      raise ValueError(
        f'`event_shape` must be that of a vector, got {self.event_shape}.'
      )
    checks.integer('steps', steps, 1)
    self._size = self.event_shape[0]
    self._context_size = self._encoder.units if with_context else 0
    self._networks = [
      made.MADE(
        self._size, hidden, context_size=self._context_size, name=f'made_{i}'
      )
      for i in range(steps)
    ]

  def build(self, input_shape):
    super().build(input_shape)
    for network in self._networks:
      network.build((None, self._size))

  def call(self, image):
    features = self._encoder(image)
    context = features if self._context_size else None
    steps = [_conditional(network, context) for network in self._networks]
    flow = tfb.Invert(autoregressive_shift.chain(steps, self.event_shape))
    return tfd.TransformedDistribution(self._gaussian(features), flow)


def _conditional(network, context):
  """A flow that is told the context of each image of `[..., batch, size]`."""
  if context is None:
    return autoregressive_shift.AutoregressiveShift(network, network.unroll)

  def per_code(z):
    times = tf.shape(z)[0] // tf.shape(context)[0]
    return tf.cast(tf.tile(context, [times, 1]), z.dtype)

  return autoregressive_shift.AutoregressiveShift(
    lambda z: network(z, per_code(z)),
    lambda eps, update: network.unroll(eps, update, per_code(eps)),
  )


@posteriors.POSTERIORS.register(
  'iaf', 'inverse autoregressive flows that see the image'
)
def _iaf(config, event_shape) -> keras.layers.Layer:
  encoder = architectures.create(config).encoder(config)
  hidden = (config.flow_units, config.flow_units)
  return InverseAutoregressiveFlowPosterior(
    event_shape, encoder, config.flow_steps, hidden
  )
