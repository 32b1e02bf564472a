"""How big a run is, said before its first step."""

from collections.abc import Sequence

import tensorflow as tf

from vlae_tf.models import vlae as model_lib
from vlae_tf.utils import console

_MIB = 2**20
# Copies of the weights: themselves, averages, gradient, Adamax's two slots.
_COPIES = 5


def describe(
  model: model_lib.VLAE, image_shape: Sequence[int], batch_size: int
) -> str:
  """Number of weights, and an estimate of the memory that a step needs."""
  # The activations kept for the pass backward are taken to be all floating-
  # point results of the pass forward; what the libraries use inside comes on
  # top.
  weights = sum(v.shape.num_elements() for v in _values(model))
  activations = _forward_bytes(model, (batch_size, *image_shape))
  memory = (activations + 4 * _COPIES * weights) / _MIB
  return (
    f'{weights:,} weights; a step of {batch_size} images needs about '
    f'{memory:,.0f} MiB on each device'
  )


def warn_of_repeats(batch_size: int, num_images: int) -> None:
  """Says so if a batch is larger than the data."""
  if batch_size > num_images:
    console.warn(
      f'--batch_size={batch_size} is more than the {num_images} training '
      'images: a batch holds some of them several times.'
    )


def _values(model):
  return [v.value for v in model.trainable_variables]


def _forward_bytes(model, shape):
  """Bytes of all results of a traced pass forward."""
  spec = tf.TensorSpec(shape, tf.float32)
  graph = tf.function(lambda x: model(x)).get_concrete_function(spec).graph
  outputs = [t for op in graph.get_operations() for t in op.outputs]
  return sum(
    t.dtype.size * (t.shape.num_elements() or 0)
    for t in outputs
    if t.dtype.is_floating
  )
