"""Priors: Keras layers without input that return `p(z)`.

#### References

[1]: Xi Chen et al. Variational Lossy Autoencoder. In _International
     Conference on Learning Representations_, 2017.
     https://arxiv.org/abs/1611.02731 (section 3.2)
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow_probability as tfp

from vlae_tf.distributions import autoregressive_shift, gaussians
from vlae_tf.models import architectures, parts
from vlae_tf.nn import made
from vlae_tf.utils import checks, registry, serialization

tfb = tfp.bijectors
tfd = tfp.distributions

PRIORS = registry.Registry('prior')


@serialization.register
class GaussianPrior(parts.Prior):
  """`p(z) = N(z; 0, I)` of event shape `event_shape`.

  >>> prior = GaussianPrior(2)
  >>> round(float(prior().log_prob([0.0, 0.0])), 3)  # -log(2 pi)
  -1.838
  """

  def call(self):
    return gaussians.standard_gaussian(self.event_shape, self.variable_dtype)


@serialization.register
class AutoregressiveFlowPrior(GaussianPrior):
  """`z = f(eps)`, `eps ~ N(0, I)`, with `f` a chain of autoregressive flows.

  Each flow is a mean-only MADE over the code's numbers; their order is reversed
  between flows. The density takes one parallel pass; sampling is sequential
  ([1], Eqs 12-14).

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
    """Creates the layer.

    Args:
      event_shape: Shape of a code, or its number of dimensions.
      steps: Number of flows.
      hidden: Hidden units of each MADE.
      name: Name of the layer.
      **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
      ValueError: `event_shape` is not a shape, there is no step, or a hidden
        layer is too small.
    """
    super().__init__(event_shape, name=name, **kwargs)
    checks.integer('steps', steps, 1)
    self._size = math.prod(self.event_shape)
    self._networks = [
      made.MADE(self._size, hidden, name=f'made_{i}') for i in range(steps)
    ]

  def build(self, input_shape=None):
    del input_shape
    for network in self._networks:
      network.build((None, self._size))

  def bijector(self) -> tfb.Bijector:
    """The flow `f` from noise, a vector, to codes."""
    self.build_once()
    steps = [
      autoregressive_shift.AutoregressiveShift(network, network.unroll)
      for network in self._networks
    ]
    return autoregressive_shift.chain(steps, self.event_shape)

  def call(self):
    noise = gaussians.standard_gaussian((self._size,), self.variable_dtype)
    return tfd.TransformedDistribution(noise, self.bijector())


@PRIORS.register('flow', 'autoregressive flows, the paper')
def _flow(config, event_shape) -> keras.layers.Layer:
  hidden = (config.flow_units, config.flow_units)
  return AutoregressiveFlowPrior(event_shape, config.flow_steps, hidden)


@PRIORS.register('gaussian', 'a standard normal')
def _gaussian(config, event_shape) -> keras.layers.Layer:
  del config
  return GaussianPrior(event_shape)


def check(config: Any) -> None:
  """Checks that a prior can be of the codes of a config."""
  if not config.latent_size:
    return
  is_spatial = architectures.create(config).is_spatial
  if config.prior == 'flow' and not is_spatial:
    check_units(config)
  of_places = ('pixelcnn_flow', 'placewise_pixelcnn_flow')
  if config.prior in of_places and not is_spatial:
    raise ValueError(
      '`encoder` must be one of codes with places, such as spatial_resnet, '
      f'with --prior={config.prior}, got {config.encoder!r}.'
    )


def check_units(config: Any) -> None:
  """Checks that a MADE can be of the codes of a config, without places."""
  least = config.latent_size - 1
  if config.flow_units < least:
    raise ValueError(
      f'`flow_units` must be at least `latent_size - 1` = {least}, got '
      f'{config.flow_units}.'
    )


def create(config: Any, event_shape: Sequence[int]) -> keras.layers.Layer:
  """The prior of a config."""
  if not config.latent_size:
    return GaussianPrior(0)
  return PRIORS[config.prior](config, event_shape)
