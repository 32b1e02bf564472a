"""Priors: Keras layers without input that return `p(z)`.

#### References

[1]: Chen et al. Variational Lossy Autoencoder. ICLR 2017, arXiv:1611.02731
     (section 3.2, Appendix B).
"""

import math
from collections.abc import Sequence

import keras
import tensorflow_probability as tfp

from vlae_tf.distributions import autoregressive_shift, reparameterized
from vlae_tf.models import architectures, parts
from vlae_tf.models.config import check, Config, PRIORS
from vlae_tf.nn import made
from vlae_tf.nn.pixel import shift_cnn
from vlae_tf.utils import checks, fields, serialization

tfb = tfp.bijectors


@serialization.register
class GaussianPrior(parts.Prior):
  """`p(z) = N(z; 0, I)` of event shape `event_shape`.

  >>> prior = GaussianPrior(2)
  >>> round(float(prior().log_prob([0.0, 0.0])), 3)  # -log(2 pi)
  -1.838
  """

  def call(self):
    return reparameterized.standard_gaussian(
      self.event_shape, self.variable_dtype
    )


class _FlowPrior(GaussianPrior):
  """`z = f(eps)`, `eps ~ N(0, I)`, with `f` the `bijector`."""

  def bijector(self) -> tfb.Bijector:
    """The flow `f` from noise to latents."""
    raise NotImplementedError

  def call(self):
    flow = self.bijector()
    shape = flow.inverse_event_shape(self.event_shape)
    noise = reparameterized.standard_gaussian(shape, self.variable_dtype)
    return autoregressive_shift.FlowDistribution(noise, flow)


@serialization.register
class AutoregressiveFlowPrior(_FlowPrior):
  """`z = f(eps)`, `eps ~ N(0, I)`, with `f` a chain of autoregressive flows.

  Each flow is a mean-only MADE over the latent dimensions; their order is
  reversed between flows. It needs `hidden` units of at least their number minus
  1. The density takes one parallel pass; sampling is sequential ([1], Eqs
  12-14).

  >>> prior = AutoregressiveFlowPrior(4, steps=2, hidden=(8, 8))
  >>> z = prior().sample(3, seed=1)
  >>> z.shape, prior().log_prob(z).shape
  (TensorShape([3, 4]), TensorShape([3]))
  >>> float(prior.bijector().forward_log_det_jacobian(z, 1))  # Keeps volumes.
  0.0
  """

  def __init__(
    self,
    event_shape: int | Sequence[int],
    steps: int = 4,
    hidden: Sequence[int] = (640, 640),
    name: str = 'prior',
    **kwargs,
  ):
    super().__init__(event_shape, name=name, **kwargs)
    checks.integer('steps', steps, 1)
    self._size = math.prod(self.event_shape)
    self._networks = [
      made.MADE(self._size, hidden, name=f'made_{i}') for i in range(steps)
    ]

  def build(self, input_shape=None):
    for network in self._networks:
      network.build((None, self._size))

  def bijector(self) -> tfb.Bijector:
    """The flow `f` from noise, a vector, to latents."""
    self.build_once()
    steps = [
      autoregressive_shift.AutoregressiveShift(network, network.unroll)
      for network in self._networks
    ]
    flow = autoregressive_shift.chain(steps, (self._size,))
    if len(self.event_shape) == 1:
      return flow
    reshape = tfb.Reshape(self.event_shape, [self._size])
    return tfb.Chain([reshape, *flow.bijectors], name='flow')


