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
from vlae_tf.compression.rans import Message, WORD_BITS
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
  """An encoded chunk.

  Attributes:
    data: Bytes.
    net_bits: Bits of the values: those of the message at the end, less those
      at the beginning.
  """

  data: bytes
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
    both = (False, True)
    self._push_in_graph = {b: self._in_graph(self._push, b) for b in both}
    self._pop_in_graph = {b: self._in_graph(self._pop, b) for b in both}

  def _codec(self, bits_back):
    """The codec of a batch, float64 `[lanes, ...]`, perhaps with bits back."""
    raise NotImplementedError

  def _push(self, message, batch, bits_back):
    return self._codec(bits_back).push(message, batch)

  def _pop(self, message, bits_back):
    return self._codec(bits_back).pop(message)

  def _to_numbers(self, values):
    """Values as float64."""
    raise NotImplementedError

  def _from_numbers(self, numbers):
    """Undoes `_to_numbers`."""
    raise NotImplementedError

  def _transformed(self, values):
    """Values as they are coded."""
    return values

  def _restored(self, transformed):
    """Undoes `_transformed`."""
    return transformed

  def encode(self, values: np.ndarray, progress: Progress = None) -> Encoded:
    """Encodes values `[num, ...]`, `num` at least 1.

    `progress` is called with the number of values of each batch.
    """
    num_initial = 2 * self._max_popped
    message = rans.initial(
      self.lanes, checksum(values), num_initial, self._capacity
    )
    started, before = 1, rans.num_bits(message, 1)
    transformed = self._transformed(values)
    for batch in schedule(len(values), self.lanes, self.bits_back):
      if int(message.size) < self._max_popped:
        message = rans.with_initial_words(
          message, num_initial, self._max_popped
        )
        num_initial += self._max_popped
        before += self._max_popped * WORD_BITS
      message = rans.start_lanes(message, started, batch.size)
      started = max(started, batch.size)
      message = self._push_batch(message, transformed, batch)
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
      message, found = self._pop_batch(message, batches[k])
      parts.append(found)
      if progress is not None:
        progress(sizes[k])
      before = max([1, *sizes[:k]])
      message = rans.end_lanes(message, before, started)
      started = before
    values = self._restored(np.concatenate(parts[::-1]))
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
    message = self._with_live(message, batch.size)
    while True:
      pushed = self._push_in_graph[batch.bits_back](tuple(message), padded)
      pushed = Message(*pushed)
      if int(pushed.size) < message.words.shape[0] - self.lanes:
        return pushed
      self._capacity = 2 * message.words.shape[0]
      message = rans.with_capacity(message, self._capacity)

  def _pop_batch(self, message, batch):
    message = self._with_live(message, batch.size)
    popped, numbers = self._pop_in_graph[batch.bits_back](tuple(message))
    message = Message(*popped)
    if not 0 <= int(message.size) < message.words.shape[0] - self.lanes:
      raise ValueError('it holds fewer or more bits than its values take')
    return message, self._from_numbers(numbers.numpy()[: batch.size])

  def _with_live(self, message, num):
    return message._replace(live=tf.range(self.lanes) < num)

  def _in_graph(self, method, bits_back):
    """A method as a graph that computes exactly."""

    @tf.function(autograph=False)
    def function(state, *args):
      with self.exact.scope():
        result = method(Message(*state), *args, bits_back)
      if isinstance(result, Message):
        return tuple(result)
      message, value = result
      return tuple(message), value

    return function


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
  pixels of 256 levels.
  """

  bits_back = True

  def __init__(
    self,
    exact: ExactModel,
    lanes: int = 16,
    step: float = 1 / 16,
    direct_step: float = 4.0,
  ):
    """Creates the codec.

    Args:
      exact: The model.
      lanes: Images that are coded side by side.
      step: Step of the lattice of latents.
      direct_step: Step for images that are coded without bits back.

    Raises:
      ValueError: A step is none of `lattice.STEPS`.
    """
    lattice.check_step('step', step)
    lattice.check_step('direct_step', direct_step)
    self.step, self.direct_step = step, direct_step
    super().__init__(exact, lanes)

  def _push(self, message, batch, bits_back):
    if not bits_back:
      batch = batch, self._direct_z(batch)
    return super()._push(message, batch, bits_back)

  def _pop(self, message, bits_back):
    message, value = super()._pop(message, bits_back)
    return message, value if bits_back else value[0]

  def direct_bits(self, images: np.ndarray) -> float:
    """Mean bits of at most `lanes` images that are coded without bits back."""
    batch = _padded(self._to_numbers(images), self.lanes)
    with self.exact.scope():
      bits = self._codec(False).bits((batch, self._direct_z(batch)))
    return float(tf.reduce_mean(bits[: len(images)]))

  def _to_numbers(self, values):
    return as_numbers(values, np.float64)

  def _from_numbers(self, numbers):
    return as_images(self.exact.model, numbers)

  def _direct_z(self, batch):
    posterior = self.exact.model.posterior(fixed_point.rounded(batch))
    mean, _ = codecs.gaussian_parameters(posterior)
    return lattice.nearest(mean, self.direct_step)

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
    self._to_noise = self._of_flow(lambda flow, z: flow.inverse(z))
    self._to_latents = self._of_flow(lambda flow, z: flow.forward(z))

  def _codec(self, bits_back):
    del bits_back
    return self._noise_and_flow()[0]

  def _to_numbers(self, values):
    return values.astype(np.float64) * self.step

  def _from_numbers(self, numbers):
    return np.rint(numbers / self.step).astype(np.int16)

  def _transformed(self, values):
    """Points of latents as points of the noise that they are made of."""
    most = int(lattice.MAX_MEAN / self.step)
    largest = np.abs(values.astype(np.int64)).max(initial=0)
    if values.dtype != np.int16 or largest > most:
      raise ValueError(
        f'`values` must be of dtype int16 and within +-{most}, got '
        f'{values.dtype} up to {largest}.'
      )
    return self._in_batches(self._to_noise, values)

  def _restored(self, transformed):
    return self._in_batches(self._to_latents, transformed)

  def _noise_and_flow(self):
    """The codec of noise, and the flow that makes latents of it, or `None`."""
    prior = self.exact.model.prior()
    codec = codecs.codec_of(prior, self.step, self.lanes)
    if isinstance(codec, codecs.Transformed):
      return codec.base, codec.bijector
    return codec, None

  def _of_flow(self, direction):
    """One direction of the flow as a graph that computes exactly."""

    @tf.function(autograph=False)
    def function(batch):
      with self.exact.scope():
        flow = self._noise_and_flow()[1]
        # A copy bypasses the cache of TFP's bijectors.
        return batch if flow is None else direction(flow, tf.identity(batch))

    # Traced once: TensorFlow would warn of the many functions like it.
    shape = [_FLOW_BATCH, *self.exact.model.event_shape]
    return functools.cache(
      lambda: function.get_concrete_function(tf.TensorSpec(shape, tf.float64))
    )

  def _in_batches(self, function, points):
    numbers = self._to_numbers(points)
    found = []
    for start in range(0, len(numbers), _FLOW_BATCH):
      part = numbers[start : start + _FLOW_BATCH]
      full = tf.constant(_padded(part, _FLOW_BATCH))
      found.append(function()(full).numpy()[: len(part)])
    return self._from_numbers(np.concatenate(found))
