"""Stateless random numbers: each draw is a function of what it is for."""

from collections.abc import Sequence

import tensorflow as tf

from vlae_tf.utils import checks, philox

# Every stream of random numbers has a number of its own, so that no two uses
# of one user seed ever share their bits.
STREAMS = {
  'shuffle': 1,
  'binarize': 2,
  'latent': 3,
  'importance': 4,
  'sample': 5,
  'initialize': 6,
  'validation': 7,
  'test': 8,
  'scored_train': 9,
  'shared': 10,
  'flip': 11,
}
# The seed of a stream is a number modulo 2**31 - 1.
MAX_SEED = 2**31 - 2


def stream_seed(
  seed: int | tf.Tensor, stream: str, counter: int | tf.Tensor = 0
) -> tf.Tensor:
  """Returns the stateless seed of draw number `counter` of a stream.

  >>> stream_seed(7, 'sample', 1).numpy().tolist()
  [7039616, 1]
  >>> stream_seed(tf.constant(7), 'sample', 1).numpy().tolist()
  [7039616, 1]

  Args:
    seed: The user's seed in [0, 2**31 - 2], a Python integer or an integer
      `Tensor` of shape `[]`, whose bounds whoever made it has checked.
    stream: One of the keys of `STREAMS`.
    counter: Integer or integer `Tensor` of shape `[]`: step, epoch, index.

  Returns:
    An int32 `Tensor` of shape `[2]` for TensorFlow's stateless random ops.

  Raises:
    ValueError: The seed is not in [0, 2**31 - 2], or there is no such stream.
  """
  if stream not in STREAMS:
    raise ValueError(
      f'`stream` must be one of {tuple(STREAMS)}, got {stream!r}.'
    )
  if tf.is_tensor(seed):
    seed = tf.cast(seed, tf.int64)
  else:
    seed = checks.integer('seed', seed, 0, MAX_SEED)
  # Large odd multipliers keep (seed, stream) pairs apart modulo 2**31.
  base = (seed * 1_000_003 + STREAMS[stream] * 7_919) % (2**31 - 1)
  return tf.stack([tf.cast(base, tf.int32), tf.cast(counter, tf.int32)])


def stream_seeds(
  seed: int | tf.Tensor, stream: str, counters: tf.Tensor
) -> tf.Tensor:
  """`stream_seed` of many draws of a stream."""
  # counters [num] -> [num, 2]
  base = stream_seed(seed, stream)[0]
  counters = tf.cast(counters, tf.int32)
  return tf.stack([tf.fill(tf.shape(counters), base), counters], 1)


def uniform_per_example(
  seed: int, stream: str, indices: tf.Tensor, shape: Sequence[int]
) -> tf.Tensor:
  """Uniform numbers in [0, 1) that depend on each example's index alone."""
  # indices [batch] -> [batch] +
  return philox.uniform(stream_seeds(seed, stream, indices), shape)
