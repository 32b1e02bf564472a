"""Chunks: images, or latents alone, as bytes; see docs/format.md.

#### References

[1]: Xi Chen et al. Variational Lossy Autoencoder. In _International
     Conference on Learning Representations_, 2017.
     https://arxiv.org/abs/1611.02731 (section 3)
"""

import functools
import math
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf

from vlae_tf.compression import codecs, lattice, rans
from vlae_tf.compression.exact_model import ExactModel
from vlae_tf.compression.rans import WORD_BITS
from vlae_tf.models import vlae as model_lib
from vlae_tf.nn import fixed_point

Progress: TypeAlias = Callable[[int], Any] | None

# The first images are coded without bits back, in batches that begin with these
# sizes: the bits that they leave on the message are popped by later ones. An
# image leaves some 120 bits or more, a lane takes 32 to start, and bits back
# take some 400, which come back but for those that the image itself leaves.
_FIRST_BATCHES = (1, 5)
_DIRECT = 38
_DIRECT_PER_LANE = 3
_FIRST_WITH_BITS_BACK = 9
_FLOW_BATCH = 64  # Latents that a flow is computed of at a time.


class _Batch(NamedTuple):
  """Images that are coded side by side, one in each of the first lanes."""

  start: int  # Number of the first image.
  size: int
  bits_back: bool


