"""Interleaved rANS coder [1], [2]: messages that symbols are pushed onto.

A message has a head per lane and one stack of 32-bit words that all lanes
share. An operation codes one symbol per lane. `push` and `pop` are exact
inverses. All of them are computations on tensors, so that a compiled loop over
pixels can carry a message along.

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
_MASK = (1 << WORD_BITS) - 1
_LENGTH_BITS = 5  # Of the bits of a head above its low word: 0 to 31.
_LEAST_CAPACITY = 1 << 15


class Message(NamedTuple):
  """State of the coder."""

  heads: tf.Tensor  # int64 `[lanes]`, in [2**31, 2**63).
  # int64 `[capacity]`, numbers of 32 bits; those from `size` on are arbitrary.
  words: tf.Tensor
  # int32 scalar, number of words on the stack; where it reaches the capacity,
  # words have been lost.
  size: tf.Tensor
  low: tf.Tensor  # int32 scalar, the least that `size` has been.
  live: tf.Tensor  # bool `[lanes]`, lanes to code to; others are left alone.


class Interval(NamedTuple):
  """The part `[start, start + width)` of `[0, 2**24)` that is a symbol's."""

  start: tf.Tensor  # int64, the cumulative probability of the symbols before.
  width: tf.Tensor  # int64 of the same shape, the symbol's probability.

  def bits(self) -> tf.Tensor:
    """-log2 of the probabilities, float64."""
    nats = tf.math.log(tf.cast(self.width, tf.float64))
    return PRECISION - nats * (1 / math.log(2))


# A symbol and its interval.
Located: TypeAlias = tuple[tf.Tensor, Interval]


