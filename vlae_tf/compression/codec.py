"""What a codec is, and the check that every one of them has to pass."""

from typing import Any, Protocol, runtime_checkable

import numpy as np
import tensorflow as tf

from vlae_tf.compression import rans as message_lib
from vlae_tf.compression.rans import Message


@runtime_checkable
class Codec(Protocol):
  """A law of values as code: `push` and `pop` are mirror images.

  Values are those of all lanes, tensors `[lanes, ...]`; those of lanes that are
  not live count for nothing.
  """

  def push(self, message: Message, value: Any, /) -> Message:
    """Puts values on a message, at a cost of -log2 of their probability."""
    ...

  def pop(self, message: Message, /) -> tuple[Message, Any]:
    """Takes values off a message: the last that were pushed, or draws."""
    ...


class Priced(Codec, Protocol):
  """A codec that says what values take."""

  def bits(self, value: Any, /) -> tf.Tensor:
    """-log2 of the probability of values, float64 `[lanes]`."""
    ...


def check_codec(
  codec: Codec, value: Any, live: np.ndarray | None = None, seed: int = 0
) -> float:
  """Checks that a codec undoes itself, both ways.

  >>> from vlae_tf import compression
  >>> fair = coding.Independent(coding.BernoulliSymbols(), tf.zeros([2, 5, 1]))
  >>> round(check_codec(fair, tf.ones([2, 5])), 1)  # Ten coins, in bits.
  10.0

  Args:
    codec: `Codec`.
    value: What it is to code, tensors `[lanes, ...]`.
    live: bool `[lanes]`, the lanes that are coded to; by default all.
    seed: Seed of the bits that are on the message before.

  Returns:
    The bits that the value takes: on average 2**-20 a symbol more than -log2
    of its probability, give or take 2**-10.

  Raises:
    ValueError: A value or a message does not come back as it was.
  """
  first = tf.nest.flatten(value)[0]
  before = message_lib.random(first.shape[0], seed, live)
  pushed = codec.push(before, value)
  popped, again = codec.pop(pushed)
  _check_same('value', value, again, before.live)
  _check_message(before, popped)
  drawn, other = codec.pop(before)
  _check_message(before, codec.push(drawn, other))
  return message_lib.num_bits(pushed) - message_lib.num_bits(before)


def _check_same(name, wanted, found, live):
  for a, b in zip(tf.nest.flatten(wanted), tf.nest.flatten(found), strict=True):
    a, b = np.asarray(a)[live], np.asarray(b)[live]
    if a.shape != b.shape or not (a == b).all():
      raise ValueError(f'`codec` must give back the {name} {a}, got {b}.')


def _check_message(wanted, found):
  same = tf.reduce_all(wanted.heads == found.heads) and (
    int(wanted.size) == int(found.size)
  )
  size = int(wanted.size)
  if not same or (wanted.words[:size] != found.words[:size]).numpy().any():
    raise ValueError(
      f'`codec` must give back the message {wanted}, got {found}.'
    )
