"""Networks in sixteen bits, laws and flows in thirty-two."""

import keras

from vlae_tf.models import vlae as model_lib
from vlae_tf.nn import made, weight_norm


def apply(model: model_lib.VLAE, policy: str) -> None:
  """Sets the arithmetic of a built model's networks."""
  # Their variables stay in float32, and so does what is made of their outputs:
  # the heads and the law of the posterior, the flow, every log-probability.
  if policy == 'float32':
    return
  for network in _networks(model):
    for layer in network._flatten_layers():
      layer.dtype_policy = keras.dtype_policies.get(policy)


def _networks(model):
  """The layers that hold nearly all of the arithmetic."""
  inner = [
    *model.posterior._flatten_layers(include_self=False, recursive=False),
    *model.likelihood._flatten_layers(include_self=False, recursive=False),
  ]
  kept = (weight_norm.WeightNorm, made.MADE)
  return [n for n in inner if not isinstance(n, kept)]
