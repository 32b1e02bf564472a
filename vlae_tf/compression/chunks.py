"""Some values as the bytes of a chunk, see docs/format.md."""

import math
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf

from vlae_tf.compression import batches, stack
from vlae_tf.compression import rans as message_lib
from vlae_tf.compression.exact_model import ExactModel
from vlae_tf.compression.rans import Message, WORD_BITS

Progress: TypeAlias = Callable[[int], Any] | None


class Encoded(NamedTuple):
  """A chunk, and what it holds.

  Attributes:
    data: Bytes.
    net_bits: Bits that the values took: what is on the message at the end less
      what was on it at the beginning.
  """

  data: bytes
  net_bits: float


class Chunks:
  """Codes values in rounds of a lane each; sub-classes say how a round goes.

  Functions are compiled at their first use, for every capacity of messages.
  """

  # Whether a round may take bits off the message.
  bits_back = False

  def __init__(self, exact: ExactModel, lanes: int):
    """Creates it.

    Args:
      exact: `ExactModel`.
      lanes: Values that are coded side by side.
    """
    self.exact = exact
    self.lanes = lanes
    self._capacity = 0
    code = math.prod(exact.model.event_shape)
    # More words than a round can take off a message.
    self._most_taken = lanes * (code + 2)
    self._push = {d: self._function(self.push, d) for d in (False, True)}
    self._pop = {d: self._function(self.pop, d) for d in (False, True)}

  def push(
    self, message: Message, batch: tf.Tensor, is_direct: bool
  ) -> Message:
    """Pushes a round.

    Args:
      message: `Message`.
      batch: float64 `Tensor` of shape `[lanes, ...]`.
      is_direct: Whether nothing is to be taken off the message.

    Returns:
      The new `Message`.
    """
    raise NotImplementedError

  def pop(self, message: Message, is_direct: bool) -> tuple[Message, tf.Tensor]:
    """Undoes `push`."""
    raise NotImplementedError

  def to_numbers(self, values: np.ndarray) -> np.ndarray:
    """Values as float64."""
    raise NotImplementedError

  def from_numbers(self, numbers: np.ndarray) -> np.ndarray:
    """Undoes `to_numbers`."""
    raise NotImplementedError

  def to_rounds(self, values: np.ndarray) -> np.ndarray:
    """What rounds code of values: the values, if this is not overridden."""
    return values

  def from_rounds(self, coded: np.ndarray) -> np.ndarray:
    """Undoes `to_rounds`."""
    return coded

  def encode(self, values: np.ndarray, progress: Progress = None) -> Encoded:
    """Codes values.

    Args:
      values: Array of shape `[num, ...]`, `num` at least 1.
      progress: Called with numbers of values that are done.

    Returns:
      `Encoded`.
    """
    borrowed = 2 * self._most_taken
    message = stack.start(
      self.lanes, checksum(values), borrowed, self._capacity
    )
    begun, before = 1, message_lib.num_bits(message, 1)
    coded = self.to_rounds(values)
    for part in batches.deal(len(values), self.lanes, self.bits_back):
      if int(message.size) < self._most_taken:
        message = stack.with_borrowed(message, borrowed, self._most_taken)
        borrowed += self._most_taken
        before += self._most_taken * WORD_BITS
      message = stack.begin(message, begun, part.size)
      begun = max(begun, part.size)
      message = self._push_round(message, coded, part)
      if progress is not None:
        progress(part.size)
    data = stack.to_bytes(message, begun, int(message.low))
    return Encoded(data, message_lib.num_bits(message, begun) - before)

  def decode(
    self, data: bytes, num: int, progress: Progress = None
  ) -> np.ndarray:
    """The values of a chunk.

    Args:
      data: What `encode` returned.
      num: Number of values.
      progress: Called with numbers of values that are done.

    Returns:
      An array as `encode` was given.

    Raises:
      ValueError: These are not the bytes of such a chunk, or not of this model.
    """
    dealt = batches.deal(num, self.lanes, self.bits_back)
    sizes = [part.size for part in dealt]
    begun = max(sizes)
    capacity = max(self._capacity, len(data) // 2 + 2 * self._most_taken)
    message = stack.from_bytes(data, self.lanes, begun, capacity)
    parts = []
    for k in reversed(range(len(dealt))):
      message, found = self._pop_round(message, dealt[k])
      parts.append(found)
      if progress is not None:
        progress(dealt[k].size)
      before = max([1, *sizes[:k]])
      message = stack.end(message, before, begun)
      begun = before
    values = self.from_rounds(np.concatenate(parts[::-1]))
    _check_end(message, values)
    return values

  def _push_round(self, message, values, part):
    """Pushes a round; with more room, if it has none."""
    numbers = self.to_numbers(values[part.start : part.start + part.size])
    batch = np.zeros([self.lanes, *numbers.shape[1:]])
    batch[: part.size] = numbers
    message = self._with_live(message, part.size)
    while True:
      pushed = self._push[part.is_direct](tuple(message), batch)
      pushed = Message(*pushed)
      if int(pushed.size) < message.words.shape[0] - self.lanes:
        return pushed
      self._capacity = 2 * message.words.shape[0]
      message = stack.with_capacity(message, self._capacity)

  def _pop_round(self, message, part):
    message = self._with_live(message, part.size)
    popped, batch = self._pop[part.is_direct](tuple(message))
    message = Message(*popped)
    size = int(message.size)
    if not 0 <= size < message.words.shape[0] - self.lanes:
      raise ValueError('it does not hold what it should')
    return message, self.from_numbers(batch.numpy()[: part.size])

  def _with_live(self, message, num):
    return message._replace(live=tf.range(self.lanes) < num)

  def _function(self, method, is_direct):
    """A method as a graph, which computes exactly."""

    @tf.function(autograph=False)
    def function(state, *args):
      with self.exact.scope():
        result = method(Message(*state), *args, is_direct)
      if isinstance(result, Message):
        return tuple(result)
      message, value = result
      return tuple(message), value

    return function


def checksum(values: np.ndarray) -> int:
  """CRC-32: of binary values, eight a byte; of others, as they are."""
  data = np.packbits(values) if values.dtype == bool else values
  return zlib.crc32(np.ascontiguousarray(data).tobytes())


def _check_end(message, values):
  """Checks that what is left is what a sender starts with."""
  size = int(message.size)
  words = message.words.numpy()[:size]
  first = int(message.heads[0]) - (1 << WORD_BITS)
  if first != checksum(values) or (words != stack.borrowed_words(size)).any():
    raise ValueError('what it holds has another checksum than what was coded')
