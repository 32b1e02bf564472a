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
from typing import Any, Protocol, runtime_checkable, TypeAlias

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

_Pair: TypeAlias = tuple[tf.Tensor, tf.Tensor]


@runtime_checkable
class Codec(Protocol):
  """An entropy coder of a distribution; `push` and `pop` are exact inverses.

  Values are tensors `[lanes, ...]`; those of lanes that are not live are
  ignored.
  """

  def push(self, message: Message, value: Any, /) -> Message:
    """Pushes values onto a message, at -log2 of their probability."""

  def pop(self, message: Message, /) -> tuple[Message, Any]:
    """Pops the values that were pushed last, or draws from the distribution."""


class Priced(Codec, Protocol):
  """A codec that computes the cost of values."""

  def bits(self, value: Any, /) -> tf.Tensor:
    """-log2 of the probability of values, float64 `[lanes]`."""


def check_codec(
  codec: Codec, value: Any, live: np.ndarray | None = None, seed: int = 0
) -> float:
  """Checks that `push` and `pop` of a codec are inverses, in both orders.

  `value` is made of tensors `[lanes, ...]`; `live`, bool `[lanes]`, are the
  lanes that are coded to, by default all. Returns the bits that the value takes
  from a message of random bits: on average 2**-20 a symbol more than -log2 of
  its probability, give or take 2**-10.

  >>> from vlae_tf import compression
  >>> symbols = compression.BernoulliSymbols()
  >>> codec = compression.Independent(symbols, tf.zeros([2, 5, 1]))
  >>> round(check_codec(codec, tf.ones([2, 5])), 1)  # Ten fair coins, in bits.
  10.0

  Raises:
    ValueError: A value or a message is not recovered.
  """
  first = tf.nest.flatten(value)[0]
  before = rans.random(first.shape[0], seed, live)
  pushed = codec.push(before, value)
  popped, again = codec.pop(pushed)
  pushed_again = codec.push(*codec.pop(before))

  def lanes(value):
    return [np.asarray(x)[before.live] for x in tf.nest.flatten(value)]

  def content(message):  # Words beyond its size are arbitrary.
    return [message.heads, message.words[: int(message.size)]]

  for name, wanted, found in (
    ('value', lanes(value), lanes(again)),
    ('message', content(before), content(popped)),
    ('message', content(before), content(pushed_again)),
  ):
    for a, b in zip(wanted, found, strict=True):
      if not np.array_equal(a, b):
        raise ValueError(f'`codec` must give back the {name} {a}, got {b}.')
  return rans.num_bits(pushed) - rans.num_bits(before)


