"""Bits-back coding of images by a model with a code.

#### References

[1]: James Townsend, Tom Bird, David Barber. Practical Lossless Compression with
     Latent Variables using Bits Back Coding. In _International Conference on
     Learning Representations_, 2019. https://arxiv.org/abs/1901.04866
[2]: Xi Chen et al. Variational Lossy Autoencoder. In _International
     Conference on Learning Representations_, 2017.
     https://arxiv.org/abs/1611.02731 (section 2.1)
"""

from collections.abc import Callable

import tensorflow as tf

from vlae_tf.compression.codec import Codec, Priced
from vlae_tf.compression.rans import Message


class BitsBack:
  """Images at their -ELBO: `-log p(x|z) p(z)`, less `-log q(z|x)` [1], [2].

  The sender takes the code's bits from what is on the message already; the
  receiver, who knows the image by then, puts them back.
  """

  def __init__(
    self,
    prior: Callable[[], Codec],
    likelihood: Callable[[tf.Tensor], Codec],
    posterior: Callable[[tf.Tensor], Codec],
  ):
    """Creates the codec.

    Args:
      prior: Callable that returns the codec of codes.
      likelihood: Callable of codes that returns the codec of images.
      posterior: Callable of images that returns the codec of codes.
    """
    self._prior = prior
    self._likelihood = likelihood
    self._posterior = posterior

  def push(self, message: Message, value: tf.Tensor) -> Message:
    """See `Codec`; values are images."""
    message, code = self._posterior(value).pop(message)
    message = self._likelihood(code).push(message, value)
    return self._prior().push(message, code)

  def pop(self, message: Message) -> tuple[Message, tf.Tensor]:
    """See `Codec`."""
    message, code = self._prior().pop(message)
    message, value = self._likelihood(code).pop(message)
    return self._posterior(value).push(message, code), value


class WithCode:
  """Images and a code of each that the sender is free to choose.

  Costs `-log p(x|z) p(z)`: more than `BitsBack`, but takes no bits from the
  message. Values are pairs of images and codes.
  """

  def __init__(
    self,
    prior: Callable[[], Priced],
    likelihood: Callable[[tf.Tensor], Priced],
  ):
    """Creates the codec, see `BitsBack`."""
    self._prior = prior
    self._likelihood = likelihood

  def push(
    self, message: Message, value: tuple[tf.Tensor, tf.Tensor]
  ) -> Message:
    """See `Codec`."""
    image, code = value
    message = self._likelihood(code).push(message, image)
    return self._prior().push(message, code)

  def bits(self, value: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
    """What images and codes take, `[lanes]`."""
    image, code = value
    return self._prior().bits(code) + self._likelihood(code).bits(image)

  def pop(
    self, message: Message
  ) -> tuple[Message, tuple[tf.Tensor, tf.Tensor]]:
    """See `Codec`."""
    message, code = self._prior().pop(message)
    message, image = self._likelihood(code).pop(message)
    return message, (image, code)
