"""Codes of images alone as the bytes of a chunk: lossy compression.

#### References

[1]: Xi Chen et al. Variational Lossy Autoencoder. In _International
     Conference on Learning Representations_, 2017.
     https://arxiv.org/abs/1611.02731 (section 3)
"""

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from vlae_tf.compression import chunks, codecs, independent, lattice
from vlae_tf.compression.codec import Codec
from vlae_tf.compression.exact_model import ExactModel
from vlae_tf.compression.rans import Message

_BATCH = 64  # Codes that the flow is computed of at a time.


class LossyChunks(chunks.Chunks):
  """Codes points of a lattice under the prior on it: all there is of images.

  Values are int16 arrays `[num, *event_shape]`: numbers of points, which
  `codes` makes codes of. There is one lane: a code takes few bits, and each
  further lane takes 32 bits to begin with. A flow is computed of many codes at
  once, and the noise that it makes them of is coded.
  """

  def __init__(self, exact: ExactModel, step: float = 4.0):
    """Creates it.

    Args:
      exact: `ExactModel`.
      step: Step of the lattice of codes, see `lattice`.

    Raises:
      ValueError: The step is none of `lattice.STEPS`.
    """
    lattice.check_step('step', step)
    self.step = step
    super().__init__(exact, lanes=1)
    self._to_noise = self._compiled(lambda flow, z: flow.inverse(z))
    self._to_codes = self._compiled(lambda flow, z: flow.forward(z))

  def push(
    self, message: Message, batch: tf.Tensor, is_direct: bool
  ) -> Message:
    """See `Chunks`."""
    del is_direct
    return self._parts()[0].push(message, batch)

  def pop(self, message: Message, is_direct: bool) -> tuple[Message, tf.Tensor]:
    """See `Chunks`."""
    del is_direct
    return self._parts()[0].pop(message)

  def to_numbers(self, values: np.ndarray) -> np.ndarray:
    """See `Chunks`."""
    return values.astype(np.float64) * self.step

  def from_numbers(self, numbers: np.ndarray) -> np.ndarray:
    """See `Chunks`."""
    return np.rint(numbers / self.step).astype(np.int16)

  def to_rounds(self, values: np.ndarray) -> np.ndarray:
    """Numbers of points as those of the noise that they are made of."""
    most = int(lattice.MAX_MEAN / self.step)
    largest = np.abs(values.astype(np.int64)).max(initial=0)
    if values.dtype != np.int16 or largest > most:
      raise ValueError(
        f'`values` must be of dtype int16 and within +-{most}, got '
        f'{values.dtype} up to {largest}.'
      )
    return self._in_batches(self._to_noise, values)

  def from_rounds(self, coded: np.ndarray) -> np.ndarray:
    """Undoes `to_rounds`."""
    return self._in_batches(self._to_codes, coded)

  def _parts(self) -> tuple[Codec, Callable | None]:
    """The codec of noise, and the flow that makes codes of it, if any."""
    law = self.exact.model.prior()
    codec = codecs.codec_of(law, self.step, self.lanes)
    if isinstance(codec, independent.Transformed):
      return codec.base, codec.bijector
    return codec, None

  def _compiled(self, direction):
    """One direction of the flow as a graph, which computes exactly."""

    @tf.function(autograph=False)
    def function(batch):
      with self.exact.scope():
        flow = self._parts()[1]
        # A copy, so that TFP's cache does not answer.
        return batch if flow is None else direction(flow, tf.identity(batch))

    # Traced once, whoever else makes such functions: TensorFlow would warn.
    shape = [_BATCH, *self.exact.model.event_shape]
    return functools.cache(
      lambda: function.get_concrete_function(tf.TensorSpec(shape, tf.float64))
    )

  def _in_batches(self, function, points):
    numbers = self.to_numbers(points)
    found = []
    for start in range(0, len(numbers), _BATCH):
      part = numbers[start : start + _BATCH]
      full = np.zeros([_BATCH, *numbers.shape[1:]])
      full[: len(part)] = part
      found.append(function()(tf.constant(full)).numpy()[: len(part)])
    return self.from_numbers(np.concatenate(found))


def codes(points: np.ndarray, step: float) -> np.ndarray:
  """The codes that points of a lattice are."""
  # points [num, *event_shape]
  return (points * step).astype(np.float32)
