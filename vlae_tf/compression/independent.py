"""Codecs of numbers that are independent of each other."""

import functools
import math
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from vlae_tf.compression import rans as message_lib
from vlae_tf.compression import symbols as symbols_lib
from vlae_tf.compression.rans import Interval, Message

tfb = tfp.bijectors


class Independent:
  """Independent symbols, each with parameters of its own.

  >>> from vlae_tf import compression
  >>> logits = tf.zeros([2, 3, 1])  # Of two lanes, three fair coins each.
  >>> codec = Independent(coding.BernoulliSymbols(), logits)
  >>> coins = tf.constant([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0]])
  >>> round(coding.check_codec(codec, coins), 1)  # Bits.
  6.0

  Attributes:
    symbols: Law of a symbol given its parameters.
  """

  def __init__(self, symbols: symbols_lib.Symbols, params: tf.Tensor):
    """Creates the codec.

    Args:
      symbols: Law of a symbol given its parameters.
      params: Float `Tensor` of shape `[lanes, *event_shape, num_params]`.
    """
    self.symbols = symbols
    self._params = tf.convert_to_tensor(params)

  def push(self, message: Message, value: tf.Tensor) -> Message:
    """See `Codec`; values are `[lanes, *event_shape]`."""
    intervals = self._intervals(value)
    return message_lib.push_all(message, Interval(*map(_by_number, intervals)))

  def bits(self, value: tf.Tensor) -> tf.Tensor:
    """What values take, `[lanes]`."""
    return tf.reduce_sum(_by_number(self._intervals(value).bits()), 0)

  def _intervals(self, value):
    return self.symbols.intervals(self._params, value)

  def pop(self, message: Message) -> tuple[Message, tf.Tensor]:
    """See `Codec`."""
    lanes, *event = self._params.shape[:-1]
    size, num_params = math.prod(event), self._params.shape[-1]
    if not size:
      return message, tf.zeros([lanes, *event], self._params.dtype)
    params = tf.reshape(self._params, [lanes, size, num_params])
    params = tf.transpose(params, [1, 0, 2])
    pop = _pop(self.symbols)  # type: ignore[arg-type]
    state, found = pop(tuple(message), params)
    value = tf.reshape(tf.transpose(found), [lanes, *event])
    return Message(*state), value


def _by_number(x):
  """`[lanes, *event_shape]` as `[size, lanes]`."""
  size = math.prod(x.shape[1:])
  return tf.transpose(tf.reshape(x, [x.shape[0], size]))


@functools.lru_cache
def _pop(symbols: Any):
  """The compiled function that pops symbols of a law."""

  @tf.function(jit_compile=True, autograph=False)
  def pop(state, params):
    def locate(i, slot):
      return symbols.locate(params[i], slot)

    message, found = message_lib.pop_all(
      Message(*state), params.shape[0], locate, params.dtype
    )
    return tuple(message), found

  return pop


class Transformed:
  """Values that a bijector makes of those of another codec, exactly.

  Attributes:
    base: `Codec` of noise, `[lanes, *event_shape]`.
    bijector: What makes values of them.
  """

  def __init__(self, base: Independent, bijector: tfb.Bijector):
    """Creates the codec.

    Args:
      base: `Codec` of noise, `[lanes, *event_shape]`.
      bijector: What maps the base's values onto these, without rounding: see
        `lattice.on_lattice`.
    """
    self.base = base
    self.bijector = bijector

  def push(self, message: Message, value: tf.Tensor) -> Message:
    """See `Codec`."""
    return self.base.push(message, self._noise(value))

  def bits(self, value: tf.Tensor) -> tf.Tensor:
    """What values take, `[lanes]`."""
    return self.base.bits(self._noise(value))

  def _noise(self, value):
    # A copy, so that TFP's cache does not answer.
    return self.bijector.inverse(tf.identity(value))

  def pop(self, message: Message) -> tuple[Message, tf.Tensor]:
    """See `Codec`."""
    message, noise = self.base.pop(message)
    # Its many small steps take half of the time if they are compiled.
    forward = tf.function(
      self.bijector.forward, jit_compile=True, autograph=False
    )
    return message, forward(noise)
