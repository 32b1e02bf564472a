"""The parts of a model, what training minimises, and the rate it learns at."""

from vlae_tf.system import keras_backend  # noqa: F401  # isort: skip (checks)

from vlae_tf.components.architectures import Architecture, ENCODERS
from vlae_tf.components.decoders import (
  AutoregressiveDecoder,
  LearnedFeatures,
  NETWORKS,
  NoFeatures,
)
from vlae_tf.components.elbo import Beta, NegativeELBO
from vlae_tf.components.free_bits import FreeBits, SoftFreeBits
from vlae_tf.components.importance_weighted import ImportanceWeighted
from vlae_tf.components.inverse_autoregressive_flow import (
  InverseAutoregressiveFlowPosterior,
)
from vlae_tf.components.objectives import OBJECTIVES
from vlae_tf.components.parts import Likelihood, Posterior, Prior
from vlae_tf.components.pixel_cnn_flow import (
  ChannelwisePixelCNNFlowPrior,
  PixelCNNFlowPrior,
)
from vlae_tf.components.posteriors import (
  DiagonalGaussianPosterior,
  NoPosterior,
  POSTERIORS,
  SpatialGaussianPosterior,
)
from vlae_tf.components.priors import (
  AutoregressiveFlowPrior,
  GaussianPrior,
  PRIORS,
)
from vlae_tf.components.schedules import (
  HalveOnPlateau,
  HoldThenCosine,
  HoldThenLinear,
  SCHEDULES,
  WarmedUp,
)
from vlae_tf.components.terms import Objective, Terms
from vlae_tf.components.warm_up import WarmUp

__all__ = [
  'ENCODERS',
  'NETWORKS',
  'OBJECTIVES',
  'POSTERIORS',
  'PRIORS',
  'SCHEDULES',
  'Architecture',
  'AutoregressiveDecoder',
  'AutoregressiveFlowPrior',
  'Beta',
  'ChannelwisePixelCNNFlowPrior',
  'DiagonalGaussianPosterior',
  'FreeBits',
  'GaussianPrior',
  'HalveOnPlateau',
  'HoldThenCosine',
  'HoldThenLinear',
  'ImportanceWeighted',
  'InverseAutoregressiveFlowPosterior',
  'LearnedFeatures',
  'Likelihood',
  'NegativeELBO',
  'NoFeatures',
  'NoPosterior',
  'Objective',
  'PixelCNNFlowPrior',
  'Posterior',
  'Prior',
  'SoftFreeBits',
  'SpatialGaussianPosterior',
  'Terms',
  'WarmUp',
  'WarmedUp',
]
