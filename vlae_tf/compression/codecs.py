"""Codecs of distributions: the interface, implementations, and `codec_of`.

#### References

[1]: James Townsend, Tom Bird, David Barber. Practical Lossless Compression with
     Latent Variables using Bits Back Coding. In _International Conference on
     Learning Representations_, 2019. https://arxiv.org/abs/1901.04866
[2]: Xi Chen et al. Variational Lossy Autoencoder. In _International
     Conference on Learning Representations_, 2017.
     https://arxiv.org/abs/1611.02731 (section 2.1)
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from vlae_tf.compression import lattice, rans
from vlae_tf.compression import symbols as symbols_lib
from vlae_tf.compression.rans import Interval, Message
from vlae_tf.distributions import autoregressive_image
from vlae_tf.nn import fixed_point

tfb = tfp.bijectors
tfd = tfp.distributions
# The base classes, of which TFP makes instances where a bijector, as ours, is
# no `CompositeTensor`.
_Independent = tfd.Independent.__base__
_Transformed = tfd.TransformedDistribution.__base__


@runtime_checkable
class Codec(Protocol):
  """An entropy coder of a distribution; `push` and `pop` are exact inverses.

  Values are tensors `[lanes, ...]`; those of lanes that are not live are
  ignored.
  """

  def push(self, message: Message, value: Any, /) -> Message:
    """Pushes values onto a message, at -log2 of their probability."""
    ...

  def pop(self, message: Message, /) -> tuple[Message, Any]:
    """Pops the values that were pushed last, or draws from the distribution."""
    ...


class Priced(Codec, Protocol):
  """A codec that computes the cost of values."""

  def bits(self, value: Any, /) -> tf.Tensor:
    """-log2 of the probability of values, float64 `[lanes]`."""
    ...


def check_codec(
  codec: Codec, value: Any, live: np.ndarray | None = None, seed: int = 0
) -> float:
  """Checks that `push` and `pop` of a codec are inverses, in both orders.

  >>> from vlae_tf import compression
  >>> symbols = compression.BernoulliSymbols()
  >>> codec = compression.Independent(symbols, tf.zeros([2, 5, 1]))
  >>> round(check_codec(codec, tf.ones([2, 5])), 1)  # Ten fair coins, in bits.
  10.0

  Args:
    codec: `Codec`.
    value: Values to code, tensors `[lanes, ...]`.
    live: bool `[lanes]`, the lanes that are coded to; by default all.
    seed: Seed of the random bits of the message before.

  Returns:
    Bits that the value takes: on average 2**-20 a symbol more than -log2 of
    its probability, give or take 2**-10.

  Raises:
    ValueError: A value or a message is not recovered.
  """
  first = tf.nest.flatten(value)[0]
  before = rans.random(first.shape[0], seed, live)
  pushed = codec.push(before, value)
  popped, again = codec.pop(pushed)
  _check_same('value', _live(value, before), _live(again, before))
  _check_same('message', _content(before), _content(popped))
  drawn, other = codec.pop(before)
  _check_same('message', _content(before), _content(codec.push(drawn, other)))
  return rans.num_bits(pushed) - rans.num_bits(before)


def _check_same(name, wanted, found):
  for a, b in zip(tf.nest.flatten(wanted), tf.nest.flatten(found), strict=True):
    if not np.array_equal(a, b):
      raise ValueError(f'`codec` must give back the {name} {a}, got {b}.')


def _live(value, message):
  return tf.nest.map_structure(lambda x: np.asarray(x)[message.live], value)


def _content(message):
  """What a message holds: words beyond its size are arbitrary."""
  return message.heads, message.words[: int(message.size)]


class Independent:
  """Independent symbols, each with its own parameters.

  >>> from vlae_tf import compression
  >>> logits = tf.zeros([2, 3, 1])  # Three fair coins in each of two lanes.
  >>> codec = Independent(compression.BernoulliSymbols(), logits)
  >>> coins = tf.constant([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0]])
  >>> round(compression.check_codec(codec, coins), 1)  # Bits.
  6.0

  Values are `[lanes, *event_shape]`.

  Args:
    symbols: Distribution of a symbol given its parameters.
    params: Float `Tensor` of shape `[lanes, *event_shape, num_params]`.
  """

  def __init__(self, symbols: symbols_lib.Symbols, params: tf.Tensor):
    self.symbols = symbols
    self._params = tf.convert_to_tensor(params)

  def push(self, message: Message, value: tf.Tensor) -> Message:
    intervals = self._intervals(value)
    return rans.push_all(message, Interval(*map(_symbols_first, intervals)))

  def bits(self, value: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(_symbols_first(self._intervals(value).bits()), 0)

  def _intervals(self, value):
    return self.symbols.intervals(self._params, value)

  def pop(self, message: Message) -> tuple[Message, tf.Tensor]:
    lanes, *event = self._params.shape[:-1]
    size, num_params = math.prod(event), self._params.shape[-1]
    if not size:
      return message, tf.zeros([lanes, *event], self._params.dtype)
    params = tf.reshape(self._params, [lanes, size, num_params])
    params = tf.transpose(params, [1, 0, 2])
    pop = _compiled_pop(self.symbols)  # type: ignore[arg-type]
    state, found = pop(tuple(message), params)
    value = tf.reshape(tf.transpose(found), [lanes, *event])
    return Message(*state), value


def _symbols_first(x):
  """`[lanes, *event_shape]` as `[size, lanes]`."""
  size = math.prod(x.shape[1:])
  return tf.transpose(tf.reshape(x, [x.shape[0], size]))


@functools.lru_cache
def _compiled_pop(symbols: Any):
  @tf.function(jit_compile=True, autograph=False)
  def pop(state, params):
    def inverse_cdf(i, slot):
      return symbols.locate(params[i], slot)

    message, found = rans.pop_all(
      Message(*state), params.shape[0], inverse_cdf, params.dtype
    )
    return tuple(message), found

  return pop


@dataclasses.dataclass(frozen=True, eq=False)
class Transformed:
  """Values of a transformed distribution, by coding their base noise.

  Attributes:
    base: `Codec` of noise, `[lanes, *event_shape]`.
    bijector: Maps noise onto values without rounding, see `on_lattice`.
  """

  base: Independent
  bijector: tfb.Bijector

  def push(self, message: Message, value: tf.Tensor) -> Message:
    return self.base.push(message, self._noise(value))

  def bits(self, value: tf.Tensor) -> tf.Tensor:
    return self.base.bits(self._noise(value))

  def _noise(self, value):
    # A copy bypasses the cache of TFP's bijectors.
    return self.bijector.inverse(tf.identity(value))

  def pop(self, message: Message) -> tuple[Message, tf.Tensor]:
    message, noise = self.base.pop(message)
    # Compiling its many small operations halves the time.
    forward = tf.function(
      self.bijector.forward, jit_compile=True, autograph=False
    )
    return message, forward(noise)


class AutoregressiveImages:
  """Images `[lanes, height, width, channels]`, pixel by pixel.

  The sender needs one parallel pass. The receiver pops pixels inside the loop
  that draws samples, which carries the message along. Both have the same
  probabilities if the network computes exactly, see `ExactModel`.

  Args:
    law: Distribution of batch shape `[lanes]`; if its network is of dtype
      float64, it has to compute inside `fixed_point.exact`.

  Raises:
    ValueError: There is no codec of its pixels in `SYMBOLS`.
  """

  def __init__(self, law: autoregressive_image.AutoregressiveImage):
    self._law = law
    self._symbols = symbols_lib.from_pixel_distribution(law.pixel_distribution)

  def push(self, message: Message, value: tf.Tensor) -> Message:
    intervals = self._intervals(value)
    return rans.push_all(message, Interval(*map(self._in_order, intervals)))

  def bits(self, value: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(self._intervals(value).bits(), [1, 2, 3])

  def _intervals(self, value):
    value = tf.cast(value, self._law.dtype)
    params = self._law.params(fixed_point.rounded(value))
    return symbols_lib.pixel_intervals(self._symbols, params, value)

  def pop(self, message: Message) -> tuple[Message, tf.Tensor]:
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
  """An `nn.Update` that pops the pixels of a wavefront off a message."""

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
          self.symbols.of_next(params[row], channels), rans.peek(message)
        )
        message = rans.pop(message, interval, front.inside[row])
        channels.append(value)
      pixels = tf.stack(channels, -1)
      return row + 1, message, found.write(row, pixels)

    _, message, found = tf.while_loop(
      lambda row, *_: row < rows, pop, (tf.constant(0), Message(*state), found)
    )
    pixels = tf.reshape(found.stack(), [rows * lanes, self.channels])
    return fixed_point.rounded(pixels), tuple(message)


@dataclasses.dataclass(frozen=True, eq=False)
class BitsBack:
  """Bits-back coding at -ELBO: `-log p(x|z) - log p(z) + log q(z|x)` [1], [2].

  The sender pops `z` off the message under `q(z|x)`; the receiver, who then
  knows the image, pushes it again.

  Args:
    prior: Returns the codec of latents.
    likelihood: Returns the codec of images given latents.
    posterior: Returns the codec of latents given images.
  """

  prior: Callable[[], Codec]
  likelihood: Callable[[tf.Tensor], Codec]
  posterior: Callable[[tf.Tensor], Codec]

  def push(self, message: Message, value: tf.Tensor) -> Message:
    message, z = self.posterior(value).pop(message)
    message = self.likelihood(z).push(message, value)
    return self.prior().push(message, z)

  def pop(self, message: Message) -> tuple[Message, tf.Tensor]:
    message, z = self.prior().pop(message)
    message, value = self.likelihood(z).pop(message)
    return self.posterior(value).push(message, z), value


@dataclasses.dataclass(frozen=True, eq=False)
class WithCode:
  """Pairs of images and latents; the sender chooses the latents.

  The cost is `-log p(x|z) - log p(z)`: more than that of `BitsBack`, but
  nothing is popped off the message. See `BitsBack` for arguments.
  """

  prior: Callable[[], Priced]
  likelihood: Callable[[tf.Tensor], Priced]

  def push(
    self, message: Message, value: tuple[tf.Tensor, tf.Tensor]
  ) -> Message:
    image, z = value
    message = self.likelihood(z).push(message, image)
    return self.prior().push(message, z)

  def bits(self, value: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
    image, z = value
    return self.prior().bits(z) + self.likelihood(z).bits(image)

  def pop(
    self, message: Message
  ) -> tuple[Message, tuple[tf.Tensor, tf.Tensor]]:
    message, z = self.prior().pop(message)
    message, image = self.likelihood(z).pop(message)
    return message, (image, z)


@functools.singledispatch
def codec_of(law: tfd.Distribution, step: float, lanes: int) -> Priced:
  """The codec of a distribution; `codec_of.register` adds one for a class.

  >>> coins = tfd.Bernoulli(logits=tf.zeros([2, 5]))
  >>> codec = codec_of(coins, step=1.0, lanes=2)
  >>> round(check_codec(codec, tf.ones([2, 5])), 1)
  10.0

  Args:
    law: `tfd.Distribution` of batch shape `[lanes]`, or `[]` for the same
      distribution in all lanes. Gaussians without a batch have to be standard:
      their lattice reaches far into the tails.
    step: Distance of the points of the lattice that real numbers are on.
    lanes: Number of lanes.

  Returns:
    A `Priced` codec.

  Raises:
    ValueError: No codec is registered for the distribution.
  """
  del step, lanes
  known = sorted(
    {c.__name__.lstrip('_') for c in codec_of.registry if c is not object}
  )
  raise ValueError(
    f'`law` must be one that has a codec, {", ".join(known)}, or registered '
    f'with `compression.codec_of.register`, got {type(law).__name__}.'
  )


@codec_of.register
def _(law: autoregressive_image.AutoregressiveImage, step, lanes):
  del step, lanes
  return AutoregressiveImages(law)


@codec_of.register
def _(law: tfd.Bernoulli, step, lanes):
  del step
  logits = _of_lanes(law.logits_parameter(), law, lanes)
  return Independent(symbols_lib.BernoulliSymbols(), logits[..., None])


@codec_of.register
def _(law: tfd.Categorical, step, lanes):
  del step
  logits = _of_lanes(law.logits_parameter(), law, lanes)
  symbols = symbols_lib.CategoricalSymbols(logits.shape[-1], 1)
  return Independent(symbols, logits)


@codec_of.register(_Independent)
@codec_of.register(tfd.Independent)
def _(law: tfd.Independent, step, lanes):
  if law.batch_shape.rank:
    return codec_of(law.distribution, step, lanes)
  return _standard(law, step, lanes)


@codec_of.register(tfd.Normal)
@codec_of.register(tfd.MultivariateNormalDiag)
def _(law, step, lanes):
  if not law.batch_shape.rank:
    return _standard(law, step, lanes)
  params = tf.stack([law.mean(), law.stddev()], -1)
  return Independent(lattice.GaussianSymbols(step), params)


@codec_of.register(_Transformed)
@codec_of.register(tfd.TransformedDistribution)
def _(law: tfd.TransformedDistribution, step, lanes):
  flow = lattice.on_lattice(law.bijector, step)
  bound = lattice.max_noise(law.bijector)
  noise = _standard(law.distribution, step, lanes, bound)
  return Transformed(noise, flow)


def gaussian_parameters(law: tfd.Distribution) -> tuple[tf.Tensor, tf.Tensor]:
  """Mean and standard deviation of a posterior."""
  try:
    return law.mean(), law.stddev()
  except NotImplementedError as error:
    raise ValueError(
      '`posterior` must be a diagonal Gaussian where latents are coded, got a '
      'flow.'
    ) from error


def _standard(law, step, lanes, bound=lattice.MAX_LATENT):
  """The codec of `N(0, I)`, the same in all lanes."""
  mean, stddev = (tf.get_static_value(x) for x in (law.mean(), law.stddev()))
  if mean is not None and (mean.any() or (stddev != 1).any()):
    raise ValueError('`law` must be a standard Gaussian where it has no batch.')
  nothing = tf.zeros([lanes, *law.event_shape, 0], law.dtype)
  symbols = lattice.StandardGaussianSymbols(step, bound)
  return Independent(symbols, nothing)


def _of_lanes(x, law, lanes):
  """Parameters `[lanes, ...]` of a distribution."""
  if law.batch_shape.rank:
    return x
  return tf.broadcast_to(x, [lanes, *x.shape])
