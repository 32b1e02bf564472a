"""Stateless random numbers: seeds of named streams, draws of many seeds.

TensorFlow's stateless operations take one seed a call; numbers that depend on
each example's own seed would need a loop over the examples. `uniform`, `normal`
and `folded` are TensorFlow's generator, Philox [1], vectorised over seeds, with
the bits of TensorFlow's CPU kernel.

#### References

[1]: John K. Salmon, Mark A. Moraes, Ron O. Dror, David E. Shaw. Parallel Random
     Numbers: As Easy as 1, 2, 3. In _International Conference for High
     Performance Computing, Networking, Storage and Analysis_, 2011.
"""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from vlae_tf.utils import checks, fields

# A number for each stream, so that no two uses of one user seed share bits.
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
MAX_SEED = 2**31 - 2  # Seeds of streams are numbers modulo 2**31 - 1.

_ROUNDS = 10
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)  # [1], as are the two increments.
_WEYL = (0x9E3779B9, 0xBB67AE85)
_SCRAMBLER = (0x3EC8F720, 0x02461E29)  # TensorFlow's key to scramble seeds.
_WORD = 0xFFFFFFFF
_MANTISSA = 0x7FFFFF
_LEAST_UNIFORM = 1e-7


def stream_seed(
  seed: int | tf.Tensor, stream: str, counter: int | tf.Tensor = 0
) -> tf.Tensor:
  """Returns the stateless seed `[2]` of draw number `counter` of a stream.

  >>> stream_seed(7, 'sample', 1).numpy().tolist()
  [7039616, 1]
  """
  fields.check('stream', stream, stream in STREAMS, f'one of {tuple(STREAMS)}')
  if tf.is_tensor(seed):  # Its maker has checked the bounds.
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


def uniform(seeds: tf.Tensor, shape: Sequence[int | tf.Tensor]) -> tf.Tensor:
  """`tf.random.stateless_uniform(shape, seed)` of each seed, to the bit.

  >>> seeds = tf.constant([[1, 2], [3, 4]])
  >>> alone = tf.random.stateless_uniform([5], seeds[1])
  >>> bool(tf.reduce_all(uniform(seeds, [5])[1] == alone))
  True
  """
  # seeds [num, 2] -> [num, *shape]
  size = _size(shape)
  words = _words(seeds, (size + 3) // 4)  # [num, groups] each.
  return _shaped(_fraction(tf.stack(words, -1)), size, shape)


def normal(seeds: tf.Tensor, shape: Sequence[int | tf.Tensor]) -> tf.Tensor:
  """`tf.random.stateless_normal(shape, seed)` of each seed, up to rounding."""
  # seeds [num, 2] -> [num, *shape]
  size = _size(shape)
  words = _words(seeds, (size + 3) // 4)
  # Pairs by the Box-Muller transform.
  radii, angles = (
    tf.stack([_fraction(words[i]), _fraction(words[i + 2])], -1)
    for i in range(2)
  )
  radii = tf.sqrt(-2.0 * tf.math.log(tf.maximum(radii, _LEAST_UNIFORM)))
  angles *= np.float32(2 * math.pi)
  flat = tf.stack([radii * tf.sin(angles), radii * tf.cos(angles)], -1)
  return _shaped(flat, size, shape)


def folded(seeds: tf.Tensor, data: int | tf.Tensor) -> tf.Tensor:
  """`tf.random.experimental.stateless_fold_in(seed, data)` of each seed."""
  # seeds [num, 2]; data [] -> [num, 2]
  first = tf.cast(_words(seeds, 1)[0][:, 0], tf.uint32)
  first = tf.bitcast(first, tf.int32)
  return tf.stack([first, tf.fill(tf.shape(first), tf.cast(data, tf.int32))], 1)


def _size(shape):
  if all(isinstance(n, int) for n in shape):
    return math.prod(shape)
  return tf.reduce_prod(tf.stack(list(shape)))


def _shaped(flat, size, shape):
  num = flat.shape[0] or tf.shape(flat)[0]
  flat = tf.reshape(flat, [num, -1])[:, :size]
  return tf.reshape(flat, [num, *shape])


def _words(seeds, groups):
  """Four lists of words, each `[num, groups]`, of which each group has one."""
  # As the kernel reads an int64: seeds of 32 bits are extended by their sign.
  seeds = tf.bitcast(tf.cast(seeds, tf.int64), tf.uint64)
  seeds = tf.reshape(seeds, [-1, 2])
  counter = [
    part for i in range(2) for part in (seeds[:, i] & _WORD, _high(seeds[:, i]))
  ]
  zeros = tf.zeros_like(counter[0])
  key = [zeros + k for k in _SCRAMBLER]
  *key, third, fourth = _philox(counter, key)
  count = tf.cast(tf.range(groups), tf.uint64)[None]
  # A draw has fewer than 2**32 groups: the upper words are those of the seed.
  zero = tf.zeros_like(third[:, None] + count)
  counter = [zero + count, zero, zero + third[:, None], zero + fourth[:, None]]
  return _philox(counter, [k[:, None] for k in key])


def _philox(counter, key):
  """Ten rounds on words, uint64 tensors below 2**32 [1]."""
  for i in range(_ROUNDS):
    if i:
      key = [(k + w) & _WORD for k, w in zip(key, _WEYL)]
    first, second = (c * m for c, m in zip(counter[::2], _MULTIPLIERS))
    counter = [
      _high(second) ^ counter[1] ^ key[0],
      second & _WORD,
      _high(first) ^ counter[3] ^ key[1],
      first & _WORD,
    ]
  return counter


def _fraction(word):
  """A number in [0, 1) from the low bits of a word."""
  bits = tf.cast(word & _MANTISSA, tf.int32)
  return tf.cast(bits, tf.float32) * np.float32(2.0**-23)


def _high(x):
  return tf.bitwise.right_shift(x, tf.constant(32, tf.uint64))