class Independent:
  """Independent symbols, each with its own parameters.

  Values are `[lanes, *event_shape]`, parameters `[lanes, *event_shape,
  num_params]`.
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
    message, found = pop(message, params)
    return message, tf.reshape(tf.transpose(found), [lanes, *event])


def _symbols_first(x):
  """`[lanes, *event_shape]` as `[size, lanes]`."""
  size = math.prod(x.shape[1:])
  return tf.transpose(tf.reshape(x, [x.shape[0], size]))


@functools.lru_cache
def _compiled_pop(symbols: Any):
  @tf.function(jit_compile=True, autograph=False)
  def pop(message, params):
    def inverse_cdf(i, slot):
      return symbols.locate(params[i], slot)

    return rans.pop_all(message, params.shape[0], inverse_cdf, params.dtype)

  return pop


@dataclasses.dataclass(frozen=True, eq=False)
class Transformed:
  """Values of a transformed distribution, by coding their base noise.

  The bijector maps noise onto values without rounding, see `on_lattice`.
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

  The distribution is of batch shape `[lanes]`; if its network is of dtype
  float64, it has to compute inside `fixed_point.exact`.

  Raises:
    ValueError: There is no codec of its pixels in `SYMBOLS`.
  """

  def __init__(self, distribution: autoregressive_image.AutoregressiveImage):
    self._distribution = distribution
    self._symbols = symbols_lib.from_pixel_distribution(
      distribution.pixel_distribution
    )

  def push(self, message: Message, value: tf.Tensor) -> Message:
    intervals = self._intervals(value)
    return rans.push_all(message, Interval(*map(self._in_order, intervals)))

  def bits(self, value: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(self._intervals(value).bits(), [1, 2, 3])

  def _intervals(self, value):
    value = tf.cast(value, self._distribution.dtype)
    params = self._distribution.params(fixed_point.rounded(value))
    return symbols_lib.pixel_intervals(self._symbols, params, value)

  def pop(self, message: Message) -> tuple[Message, tf.Tensor]:
    update = _PopPixels(self._symbols, self._distribution.channels)
    image, message = self._distribution.unroll(update, message)
    return message, self._symbols.restored(image)

  def _in_order(self, x):
    """`[lanes, height, width, channels]` as `[num_symbols, lanes]`."""
    lanes, height, width, channels = x.shape
    x = tf.reshape(x, [lanes, height * width, channels])
    x = tf.gather(x, self._distribution.order, axis=1)
    return tf.transpose(tf.reshape(x, [lanes, height * width * channels]))


@dataclasses.dataclass(frozen=True)
class _PopPixels:
  """An `nn.Update` that pops the pixels of a wavefront off a message."""

  symbols: symbols_lib.PixelSymbols
  channels: int

  def __call__(self, noise, params, message, wavefront):
    del noise
    lanes = message.heads.shape[0]
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
        message = rans.pop(message, interval, wavefront.inside[row])
        channels.append(value)
      pixels = tf.stack(channels, -1)
      return row + 1, message, found.write(row, pixels)

    _, message, found = tf.while_loop(
      lambda row, *_: row < rows, pop, (tf.constant(0), message, found)
    )
    pixels = tf.reshape(found.stack(), [rows * lanes, self.channels])
    return fixed_point.rounded(pixels), message


@dataclasses.dataclass(frozen=True, eq=False)
class BitsBack:
  """Bits-back coding at -ELBO: `-log p(x|z) - log p(z) + log q(z|x)` [1], [2].

  The sender pops `z` off the message under `q(z|x)`; the receiver, who then
  knows the image, pushes it again.

  The functions return the codecs of latents, of images given latents, and of
  latents given images.
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
  nothing is popped off the message. See `BitsBack` for the functions.
  """

  prior: Callable[[], Priced]
  likelihood: Callable[[tf.Tensor], Priced]

  def push(self, message: Message, value: _Pair) -> Message:
    image, z = value
    message = self.likelihood(z).push(message, image)
    return self.prior().push(message, z)

  def bits(self, value: _Pair) -> tf.Tensor:
    image, z = value
    return self.prior().bits(z) + self.likelihood(z).bits(image)

  def pop(self, message: Message) -> tuple[Message, _Pair]:
    message, z = self.prior().pop(message)
    message, image = self.likelihood(z).pop(message)
    return message, (image, z)


@functools.singledispatch
def codec_of(distribution: tfd.Distribution, step: float, lanes: int) -> Priced:
  """The codec of a distribution; `codec_of.register` adds one for a class.

  Its batch shape is `[lanes]`, or `[]` for the same distribution in all lanes.
  Gaussians without a batch have to be standard: their lattice, whose points are
  at the distance `step`, reaches far into the tails.

  >>> coins = tfd.Bernoulli(logits=tf.zeros([2, 5]))
  >>> codec = codec_of(coins, step=1.0, lanes=2)
  >>> round(check_codec(codec, tf.ones([2, 5])), 1)
  10.0

  Raises:
    ValueError: No codec is registered for the distribution.
  """
  del step, lanes
  known = sorted(
    {c.__name__.lstrip('_') for c in codec_of.registry if c is not object}
  )
  raise ValueError(
    '`distribution` must be one that has a codec, '
    f'{", ".join(known)}, or registered with `compression.codec_of.register`, '
    f'got {type(distribution).__name__}.'
  )


@codec_of.register
def _(distribution: autoregressive_image.AutoregressiveImage, step, lanes):
  del step, lanes
  return AutoregressiveImages(distribution)


@codec_of.register(tfd.Bernoulli)
@codec_of.register(tfd.Categorical)
def _(distribution, step, lanes):
  del step
  logits = distribution.logits_parameter()
  if not distribution.batch_shape.rank:
    logits = tf.broadcast_to(logits, [lanes, *logits.shape])
  if isinstance(distribution, tfd.Bernoulli):
    return Independent(symbols_lib.BernoulliSymbols(), logits[..., None])
  symbols = symbols_lib.CategoricalSymbols(logits.shape[-1], 1)
  return Independent(symbols, logits)


@codec_of.register(_Independent)
@codec_of.register(tfd.Independent)
def _(distribution: tfd.Independent, step, lanes):
  if distribution.batch_shape.rank:
    return codec_of(distribution.distribution, step, lanes)
  return _standard(distribution, step, lanes)


@codec_of.register(tfd.Normal)
@codec_of.register(tfd.MultivariateNormalDiag)
def _(distribution, step, lanes):
  if not distribution.batch_shape.rank:
    return _standard(distribution, step, lanes)
  params = tf.stack([distribution.mean(), distribution.stddev()], -1)
  return Independent(lattice.GaussianSymbols(step), params)


@codec_of.register(_Transformed)
@codec_of.register(tfd.TransformedDistribution)
def _(distribution: tfd.TransformedDistribution, step, lanes):
  flow = lattice.on_lattice(distribution.bijector, step)
  bound = lattice.max_noise(distribution.bijector)
  noise = _standard(distribution.distribution, step, lanes, bound)
  return Transformed(noise, flow)


def noise_and_flow(
  distribution: tfd.Distribution, step: float, lanes: int
) -> tuple[Independent, tfb.Bijector]:
  """The codec of the noise of a distribution, and the flow of noise to values.

  Without a flow, noise and values are the same.
  """
  codec: Any = codec_of(distribution, step, lanes)
  if isinstance(codec, Transformed):
    return codec.base, codec.bijector
  return codec, tfb.Identity()


def gaussian_parameters(distribution: tfd.Distribution) -> _Pair:
  """Mean and standard deviation of a posterior."""
  try:
    return distribution.mean(), distribution.stddev()
  except NotImplementedError as error:
    raise ValueError(
      '`posterior` must be a diagonal Gaussian where latents are coded, got a '
      'flow.'
    ) from error


def _standard(distribution, step, lanes, bound=lattice.MAX_LATENT):
  """The codec of `N(0, I)`, the same in all lanes."""
  moments = distribution.mean(), distribution.stddev()
  mean, stddev = map(tf.get_static_value, moments)
  if mean is not None and (mean.any() or (stddev != 1).any()):
    raise ValueError(
      '`distribution` must be a standard Gaussian where it has no batch.'
    )
  nothing = tf.zeros([lanes, *distribution.event_shape, 0], distribution.dtype)
  symbols = lattice.StandardGaussianSymbols(step, bound)
  return Independent(symbols, nothing)
