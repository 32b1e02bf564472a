"""Images as the bytes of a chunk, without loss."""

import numpy as np
import tensorflow as tf

from vlae_tf.compression import bits_back, chunks, codecs, lattice
from vlae_tf.compression.exact_model import ExactModel
from vlae_tf.compression.rans import Message
from vlae_tf.nn import fixed_point


class LosslessChunks(chunks.Chunks):
  """Codes images, all but the first ones of a chunk with bits back.

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
    """Creates it.

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
    self.step, self.direct_step = step, direct_step
    super().__init__(exact, lanes)

  def push(
    self, message: Message, batch: tf.Tensor, is_direct: bool
  ) -> Message:
    """See `Chunks`."""
    if not is_direct:
      return self._bits_back().push(message, batch)
    value = batch, self._direct_code(batch)
    return self._with_code().push(message, value)

  def pop(self, message: Message, is_direct: bool) -> tuple[Message, tf.Tensor]:
    """See `Chunks`."""
    if not is_direct:
      return self._bits_back().pop(message)
    message, (images, _) = self._with_code().pop(message)
    return message, images

  def direct_bits(self, images: np.ndarray) -> float:
    """What images take on average without bits back.

    Args:
      images: At most as many as there are lanes.

    Returns:
      Bits.
    """
    numbers = self.to_numbers(images)
    batch = np.zeros([self.lanes, *numbers.shape[1:]])
    batch[: len(numbers)] = numbers
    with self.exact.scope():
      bits = self._with_code().bits((batch, self._direct_code(batch)))
    return float(tf.reduce_mean(bits[: len(numbers)]))

  def to_numbers(self, values: np.ndarray) -> np.ndarray:
    """See `Chunks`."""
    return values.astype(np.float64) / (1 if values.dtype == bool else 255)

  def from_numbers(self, numbers: np.ndarray) -> np.ndarray:
    """See `Chunks`."""
    if 'levels' in self.exact.model.likelihood.pixel_law.kinds:
      return np.rint(numbers * 255).astype(np.uint8)
    return numbers > 0

  def _direct_code(self, batch):
    law = self.exact.model.posterior(fixed_point.rounded(batch))
    mean, _ = codecs.gaussian_parameters(law)
    return lattice.nearest(mean, self.direct_step)

  def _bits_back(self):
    prior, likelihood = self._codecs(self.step)

    def posterior(images):
      law = self.exact.model.posterior(fixed_point.rounded(images))
      return codecs.codec_of(law, self.step, self.lanes)

    return bits_back.BitsBack(prior, likelihood, posterior)

  def _with_code(self):
    return bits_back.WithCode(*self._codecs(self.direct_step))

  def _codecs(self, step):
    model = self.exact.model

    def prior():
      return codecs.codec_of(model.prior(), step, self.lanes)

    def likelihood(code):
      return codecs.codec_of(model.likelihood(code), step, self.lanes)

    return prior, likelihood
