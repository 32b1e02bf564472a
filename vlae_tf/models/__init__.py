"""The VLAE, its parts, their configuration, objectives and schedules."""

from vlae_tf.utils import keras_backend  # noqa: F401  # isort: skip (checks)

from vlae_tf.models.architectures import Architecture, ENCODERS
from vlae_tf.models.builder import build_model, ModelBuilder
from vlae_tf.models.config import Config
from vlae_tf.models.decoders import (
  AutoregressiveDecoder,
  LearnedFeatures,
  NETWORKS,
  NoFeatures,
)
from vlae_tf.models.elbo import Beta, NegativeELBO
from vlae_tf.models.free_bits import FreeBits, SoftFreeBits
from vlae_tf.models.importance_weighted import ImportanceWeighted
from vlae_tf.models.inverse_autoregressive_flow import (
  InverseAutoregressiveFlowPosterior,
)
from vlae_tf.models.objectives import OBJECTIVES
from vlae_tf.models.parts import Likelihood, Posterior, Prior
from vlae_tf.models.pixel_cnn_flow import (
  ChannelwisePixelCNNFlowPrior,
  PixelCNNFlowPrior,
)
from vlae_tf.models.posteriors import (
  DiagonalGaussianPosterior,
  NoPosterior,
  POSTERIORS,
  SpatialGaussianPosterior,
)
from vlae_tf.models.priors import AutoregressiveFlowPrior, GaussianPrior, PRIORS
from vlae_tf.models.schedules import (
  HalveOnPlateau,
  HoldThenCosine,
  HoldThenLinear,
  SCHEDULES,
  WarmedUp,
)
from vlae_tf.models.terms import Objective, Terms
from vlae_tf.models.vlae import VLAE
from vlae_tf.models.warm_up import WarmUp

__all__ = [
  'ENCODERS',
  'NETWORKS',
  'OBJECTIVES',
  'POSTERIORS',
  'PRIORS',
  'SCHEDULES',
  'VLAE',
  'Architecture',
  'AutoregressiveDecoder',
  'AutoregressiveFlowPrior',
  'Beta',
  'ChannelwisePixelCNNFlowPrior',
  'Config',
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
  'ModelBuilder',
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
  'build_model',
]
