"""What training minimises, by name; each an `Objective`, see `terms`."""

import math
from collections.abc import Sequence
from typing import Any

from vlae_tf.models.elbo import Beta, NegativeELBO
from vlae_tf.models.free_bits import FreeBits, SoftFreeBits
from vlae_tf.models.importance_weighted import ImportanceWeighted
from vlae_tf.models.terms import Objective
from vlae_tf.models.warm_up import WarmUp
from vlae_tf.utils import registry

OBJECTIVES = registry.Registry('objective')


@OBJECTIVES.register('free_bits', 'a floor under the mean rate')
def _free_bits(config, floor):
  del config
  return FreeBits(floor) if floor else NegativeELBO()


@OBJECTIVES.register('soft_free_bits', 'a price that steers the mean rate')
def _soft_free_bits(config, floor):
  del config
  return SoftFreeBits(floor)


@OBJECTIVES.register('beta', 'a fixed price of the rate')
def _beta(config, floor):
  del floor
  return Beta(config.beta)


@OBJECTIVES.register('iwae', 'the importance-weighted bound')
def _iwae(config, floor):
  del floor
  return ImportanceWeighted(config.importance_samples)


def create(config: Any, image_shape: Sequence[int]) -> Objective:
  """The objective of a config."""
  # Without a code there is no rate to hold up.
  free_bits = config.free_bits if config.latent_size else 0.0
  floor = free_bits * math.prod(image_shape)
  objective = OBJECTIVES[config.objective](config, floor)
  if config.kl_warmup_steps:
    objective = WarmUp(objective, config.kl_warmup_steps)
  return objective
