"""Distributions and bijectors; none of them owns a network."""

from vlae_tf.utils import keras_backend  # noqa: F401  # isort: skip (checks)

from vlae_tf.distributions.autoregressive_image import AutoregressiveImage
from vlae_tf.distributions.autoregressive_shift import (
  AutoregressiveShift,
  FlowDistribution,
)
from vlae_tf.distributions.logistic_mixture import LogisticMixturePixel
from vlae_tf.distributions.pixel_distributions import (
  BernoulliPixel,
  CategoricalPixel,
  PIXEL_DISTRIBUTIONS,
  PixelDistribution,
)
from vlae_tf.distributions.reparameterized import (
  diagonal_gaussian,
  Draw,
  draw,
  standard_gaussian,
)

# Earlier names, for one more version.
PIXEL_LAWS, PixelLaw = PIXEL_DISTRIBUTIONS, PixelDistribution

__all__ = [
  'PIXEL_DISTRIBUTIONS',
  'AutoregressiveImage',
  'AutoregressiveShift',
  'BernoulliPixel',
  'CategoricalPixel',
  'Draw',
  'FlowDistribution',
  'LogisticMixturePixel',
  'PixelDistribution',
  'diagonal_gaussian',
  'draw',
  'standard_gaussian',
]
