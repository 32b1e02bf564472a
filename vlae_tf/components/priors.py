"""Priors: Keras layers without input that return `p(z)`.

#### References

[1]: Xi Chen et al. Variational Lossy Autoencoder. In _International
     Conference on Learning Representations_, 2017.
     https://arxiv.org/abs/1611.02731 (section 3.2)
"""

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from vlae_tf.distributions import autoregressive_shift
from vlae_tf.nn import made

tfb = tfp.bijectors
tfd = tfp.distributions


class GaussianPrior(keras.layers.Layer):
  """`p(z) = N(z; 0, I)`, event shape `[latent_size]`."""

  def __init__(self, latent_size, **kwargs):
    """Creates the layer.

    Args:
      latent_size: Number of latent dimensions.
      **kwargs: Arguments of `keras.layers.Layer`.
    """
    super().__init__(**kwargs)
    self.latent_size = latent_size

  def build(self, input_shape=None):
    """Creates the variables, of which a Gaussian has none."""

  def __call__(self):
    # Keras's own `__call__` fails on a layer without input.
    return self.call()

  def call(self):
    return tfd.MultivariateNormalDiag(tf.zeros([self.latent_size]))


class AutoregressiveFlowPrior(GaussianPrior):
  """`z = f(eps)`, `eps ~ N(0, I)`, with `f` a chain of autoregressive flows.

  Each flow is a mean-only MADE; the order of the variables is reversed between
  flows. The density takes one parallel pass; sampling is sequential ([1],
  Eqs 12-14).
  """

  def __init__(self, latent_size, steps=4, hidden=(640, 640), **kwargs):
    """Creates the layer.

    Args:
      latent_size: Number of latent dimensions.
      steps: Number of flows.
      hidden: Hidden units of each MADE.
      **kwargs: Arguments of `keras.layers.Layer`.
    """
    super().__init__(latent_size, **kwargs)
    self._networks = [
      made.MADE(latent_size, hidden, name=f'made_{i}') for i in range(steps)
    ]

  def build(self, input_shape=None):
    del input_shape
    for network in self._networks:
      network.build((None, self.latent_size))

  def bijector(self):
    """The flow `f` from noise to codes, a `tfb.Bijector`."""
    reverse = list(reversed(range(self.latent_size)))
    steps = []
    for network in self._networks:
      shift = autoregressive_shift.AutoregressiveShift(network, network.unroll)
      steps += [shift, tfb.Permute(reverse)]
    return tfb.Chain(steps[:-1])

  def call(self):
    return tfd.TransformedDistribution(super().call(), self.bijector())