def push(
  message: Message, interval: Interval, mask: tf.Tensor | bool = True
) -> Message:
  """Pushes one symbol onto each live lane of the mask, `[lanes]`."""
  on = message.live & mask
  width = tf.where(on, interval.width, 1)
  full = on & (shifted(message.heads, _SHIFT) >= width)
  message = tf.cond(
    tf.reduce_any(full), lambda: _spilled(message, full), lambda: message
  )
  heads = message.heads
  pushed = (heads // width) * _TOTAL + heads % width + interval.start
  return message._replace(heads=tf.where(on, pushed, heads))


def peek(message: Message) -> tf.Tensor:
  """Slots in [0, 2**24) of the symbols on top, `[lanes]`."""
  return tf.bitwise.bitwise_and(message.heads, tf.cast(_TOTAL - 1, tf.int64))


def pop(
  message: Message, interval: Interval, mask: tf.Tensor | bool = True
) -> Message:
  """Undoes `push` of the same interval, in which the slot of `peek` is."""
  on = message.live & mask
  rest = interval.width * shifted(message.heads, PRECISION)
  rest += peek(message) - interval.start
  message = message._replace(heads=tf.where(on, rest, message.heads))
  empty = on & (message.heads < LOW)
  return tf.cond(
    tf.reduce_any(empty), lambda: _refilled(message, empty), lambda: message
  )


def _spilled(message, lanes):
  """Moves low words of some heads onto the stack, the first lane's first."""
  positions = message.size + tf.cumsum(tf.cast(lanes, tf.int32), exclusive=True)
  # The last word of the array takes those of other lanes, and those that have
  # no room: `size` shows that.
  last = message.words.shape[0] - 1
  positions = tf.where(lanes, tf.minimum(positions, last), last)
  low_words = tf.bitwise.bitwise_and(message.heads, tf.cast(_MASK, tf.int64))
  words = tf.tensor_scatter_nd_update(
    message.words, positions[:, None], low_words
  )
  return message._replace(
    heads=tf.where(lanes, shifted(message.heads, WORD_BITS), message.heads),
    words=words,
    size=message.size + tf.reduce_sum(tf.cast(lanes, tf.int32)),
  )


def _refilled(message, lanes):
  """Undoes `_spilled`."""
  size = message.size - tf.reduce_sum(tf.cast(lanes, tf.int32))
  positions = size + tf.cumsum(tf.cast(lanes, tf.int32), exclusive=True)
  positions = tf.where(lanes, tf.maximum(positions, 0), 0)
  heads = message.heads * (1 << WORD_BITS) + tf.gather(message.words, positions)
  return message._replace(
    heads=tf.where(lanes, heads, message.heads),
    size=size,
    low=tf.minimum(message.low, size),
  )


def shifted(x: tf.Tensor, bits: int) -> tf.Tensor:
  """`x >> bits` of int64."""
  return tf.bitwise.right_shift(x, tf.cast(bits, tf.int64))


def push_all(message: Message, intervals: Interval) -> Message:
  """Pushes symbols `[num_symbols, lanes]`, the last one first."""
  # XLA refuses empty tensors.
  empty = not intervals.start.shape[0]
  return message if empty else _push_all(message, intervals)


@tf.function(jit_compile=True, autograph=False, reduce_retracing=False)
def _push_all(message, intervals):
  num = intervals.start.shape[0]

  def step(i, message):
    pushed = push(message, Interval(*(x[num - 1 - i] for x in intervals)))
    return i + 1, pushed

  return tf.while_loop(lambda i, _: i < num, step, (tf.constant(0), message))[1]


def pop_all(
  message: Message,
  num: int,
  inverse_cdf: Callable[[tf.Tensor, tf.Tensor], Located],
  dtype: tf.DType,
) -> tuple[Message, tf.Tensor]:
  """Pops symbols `[num, lanes]`, the first one first.

  `inverse_cdf` maps the number of a symbol, and slots `[lanes]` in [0, 2**24),
  to the symbols whose intervals these are in, and the intervals.
  """
  symbols = tf.TensorArray(dtype, num, element_shape=message.heads.shape)

  def step(i, message, symbols):
    symbol, interval = inverse_cdf(i, peek(message))
    return i + 1, pop(message, interval), symbols.write(i, symbol)

  _, message, symbols = tf.while_loop(
    lambda i, *_: i < num, step, (tf.constant(0), message, symbols)
  )
  return message, symbols.stack()


def from_words(
  heads: np.ndarray, words: np.ndarray, live: np.ndarray, capacity: int = 0
) -> Message:
  """A message of given heads and words, with room for as many again."""
  size = len(words)
  # Powers of two, as functions are compiled for every capacity.
  wanted = max(capacity, 2 * size, _LEAST_CAPACITY)
  padded = np.zeros(1 << (wanted - 1).bit_length(), np.int64)
  padded[:size] = words
  return Message(
    tf.constant(heads, tf.int64),
    tf.constant(padded),
    tf.constant(size),
    tf.constant(size),
    tf.constant(live, tf.bool),
  )


def random(
  lanes: int, seed: int = 0, live: np.ndarray | None = None, num_words: int = 0
) -> Message:
  """A message of random bits."""
  generator = np.random.default_rng(seed)
  num_words = num_words or 64 * lanes
  words = generator.integers(1 << WORD_BITS, size=num_words)
  heads = generator.integers(1 << WORD_BITS, 1 << 62, size=lanes)
  live = np.ones(lanes, bool) if live is None else np.asarray(live, bool)
  return from_words(heads, words, live)


def initial(
  lanes: int, checksum: int, num_words: int, capacity: int = 0
) -> Message:
  """A message of initial words, the first lane started with a checksum."""
  heads = np.full(lanes, _MASK + 1, np.int64)
  heads[0] += checksum
  live = np.zeros(lanes, bool)
  return from_words(heads, initial_words(num_words), live, capacity)


def initial_words(num: int) -> np.ndarray:
  """Pseudo-random words that both sides know, the last one on top."""
  x = np.arange(num, 0, -1, dtype=np.uint64) * np.uint64(2654435761) & _MASK
  x = (x ^ (x >> np.uint64(15))) * np.uint64(2246822519) & _MASK
  x = (x ^ (x >> np.uint64(13))) * np.uint64(3266489917) & _MASK
  return (x ^ (x >> np.uint64(16))).astype(np.int64)


def with_initial_words(message: Message, before: int, more: int) -> Message:
  """Puts more initial words below the `before` ones of a message."""
  size = int(message.size)
  words = initial_words(before + more)[:more]
  words = np.concatenate([words, message.words.numpy()[:size]])
  capacity = message.words.shape[0]
  longer = from_words(message.heads, words, message.live, capacity)
  return longer._replace(low=message.low + more)


def with_capacity(message: Message, capacity: int) -> Message:
  """A message with room for at least so many words."""
  missing = capacity - message.words.shape[0]
  return message._replace(words=tf.pad(message.words, [[0, max(0, missing)]]))


def start_lanes(message: Message, first: int, last: int) -> Message:
  """Starts lanes, each with a word off the stack."""
  num = max(0, last - first)
  size = int(message.size) - num
  heads, words = message.heads.numpy(), message.words.numpy()
  heads[first:last] = (_MASK + 1) + words[size : size + num]
  return message._replace(
    heads=tf.constant(heads),
    size=tf.constant(size),
    low=tf.minimum(message.low, size),
  )


def end_lanes(message: Message, first: int, last: int) -> Message:
  """Undoes `start_lanes`."""
  num = max(0, last - first)
  size = int(message.size)
  heads, words = message.heads.numpy(), message.words.numpy()
  ended = heads[first:last]
  if (ended >> WORD_BITS != 1).any() or size + num >= len(words):
    raise ValueError('a lane does not end in the state in which it started')
  words[size : size + num] = ended & _MASK
  return message._replace(
    words=tf.constant(words), size=tf.constant(size + num)
  )


def to_bytes(message: Message, started: int, bottom: int) -> bytes:
  """A message as bytes: its started heads, and its words from `bottom` on."""
  heads = [int(head) for head in message.heads.numpy()[:started]]
  bits, num_bits = 0, 0
  for head in heads:
    top = head >> WORD_BITS
    length = top.bit_length()
    stored = max(length - 1, 0)  # The highest bit is known to be one.
    low_bits = top & ((1 << stored) - 1)
    bits |= (length | low_bits << _LENGTH_BITS) << num_bits
    num_bits += _LENGTH_BITS + stored
  words = message.words.numpy()[bottom : int(message.size)]
  words = np.concatenate([words, np.array([h & _MASK for h in heads])])
  tops = bits.to_bytes((num_bits + 7) // 8, 'little')
  return tops + words.astype('<u4').tobytes()


def from_bytes(
  data: bytes, lanes: int, started: int, capacity: int = 0
) -> Message:
  """Undoes `to_bytes`."""
  most = (started * (_LENGTH_BITS + WORD_BITS) + 7) // 8
  bits = int.from_bytes(data[:most], 'little')
  tops, num_bits = [], 0
  for _ in range(started):
    length = (bits >> num_bits) & ((1 << _LENGTH_BITS) - 1)
    num_bits += _LENGTH_BITS
    stored = max(length - 1, 0)
    top = (bits >> num_bits) & ((1 << stored) - 1)
    tops.append(top | 1 << stored if length else 0)
    num_bits += stored
  whole = (num_bits + 7) // 8
  rest = data[whole:]
  padding = (bits & ((1 << 8 * whole) - 1)) >> num_bits
  if padding or len(rest) % 4 or len(rest) < 4 * started:
    raise ValueError('its length is not that of a message')
  words = np.frombuffer(rest, '<u4').astype(np.int64)
  heads = np.full(lanes, _MASK + 1, np.int64)
  heads[:started] = (np.array(tops, np.int64) << WORD_BITS) | words[-started:]
  if (heads < LOW).any():
    raise ValueError('the head of a lane is below its minimum')
  live = np.zeros(lanes, bool)
  return from_words(heads, words[:-started], live, capacity)


def num_bits(message: Message, started: int | None = None) -> float:
  """Bits of information in a message with the first `started` of its heads."""
  heads = message.heads.numpy()[:started].astype(np.float64)
  return float(np.log2(heads).sum() + WORD_BITS * int(message.size))
