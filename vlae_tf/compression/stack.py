"""Messages from and to bytes, and lanes that begin and end in between."""

import numpy as np
import tensorflow as tf

from vlae_tf.compression import rans as message_lib
from vlae_tf.compression.rans import Message, WORD_BITS

_MASK = (1 << WORD_BITS) - 1
_LENGTH_BITS = 5  # Of the bits of a head above its low word: 0 to 31.


def start(lanes: int, first: int, borrowed: int, capacity: int = 0) -> Message:
  """An empty message, of which the first lane alone has begun."""
  heads = np.full(lanes, _MASK + 1, np.int64)
  heads[0] += first
  live = np.zeros(lanes, bool)
  words = borrowed_words(borrowed)
  return message_lib.of_words(heads, words, live, capacity)


def borrowed_words(num: int) -> np.ndarray:
  """Words that both sides know, the last of them the first to be taken."""
  # -> [num]
  x = np.arange(num, 0, -1, dtype=np.uint64) * np.uint64(2654435761) & _MASK
  x = (x ^ (x >> np.uint64(15))) * np.uint64(2246822519) & _MASK
  x = (x ^ (x >> np.uint64(13))) * np.uint64(3266489917) & _MASK
  return (x ^ (x >> np.uint64(16))).astype(np.int64)


def with_borrowed(message: Message, before: int, more: int) -> Message:
  """Puts more known words under a message."""
  size = int(message.size)
  words = borrowed_words(before + more)[:more]
  words = np.concatenate([words, message.words.numpy()[:size]])
  capacity = message.words.shape[0]
  longer = message_lib.of_words(
    message.heads.numpy(), words, message.live.numpy(), capacity
  )
  return longer._replace(low=message.low + more)


def with_capacity(message: Message, capacity: int) -> Message:
  """A message with room for so many words."""
  missing = capacity - message.words.shape[0]
  return message._replace(words=tf.pad(message.words, [[0, max(0, missing)]]))


def begin(message: Message, first: int, last: int) -> Message:
  """Lets lanes begin, each with a word off the stack."""
  num = max(0, last - first)
  size = int(message.size) - num
  heads, words = message.heads.numpy(), message.words.numpy()
  heads[first:last] = (_MASK + 1) + words[size : size + num]
  return message._replace(
    heads=tf.constant(heads),
    size=tf.constant(size),
    low=tf.minimum(message.low, size),
  )


def end(message: Message, first: int, last: int) -> Message:
  """Undoes `begin`."""
  num = max(0, last - first)
  size = int(message.size)
  heads, words = message.heads.numpy(), message.words.numpy()
  ended = heads[first:last]
  if (ended >> WORD_BITS != 1).any() or size + num >= len(words):
    raise ValueError('a lane does not end as it began')
  words[size : size + num] = ended & _MASK
  return message._replace(
    words=tf.constant(words), size=tf.constant(size + num)
  )


def to_bytes(message: Message, begun: int, bottom: int) -> bytes:
  """A message as bytes."""
  heads = [int(head) for head in message.heads.numpy()[:begun]]
  bits, num_bits = 0, 0
  for head in heads:
    top = head >> WORD_BITS
    length = top.bit_length()
    bits |= length << num_bits
    num_bits += _LENGTH_BITS
    # The highest bit is known to be one.
    stored = max(length - 1, 0)
    bits |= (top & ((1 << stored) - 1)) << num_bits
    num_bits += stored
  words = message.words.numpy()[bottom : int(message.size)]
  words = np.concatenate([words, np.array([h & _MASK for h in heads])])
  tops = bits.to_bytes((num_bits + 7) // 8, 'little')
  return tops + words.astype('<u4').tobytes()


def from_bytes(
  data: bytes, lanes: int, begun: int, capacity: int = 0
) -> Message:
  """The message of some bytes, see `to_bytes`."""
  most = (begun * (_LENGTH_BITS + WORD_BITS) + 7) // 8
  bits = int.from_bytes(data[:most], 'little')
  tops, num_bits = [], 0
  for _ in range(begun):
    length = (bits >> num_bits) & ((1 << _LENGTH_BITS) - 1)
    num_bits += _LENGTH_BITS
    stored = max(length - 1, 0)
    top = (bits >> num_bits) & ((1 << stored) - 1)
    tops.append(top | 1 << stored if length else 0)
    num_bits += stored
  whole = (num_bits + 7) // 8
  rest = data[whole:]
  padding = (bits & ((1 << 8 * whole) - 1)) >> num_bits
  if padding or len(rest) % 4 or len(rest) < 4 * begun:
    raise ValueError('it has not the length of a message')
  words = np.frombuffer(rest, '<u4').astype(np.int64)
  heads = np.full(lanes, _MASK + 1, np.int64)
  heads[:begun] = (np.array(tops, np.int64) << WORD_BITS) | words[-begun:]
  if (heads < message_lib.LOW).any():
    raise ValueError('a lane holds less than it can')
  live = np.zeros(lanes, bool)
  return message_lib.of_words(heads, words[:-begun], live, capacity)
