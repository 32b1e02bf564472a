"""The VLAE, its components, their configuration, objectives and schedules."""

from vlae_tf.utils import keras_backend  # noqa: F401  # isort: skip (checks)

from vlae_tf.models.architectures import Architecture
from vlae_tf.models.builder import build_model, ModelBuilder
from vlae_tf.models.config import (
  Config,
  ENCODERS,
  NETWORKS,
  OBJECTIVES,
  POSTERIORS,
  PRIORS,
  SCHEDULES,
)
from vlae_tf.models.decoders import (
  AutoregressiveDecoder,
  LearnedFeatures,
  NoFeatures,
)
from vlae_tf.models.objectives import (
  Beta,
  FreeBits,
  ImportanceWeighted,
  NegativeELBO,
  Objective,
  SoftFreeBits,
  Terms,
  WarmUp,
)
from vlae_tf.models.parts import Likelihood, Posterior, Prior
from vlae_tf.models.posteriors import (
  DiagonalGaussianPosterior,
  InverseAutoregressiveFlowPosterior,
  NoPosterior,
  SpatialGaussianPosterior,
)
from vlae_tf.models.priors import (
  AutoregressiveFlowPrior,
  ChannelwisePixelCNNFlowPrior,
  GaussianPrior,
  PixelCNNFlowPrior,
)
from vlae_tf.models.schedules import (
  HalveOnPlateau,
  HoldThenCosine,
  HoldThenLinear,
  WarmedUp,
)
from vlae_tf.models.vlae import VLAE

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
