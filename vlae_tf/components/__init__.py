"""The parts of a model, what training minimises, and the rate it learns at."""

from vlae_tf.system import keras_backend  # noqa: F401  # isort: skip (checks)

from vlae_tf.components.decoders import (
  AutoregressiveDecoder,
  NETWORKS,
  NoFeatures,
)
from vlae_tf.components.objectives import (
  Beta,
  FreeBits,
  ImportanceWeighted,
  NegativeELBO,
  OBJECTIVES,
  SoftFreeBits,
  WarmUp,
)
from vlae_tf.components.posteriors import (
  DiagonalGaussianPosterior,
  NoPosterior,
  POSTERIORS,
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
)
from vlae_tf.components.terms import Objective, Terms

__all__ = [
  'NETWORKS',
  'OBJECTIVES',
  'POSTERIORS',
  'PRIORS',
  'SCHEDULES',
  'AutoregressiveDecoder',
  'AutoregressiveFlowPrior',
  'Beta',
  'DiagonalGaussianPosterior',
  'FreeBits',
  'GaussianPrior',
  'HalveOnPlateau',
  'HoldThenCosine',
  'HoldThenLinear',
  'ImportanceWeighted',
  'NegativeELBO',
  'NoFeatures',
  'NoPosterior',
  'Objective',
  'SoftFreeBits',
  'Terms',
  'WarmUp',
]
