"""Laws and bijectors that own no network, and how to draw from them."""

from vlae_tf.utils import keras_backend  # noqa: F401  # isort: skip (checks)

from vlae_tf.distributions.autoregressive_image import AutoregressiveImage
from vlae_tf.distributions.autoregressive_shift import AutoregressiveShift
from vlae_tf.distributions.gaussians import diagonal_gaussian, standard_gaussian
from vlae_tf.distributions.logistic_mixture import LogisticMixturePixel
from vlae_tf.distributions.pixel_distributions import (
  BernoulliPixel,
  CategoricalPixel,
  PIXEL_LAWS,
  PixelLaw,
)
from vlae_tf.distributions.reparameterized import Draw, draw

__all__ = [
  'PIXEL_LAWS',
  'AutoregressiveImage',
  'AutoregressiveShift',
  'BernoulliPixel',
  'CategoricalPixel',
  'Draw',
  'LogisticMixturePixel',
  'PixelLaw',
  'diagonal_gaussian',
  'draw',
  'standard_gaussian',
]
