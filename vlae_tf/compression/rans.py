"""Interleaved rANS [1], [2]: messages to push symbols onto and pop them off.

A message has some lanes, each a head that symbols go to, one for each lane at
a time, and one stack of 32-bit words under all of them. `push` and `pop` undo
each other to the bit. Everything is a computation on tensors, so that the loop
that draws pixels can carry a message along.

#### References

[1]: Jarek Duda. Asymmetric numeral systems. 2013.
     https://arxiv.org/abs/1311.2540
[2]: Fabian Giesen. Interleaved entropy coders. 2014.
     https://arxiv.org/abs/1402.3392
"""

import math
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf

# Probabilities are multiples of 2**-PRECISION, none of them 0 or 1.
PRECISION = 24
WORD_BITS = 32
# Heads lie in [2**31, 2**63).
LOW = 1 << 31
_SHIFT = 63 - PRECISION
_TOTAL = 1 << PRECISION
_LEAST_CAPACITY = 1 << 15


class Message(NamedTuple):
  """What has been pushed.

  Attributes:
    heads: int64 `[lanes]`, in [2**31, 2**63).
    words: int64 `[capacity]`, numbers of 32 bits; those from `size` on are
      arbitrary.
    size: int32 scalar, number of words on the stack; where it reaches the
      capacity, words have been lost.
    low: int32 scalar, the least that `size` has been.
    live: bool `[lanes]`, the lanes that are coded to; others are left alone.
  """

  heads: tf.Tensor
  words: tf.Tensor
  size: tf.Tensor
  low: tf.Tensor
  live: tf.Tensor

  @property
  def lanes(self) -> int:
    """Number of lanes."""
    return self.heads.shape[0]


class Interval(NamedTuple):
  """The part `[start, start + width)` of `[0, 2**24)` that is a symbol's.

  Attributes:
    start: int64 tensor.
    width: int64 tensor of the same shape: the symbol's probability.
  """

  start: tf.Tensor
  width: tf.Tensor

  def bits(self) -> tf.Tensor:
    """-log2 of the probabilities, float64."""
    nats = tf.math.log(tf.cast(self.width, tf.float64))
    return PRECISION - nats * (1 / math.log(2))


# From the number of a symbol, a scalar, and slots `[lanes]` in [0, 2**24) to
# the symbols whose intervals these are in, and the intervals.
Locate: TypeAlias = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, Interval]]