def schedule(num: int, lanes: int, bits_back: bool = True) -> list[_Batch]:
  """The batches of a chunk, in the order of a sender.

  >>> [batch.size for batch in schedule(100, 16)]
  [1, 5, 16, 16, 9, 12, 16, 16, 9]
  """
  batches: list[_Batch] = []
  direct = min(_DIRECT, _DIRECT_PER_LANE * lanes + 1) if bits_back else num
  done, size = 0, _FIRST_WITH_BITS_BACK
  while done < num:
    is_direct = done < direct
    wanted = lanes if is_direct else size
    if len(batches) < len(_FIRST_BATCHES):
      wanted = _FIRST_BATCHES[len(batches)]
    elif not is_direct:
      size += max(1, size // 3)
    taken = min(wanted, lanes, num - done)
    batches.append(_Batch(done, taken, not is_direct))
    done += taken
  return batches


class Encoded(NamedTuple):
  """An encoded chunk."""

  data: bytes
  # Of the values: bits of the message at the end, less those at the beginning.
  net_bits: float


class Chunks:
  """Base of codecs of chunks: values as bytes, batch by batch.

  Functions are compiled at their first use, for every capacity of messages.
  """

  # Whether batches but the first ones use bits back.
  bits_back = False

  def __init__(self, exact: ExactModel, lanes: int):
    self.exact = exact
    self.lanes = lanes
    self._capacity = 0
    # More words than a batch can pop off a message.
    self._max_popped = lanes * (math.prod(exact.model.event_shape) + 2)

  def _codec(self, bits_back):
    """The codec of a batch, float64 `[lanes, ...]`, perhaps with bits back."""
    raise NotImplementedError

  def _coded(self, batch, bits_back):
    """The batch, or a pair with latents that the sender chooses."""
    del bits_back
    return batch

  @tf.function(autograph=False)
  def _push(self, message, batch, bits_back):
    with self.exact.scope():
      value = self._coded(batch, bits_back)
      return self._codec(bits_back).push(message, value)

  @tf.function(autograph=False)
  def _pop(self, message, bits_back):
    with self.exact.scope():
      message, value = self._codec(bits_back).pop(message)
    return message, value[0] if isinstance(value, tuple) else value

  def _to_numbers(self, values):
    """Values as float64."""
    raise NotImplementedError

  def _from_numbers(self, numbers):
    """Undoes `_to_numbers`."""
    raise NotImplementedError

  def _moved(self, values, direction):
    """The 'inverse' or 'forward' of a flow from coded values to values."""
    del direction
    return values

  def encode(self, values: np.ndarray, progress: Progress = None) -> Encoded:
    """Encodes values `[num, ...]`, `num` at least 1.

    `progress` is called with the number of values of each batch.
    """
    num_initial = 2 * self._max_popped
    message = rans.initial(
      self.lanes, checksum(values), num_initial, self._capacity
    )
    started, before = 1, rans.num_bits(message, 1)
    moved = self._moved(values, 'inverse')
    for batch in schedule(len(values), self.lanes, self.bits_back):
      if int(message.size) < self._max_popped:
        message = rans.with_initial_words(
          message, num_initial, self._max_popped
        )
        num_initial += self._max_popped
        before += self._max_popped * WORD_BITS
      message = rans.start_lanes(message, started, batch.size)
      started = max(started, batch.size)
      message = self._push_batch(message, moved, batch)
      if progress is not None:
        progress(batch.size)
    data = rans.to_bytes(message, started, int(message.low))
    return Encoded(data, rans.num_bits(message, started) - before)

  def decode(
    self, data: bytes, num: int, progress: Progress = None
  ) -> np.ndarray:
    """Undoes `encode` of `num` values.

    Raises:
      ValueError: These are not the bytes of such a chunk, or not of this model.
    """
    batches = schedule(num, self.lanes, self.bits_back)
    sizes = [batch.size for batch in batches]
    started = max(sizes)
    capacity = max(self._capacity, len(data) // 2 + 2 * self._max_popped)
    message = rans.from_bytes(data, self.lanes, started, capacity)
    parts = []
    for k in reversed(range(len(batches))):
      message = message._replace(live=tf.range(self.lanes) < sizes[k])
      message, numbers = self._pop(message, batches[k].bits_back)
      if not 0 <= int(message.size) < message.words.shape[0] - self.lanes:
        raise ValueError('it holds fewer or more bits than its values take')
      parts.append(self._from_numbers(numbers.numpy()[: sizes[k]]))
      if progress is not None:
        progress(sizes[k])
      before = max([1, *sizes[:k]])
      message = rans.end_lanes(message, before, started)
      started = before
    values = self._moved(np.concatenate(parts[::-1]), 'forward')
    # A sender starts with the checksum and initial words.
    words = message.words.numpy()[: int(message.size)]
    found_sum = int(message.heads[0]) - (1 << WORD_BITS)
    if (
      found_sum != checksum(values)
      or (words != rans.initial_words(len(words))).any()
    ):
      raise ValueError(
        'the decoded values have another checksum than those that were encoded'
      )
    return values

  def _push_batch(self, message, values, batch):
    """Pushes a batch; again with more capacity, if it did not fit."""
    numbers = self._to_numbers(values[batch.start : batch.start + batch.size])
    padded = _padded(numbers, self.lanes)
    message = message._replace(live=tf.range(self.lanes) < batch.size)
    while True:
      pushed = self._push(message, padded, batch.bits_back)
      if int(pushed.size) < message.words.shape[0] - self.lanes:
        return pushed
      self._capacity = 2 * message.words.shape[0]
      message = rans.with_capacity(message, self._capacity)


def _padded(numbers, size):
  padded = np.zeros([size, *numbers.shape[1:]])
  padded[: len(numbers)] = numbers
  return padded


def checksum(values: np.ndarray) -> int:
  """CRC-32 of bool values packed eight a byte, of others as they are."""
  data = np.packbits(values) if values.dtype == bool else values
  return zlib.crc32(np.ascontiguousarray(data).tobytes())


def has_levels(model: model_lib.VLAE) -> bool:
  """Whether pixels have 256 levels; else they are bool."""
  return 'levels' in model.likelihood.pixel_distribution.kinds


def as_numbers(images: np.ndarray, dtype: Any) -> np.ndarray:
  """Pixels, bool or uint8, as numbers in [0, 1]."""
  return images.astype(dtype) / (1 if images.dtype == bool else 255)


def as_images(model: model_lib.VLAE, numbers: np.ndarray) -> np.ndarray:
  """Undoes `as_numbers` for images of a model."""
  if has_levels(model):
    return np.rint(numbers * 255).astype(np.uint8)
  return numbers > 0


class LosslessChunks(Chunks):
  """Lossless codec of images, with bits back but for the first ones.

  Values are bool arrays `[num, height, width, channels]`, or uint8 ones for
  pixels of 256 levels. `direct_step` is the step of the lattice for images that
  are coded without bits back.
  """

  bits_back = True

  def __init__(
    self,
    exact: ExactModel,
    lanes: int = 16,
    step: float = 1 / 16,
    direct_step: float = 4.0,
  ):
    """Raises a `ValueError` if a step is none of `lattice.STEPS`."""
    lattice.check_step('step', step)
    lattice.check_step('direct_step', direct_step)
    self.step, self.direct_step = step, direct_step
    super().__init__(exact, lanes)

  def direct_bits(self, images: np.ndarray) -> float:
    """Mean bits of at most `lanes` images that are coded without bits back."""
    batch = _padded(self._to_numbers(images), self.lanes)
    with self.exact.scope():
      bits = self._codec(False).bits(self._coded(batch, False))
    return float(tf.reduce_mean(bits[: len(images)]))

  def _to_numbers(self, values):
    return as_numbers(values, np.float64)

  def _from_numbers(self, numbers):
    return as_images(self.exact.model, numbers)

  def _coded(self, batch, bits_back):
    if bits_back:
      return batch
    posterior = self.exact.model.posterior(fixed_point.rounded(batch))
    mean, _ = codecs.gaussian_parameters(posterior)
    return batch, lattice.nearest(mean, self.direct_step)

  def _codec(self, bits_back):
    model = self.exact.model
    step = self.step if bits_back else self.direct_step

    def prior():
      return codecs.codec_of(model.prior(), step, self.lanes)

    def likelihood(z):
      return codecs.codec_of(model.likelihood(z), step, self.lanes)

    def posterior(images):
      q = model.posterior(fixed_point.rounded(images))
      return codecs.codec_of(q, step, self.lanes)

    if bits_back:
      return codecs.BitsBack(prior, likelihood, posterior)
    return codecs.WithCode(prior, likelihood)


class LossyChunks(Chunks):
  """Codec of latents alone [1]: points of a lattice under the prior.

  Values are int16 arrays `[num, *event_shape]`, multiples of the step. There is
  one lane: a latent takes few bits, and each further lane takes 32 bits to
  start. The noise that a flow makes latents of is coded, computed of many of
  them at once.
  """

  def __init__(self, exact: ExactModel, step: float = 4.0):
    """Raises a `ValueError` if the step is none of `lattice.STEPS`."""
    lattice.check_step('step', step)
    self.step = step
    super().__init__(exact, lanes=1)
    self._flow = functools.cache(self._flow_in_graph)

  def _codec(self, bits_back):
    del bits_back
    return self._noise_and_flow()[0]

  def _noise_and_flow(self):
    prior = self.exact.model.prior()
    return codecs.noise_and_flow(prior, self.step, self.lanes)

  def _to_numbers(self, values):
    return values.astype(np.float64) * self.step

  def _from_numbers(self, numbers):
    return np.rint(numbers / self.step).astype(np.int16)

  def encode(self, values: np.ndarray, progress: Progress = None) -> Encoded:
    most = int(lattice.MAX_MEAN / self.step)
    largest = np.abs(values.astype(np.int64)).max(initial=0)
    if values.dtype != np.int16 or largest > most:
      raise ValueError(
        f'`values` must be of dtype int16 and within +-{most}, got '
        f'{values.dtype} up to {largest}.'
      )
    return super().encode(values, progress)

  def _flow_in_graph(self, direction):
    """One direction of the flow as a graph that computes exactly."""

    @tf.function(autograph=False)
    def function(batch):
      with self.exact.scope():
        flow = self._noise_and_flow()[1]
        # A copy bypasses the cache of TFP's bijectors.
        return getattr(flow, direction)(tf.identity(batch))

    # Traced once: TensorFlow would warn of the many functions like it.
    shape = [_FLOW_BATCH, *self.exact.model.event_shape]
    return function.get_concrete_function(tf.TensorSpec(shape, tf.float64))

  def _moved(self, values, direction):
    numbers = self._to_numbers(values)
    found = []
    for start in range(0, len(numbers), _FLOW_BATCH):
      part = numbers[start : start + _FLOW_BATCH]
      full = tf.constant(_padded(part, _FLOW_BATCH))
      found.append(self._flow(direction)(full).numpy()[: len(part)])
    return self._from_numbers(np.concatenate(found))
