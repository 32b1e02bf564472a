"""The codec of an autoregressive law of images."""

import dataclasses

import tensorflow as tf

from vlae_tf.compression import rans as message_lib
from vlae_tf.compression import symbols as symbols_lib
from vlae_tf.compression.rans import Interval, Message
from vlae_tf.distributions import autoregressive_image
from vlae_tf.nn import fixed_point


class AutoregressiveImages:
  """Images, pixel after pixel in the order that the law decides them in.

  A sender needs one parallel pass. A receiver pops pixels inside the loop that
  draws samples, which carries the message along. Both have the same
  probabilities if the network computes exactly, see `fixed_point`.
  """

  def __init__(self, law: autoregressive_image.AutoregressiveImage):
    """Creates the codec.

    Args:
      law: Of batch shape `[lanes]`; networks of dtype float64 are to compute
        inside `fixed_point.exact`.

    Raises:
      ValueError: Pixels of this law are not coded, see `symbols.SYMBOLS`.
    """
    self._law = law
    self._symbols = symbols_lib.of_pixel_law(law.pixel_law)

  def push(self, message: Message, value: tf.Tensor) -> Message:
    """See `Codec`; values are `[lanes, height, width, channels]`."""
    intervals = self._intervals(value)
    return message_lib.push_all(
      message, Interval(*map(self._in_order, intervals))
    )

  def bits(self, value: tf.Tensor) -> tf.Tensor:
    """What values take, `[lanes]`."""
    return tf.reduce_sum(self._intervals(value).bits(), [1, 2, 3])

  def _intervals(self, value):
    value = tf.cast(value, self._law.dtype)
    params = self._law.params(fixed_point.rounded(value))
    return symbols_lib.pixel_intervals(self._symbols, params, value)

  def pop(self, message: Message) -> tuple[Message, tf.Tensor]:
    """See `Codec`."""
    update = _PopPixels(self._symbols, self._law.channels)
    image, state = self._law.decide(update, tuple(message))
    return Message(*state), self._symbols.restored(image)

  def _in_order(self, x):
    """`[lanes, height, width, channels]` as `[num_symbols, lanes]`."""
    lanes, height, width, channels = x.shape
    x = tf.reshape(x, [lanes, height * width, channels])
    x = tf.gather(x, self._law.order, axis=1)
    return tf.transpose(tf.reshape(x, [lanes, height * width * channels]))


@dataclasses.dataclass(frozen=True)
class _PopPixels:
  """An `updates.Update` that pops the pixels of a front off a message."""

  symbols: symbols_lib.PixelSymbols
  channels: int

  def __call__(self, noise, params, state, front):
    del noise
    lanes = state[0].shape[0]
    rows = params.shape[0] // lanes
    params = tf.reshape(params, [rows, lanes, -1])
    dtype = params.dtype
    found = tf.TensorArray(dtype, rows, element_shape=[lanes, self.channels])

    def pop(row, message, found):
      channels: list[tf.Tensor] = []
      for _ in range(self.channels):
        value, interval = self.symbols.locate(
          self.symbols.of_next(params[row], channels),
          message_lib.slots(message),
        )
        message = message_lib.drop(message, interval, front.inside[row])
        channels.append(value)
      pixels = tf.stack(channels, -1)
      return row + 1, message, found.write(row, pixels)

    _, message, found = tf.while_loop(
      lambda row, *_: row < rows, pop, (tf.constant(0), Message(*state), found)
    )
    pixels = tf.reshape(found.stack(), [rows * lanes, self.channels])
    return fixed_point.rounded(pixels), tuple(message)