@serialization.register
class PixelCNNFlowPrior(_FlowPrior):
  """`z = f(eps)`, `eps ~ N(0, I)`, with `f` a chain of PixelCNN flows.

  Each flow shifts the channels of a position by a PixelCNN of the positions
  before it; the order of the positions is reversed between flows ([1],
  Appendix B). The density takes one parallel pass; sampling goes wavefront by
  wavefront, and has no gradient.

  >>> prior = PixelCNNFlowPrior((2, 2, 3), steps=2, hidden=(8, 8))
  >>> z = prior().sample(5, seed=1)
  >>> z.shape, prior().log_prob(z).shape
  (TensorShape([5, 2, 2, 3]), TensorShape([5]))
  >>> float(prior.bijector().forward_log_det_jacobian(z, 3))  # Keeps volumes.
  0.0
  """

  # Network of one flow, and the axes that are reversed between two flows.
  _NETWORK = shift_cnn.ShiftCNN
  _REVERSED: tuple[int, ...] = (-3, -2)

  def __init__(
    self,
    event_shape: Sequence[int],
    steps: int = 6,
    hidden: Sequence[int] = (128, 128),
    name: str = 'prior',
    **kwargs,
  ):
    super().__init__(event_shape, name=name, **kwargs)
    fields.check(
      'event_shape',
      self.event_shape,
      len(self.event_shape) == 3 and min(self.event_shape) >= 1,
      '(height, width, channels), each at least 1',
    )
    checks.integer('steps', steps, 1)
    self._networks = [
      self._NETWORK(hidden, name=f'shift_cnn_{i}', dtype=self.dtype_policy)
      for i in range(steps)
    ]

  def build(self, input_shape=None):
    for network in self._networks:
      network.build_for(self.event_shape)

  def bijector(self) -> tfb.Bijector:
    """The flow `f` from noise to latents, both of shape `event_shape`."""
    self.build_once()
    steps = [
      autoregressive_shift.AutoregressiveShift(
        network.shift, network.unroll_shift, event_ndims=3
      )
      for network in self._networks
    ]
    return autoregressive_shift.chain(steps, self.event_shape, self._REVERSED)


@serialization.register
class ChannelwisePixelCNNFlowPrior(PixelCNNFlowPrior):
  """PixelCNN flows that also condition on earlier channels of a position.

  The order of the channels is reversed between flows, like the positions.
  """

  _NETWORK = shift_cnn.ChannelwiseShiftCNN
  _REVERSED = (-3, -2, -1)


def flow_sizes(config: Config) -> tuple[int, tuple[int, int]]:
  """Number of flows, and hidden units of each."""
  return config.flow_steps, (config.flow_units, config.flow_units)


PRIORS.register('flow', 'autoregressive flows, the paper')(
  lambda config, shape: AutoregressiveFlowPrior(shape, *flow_sizes(config))
)
PRIORS.register('gaussian', 'a standard normal')(
  lambda config, shape: GaussianPrior(shape)
)
# The paper does not specify which of the two it uses. In a small run on noisy
# latents of photographs (blocks of CIFAR-10 on their first 16 principal
# components), channelwise flows had 7 nats less of 2169 (one seed).
PRIORS.register(
  'pixelcnn_flow',
  'PixelCNN flows over positions, and over the channels of each',
)(
  lambda config, shape: ChannelwisePixelCNNFlowPrior(shape, *flow_sizes(config))
)
PRIORS.register(
  'placewise_pixelcnn_flow',
  'the same, the channels of a position shifted together',
)(lambda config, shape: PixelCNNFlowPrior(shape, *flow_sizes(config)))


@check
def _check(config: Config) -> None:
  if not config.latent_size:
    return
  is_spatial = architectures.create(config).is_spatial
  if config.prior == 'flow' and not is_spatial:
    check_units(config)
  fields.check(
    'encoder',
    config.encoder,
    is_spatial or not config.prior.endswith('pixelcnn_flow'),
    'one of spatial latents, such as spatial_resnet, with '
    f'--prior={config.prior}',
  )


def check_units(config: Config) -> None:
  """Checks that a MADE over a latent vector has enough hidden units."""
  least, units = config.latent_size - 1, config.flow_units
  needs = f'at least `latent_size - 1` = {least}'
  fields.check('flow_units', units, units >= least, needs)


def create(config: Config, event_shape: Sequence[int]) -> keras.layers.Layer:
  """The prior of a config."""
  if not config.latent_size:
    return GaussianPrior(0)
  return PRIORS[config.prior](config, event_shape)
