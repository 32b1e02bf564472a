"""Some images as the bytes of a chunk, see docs/format.md."""

import functools
import math
import zlib
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from vlae_tf.coding import bits_back, lattice, laws, rounds, stack
from vlae_tf.coding import message as message_lib
from vlae_tf.coding.exact_model import ExactModel
from vlae_tf.coding.message import Message, WORD_BITS
from vlae_tf.nn import fixed_point


class Encoded(NamedTuple):
  """A chunk, and what it holds.

  Attributes:
    data: Bytes.
    net_bits: Bits that the images took: what is on the message at the end less
      what was on it at the beginning.
  """

  data: bytes
  net_bits: float


class LosslessChunks:
  """Codes images, all but the first ones of a chunk with bits back."""

  def __init__(
    self,
    exact: ExactModel,
    lanes: int = 32,
    step: float = 1 / 16,
    direct_step: float = 4.0,
  ):
    """Creates it; functions are compiled at their first use.

    Args:
      exact: `ExactModel`.
      lanes: Images that are coded side by side.
      step: Step of the lattice of codes, see `lattice`.
      direct_step: That of images that are coded without bits back.

    Raises:
      ValueError: A step is none of `lattice.STEPS`.
    """
    lattice.check_step('step', step)
    lattice.check_step('direct_step', direct_step)
    self._exact = exact
    self._lanes = lanes
    self._step, self._direct_step = step, direct_step
    self._capacity = 0
    code = math.prod(exact.model.event_shape)
    # More words than a round can take off a message.
    self._most_taken = lanes * (code + 2)

  def encode(self, images: np.ndarray) -> Encoded:
    """Codes images.

    Args:
      images: Array of shape `[num, height, width, channels]`: bool, or uint8
        for pixels of 256 levels.

    Returns:
      `Encoded`.
    """
    borrowed = 2 * self._most_taken
    message = stack.start(
      self._lanes, checksum(images), borrowed, self._capacity
    )
    begun, before = 1, message_lib.num_bits(message, 1)
    for part in rounds.deal(len(images), self._lanes):
      if int(message.size) < self._most_taken:
        message = stack.with_borrowed(message, borrowed, self._most_taken)
        borrowed += self._most_taken
        before += self._most_taken * WORD_BITS
      message = stack.begin(message, begun, part.size)
      begun = max(begun, part.size)
      message = self._push_round(message, images, part)
    data = stack.to_bytes(message, begun, int(message.low))
    return Encoded(data, message_lib.num_bits(message, begun) - before)

  def decode(self, data: bytes, num: int) -> np.ndarray:
    """The images of a chunk.

    Args:
      data: What `encode` returned.
      num: Number of images.

    Returns:
      An array as `encode` was given.

    Raises:
      ValueError: These are not the bytes of such a chunk, or not of this model.
    """
    sizes = [part.size for part in rounds.deal(num, self._lanes)]
    begun = max(sizes)
    capacity = max(self._capacity, len(data) // 2 + 2 * self._most_taken)
    message = stack.from_bytes(data, self._lanes, begun, capacity)
    parts = []
    for k, part in reversed(list(enumerate(rounds.deal(num, self._lanes)))):
      message, found = self._pop_round(message, part)
      parts.append(found)
      before = max([1, *sizes[:k]])
      message = stack.end(message, before, begun)
      begun = before
    images = np.concatenate(parts[::-1])
    _check_end(message, images)
    return images

  def _push_round(self, message, images, part):
    """Pushes a round; with more room, if it has none."""
    batch = np.zeros([self._lanes, *images.shape[1:]], np.float64)
    chosen = images[part.start : part.start + part.size]
    batch[: part.size] = _as_numbers(chosen)
    message = self._with_live(message, part.size)
    while True:
      pushed = Message(*self._push(part.is_direct)(tuple(message), batch))
      if int(pushed.size) < message.words.shape[0] - self._lanes:
        return pushed
      self._capacity = 2 * message.words.shape[0]
      message = stack.with_capacity(message, self._capacity)

  def _pop_round(self, message, part):
    message = self._with_live(message, part.size)
    message, batch = self._pop(part.is_direct)(tuple(message))
    message = Message(*message)
    if int(message.size) < 0:
      raise ValueError('it ends before its images do')
    return message, self._as_pixels(batch.numpy()[: part.size])

  def _with_live(self, message, num):
    return message._replace(live=tf.range(self._lanes) < num)

  def _as_pixels(self, numbers):
    # Binary pixels are zero and one.
    kinds = self._exact.model.likelihood.pixel_law.kinds
    if 'levels' in kinds:
      return np.rint(numbers * 255).astype(np.uint8)
    return numbers > 0

  @functools.cache
  def _push(self, is_direct):
    """The function that pushes the images of a round."""

    @tf.function(autograph=False)
    def push(state, images):
      with self._exact.scope():
        message = Message(*state)
        if not is_direct:
          return tuple(self._bits_back().push(message, images))
        code = self._nearest_code(images)
        return tuple(self._with_code().push(message, (images, code)))

    return push

  @functools.cache
  def _pop(self, is_direct):
    """The function that pops the images of a round."""

    @tf.function(autograph=False)
    def pop(state):
      with self._exact.scope():
        message = Message(*state)
        if not is_direct:
          message, images = self._bits_back().pop(message)
        else:
          message, (images, _) = self._with_code().pop(message)
        return tuple(message), images

    return pop

  def _bits_back(self):
    prior, likelihood = self._codecs(self._step)

    def posterior(images):
      law = self._exact.model.posterior(fixed_point.rounded(images))
      return laws.codec_of(law, self._step, self._lanes)

    return bits_back.BitsBack(prior, likelihood, posterior)

  def _with_code(self):
    return bits_back.WithCode(*self._codecs(self._direct_step))

  def _codecs(self, step):
    model = self._exact.model

    def prior():
      return laws.codec_of(model.prior(), step, self._lanes)

    def likelihood(code):
      return laws.codec_of(model.likelihood(code), step, self._lanes)

    return prior, likelihood

  def _nearest_code(self, images):
    """The point of the coarse lattice that is nearest to the code's mean."""
    mean = self._exact.model.posterior(fixed_point.rounded(images)).mean()
    return lattice.nearest(mean, self._direct_step)


def checksum(images: np.ndarray) -> int:
  """CRC-32 of the pixels: bits, eight a byte, or bytes of levels."""
  pixels = np.packbits(images) if images.dtype == bool else images
  return zlib.crc32(pixels.tobytes())


def _as_numbers(images):
  scale = 1 if images.dtype == bool else 255
  return images.astype(np.float64) / scale


def _check_end(message, images):
  """Checks that what is left is what a sender starts with."""
  size = int(message.size)
  words = message.words.numpy()[:size]
  first = int(message.heads[0]) - (1 << WORD_BITS)
  if first != checksum(images) or (words != stack.borrowed_words(size)).any():
    raise ValueError('its images have another checksum than those coded')