def push(
  message: Message, interval: Interval, wanted: tf.Tensor | bool = True
) -> Message:
  """Pushes one symbol of each live lane."""
  # interval [lanes]; wanted [lanes]
  on = message.live & wanted
  width = tf.where(on, interval.width, 1)
  full = on & (_shifted(message.heads, _SHIFT) >= width)
  message = tf.cond(
    tf.reduce_any(full), lambda: _emitted(message, full), lambda: message
  )
  heads = message.heads
  pushed = (heads // width) * _TOTAL + heads % width + interval.start
  return message._replace(heads=tf.where(on, pushed, heads))


def slots(message: Message) -> tf.Tensor:
  """Where in [0, 2**24) the symbols lie that were pushed last, `[lanes]`."""
  return tf.bitwise.bitwise_and(message.heads, tf.cast(_TOTAL - 1, tf.int64))


def drop(
  message: Message, interval: Interval, wanted: tf.Tensor | bool = True
) -> Message:
  """Undoes `push` of the same interval, the one of `slots`."""
  on = message.live & wanted
  heads = message.heads
  rest = interval.width * _shifted(heads, PRECISION)
  rest += slots(message) - interval.start
  message = message._replace(heads=tf.where(on, rest, heads))
  empty = on & (message.heads < LOW)
  return tf.cond(
    tf.reduce_any(empty), lambda: _refilled(message, empty), lambda: message
  )


def _emitted(message, lanes):
  """The low words of some heads put on the stack, the first lane's first."""
  places = message.size + tf.cumsum(tf.cast(lanes, tf.int32), exclusive=True)
  # The last word of the array is for those that put none, and for what has no
  # room: `size` tells.
  last = message.words.shape[0] - 1
  places = tf.where(lanes, tf.minimum(places, last), last)
  words = tf.tensor_scatter_nd_update(
    message.words, places[:, None], _low_word(message.heads)
  )
  return message._replace(
    heads=tf.where(lanes, _shifted(message.heads, WORD_BITS), message.heads),
    words=words,
    size=message.size + tf.reduce_sum(tf.cast(lanes, tf.int32)),
  )


def _refilled(message, lanes):
  """Undoes `_emitted`."""
  size = message.size - tf.reduce_sum(tf.cast(lanes, tf.int32))
  places = size + tf.cumsum(tf.cast(lanes, tf.int32), exclusive=True)
  words = tf.gather(message.words, tf.where(lanes, tf.maximum(places, 0), 0))
  return message._replace(
    heads=tf.where(
      lanes, message.heads * (1 << WORD_BITS) + words, message.heads
    ),
    size=size,
    low=tf.minimum(message.low, size),
  )


def _shifted(x, bits):
  return tf.bitwise.right_shift(x, tf.cast(bits, tf.int64))


def _low_word(x):
  return tf.bitwise.bitwise_and(x, tf.cast((1 << WORD_BITS) - 1, tf.int64))


def push_all(message: Message, intervals: Interval) -> Message:
  """Pushes many symbols of each lane, the last one first."""
  # intervals [num_symbols, lanes]
  # XLA takes nothing of no symbols.
  if not intervals.start.shape[0]:
    return message
  return Message(*_push_all(tuple(message), tuple(intervals)))


def pop_all(
  message: Message, num: int, locate: Locate, dtype: tf.DType
) -> tuple[Message, tf.Tensor]:
  """Pops many symbols of each lane."""
  # -> [num, lanes]
  found = tf.TensorArray(dtype, num, element_shape=[message.lanes])

  def step(i, message, found):
    symbols, interval = locate(i, slots(message))
    return i + 1, drop(message, interval), found.write(i, symbols)

  _, message, found = tf.while_loop(
    lambda i, *_: i < num, step, (tf.constant(0), message, found)
  )
  return message, found.stack()


@tf.function(jit_compile=True, autograph=False, reduce_retracing=False)
def _push_all(message, intervals):
  intervals = Interval(*intervals)
  num = intervals.start.shape[0]

  def step(i, message):
    pushed = push(message, Interval(*(x[num - 1 - i] for x in intervals)))
    return i + 1, pushed

  _, message = tf.while_loop(
    lambda i, _: i < num, step, (tf.constant(0), Message(*message))
  )
  return tuple(message)


def random(
  lanes: int, seed: int = 0, live: np.ndarray | None = None, num_words: int = 0
) -> Message:
  """A message of random bits."""
  # live [lanes]
  generator = np.random.default_rng(seed)
  num_words = num_words or 64 * lanes
  words = generator.integers(1 << WORD_BITS, size=num_words)
  heads = generator.integers(1 << WORD_BITS, 1 << 62, size=lanes)
  live = np.ones(lanes, bool) if live is None else np.asarray(live, bool)
  return of_words(heads, words, live)


def of_words(
  heads: np.ndarray, words: np.ndarray, live: np.ndarray, capacity: int = 0
) -> Message:
  """A message of given heads and words, with room for as many again."""
  size = len(words)
  # Powers of two, as functions are compiled for every capacity.
  wanted = max(capacity, 2 * size, _LEAST_CAPACITY)
  capacity = 1 << (wanted - 1).bit_length()
  padded = np.zeros(capacity, np.int64)
  padded[:size] = words
  return Message(
    tf.constant(heads, tf.int64),
    tf.constant(padded),
    tf.constant(size),
    tf.constant(size),
    tf.constant(live, tf.bool),
  )


def num_bits(message: Message, begun: int | None = None) -> float:
  """Information in a message, in bits, with the first `begun` of its heads."""
  heads = message.heads.numpy()[:begun].astype(np.float64)
  return float(np.log2(heads).sum() + WORD_BITS * int(message.size))
