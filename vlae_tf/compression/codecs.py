"""From laws to codecs."""

import functools

import tensorflow as tf
import tensorflow_probability as tfp

from vlae_tf.compression import images, independent, lattice, symbols
from vlae_tf.compression.codec import Priced
from vlae_tf.distributions import autoregressive_image

tfb = tfp.bijectors
tfd = tfp.distributions
# What TFP makes of it where the bijector, as ours, is no `CompositeTensor`.
_Independent = tfd.Independent.__base__
_Transformed = tfd.TransformedDistribution.__base__


@functools.singledispatch
def codec_of(law: tfd.Distribution, step: float, lanes: int) -> Priced:
  """The codec of a law; `codec_of.register` teaches one more.

  >>> coins = tfd.Bernoulli(logits=tf.zeros([2, 5]))
  >>> from vlae_tf import compression
  >>> codec = codec_of(coins, step=1.0, lanes=2)
  >>> round(coding.check_codec(codec, tf.ones([2, 5])), 1)
  10.0

  Args:
    law: `tfd.Distribution` of batch shape `[lanes]`, or `[]` for the same law
      in all lanes. Of the latter, Gaussians have to be standard: a lattice is
      coded far into their tails.
    step: Distance of the points of the lattice that numbers are coded on.
    lanes: Number of lanes.

  Returns:
    A `Codec` that says what values take.

  Raises:
    ValueError: How to code it is not known.
  """
  del step, lanes
  known = sorted(
    {c.__name__.lstrip('_') for c in codec_of.registry if c is not object}
  )
  raise ValueError(
    f'`law` must be one that is coded, {", ".join(known)}, or registered with '
    f'`coding.codec_of.register`, got {type(law).__name__}.'
  )


@codec_of.register
def _(law: autoregressive_image.AutoregressiveImage, step, lanes):
  del step, lanes
  return images.AutoregressiveImages(law)


@codec_of.register
def _(law: tfd.Bernoulli, step, lanes):
  del step
  logits = _of_lanes(law.logits_parameter(), law, lanes)
  return independent.Independent(symbols.BernoulliSymbols(), logits[..., None])


@codec_of.register
def _(law: tfd.Categorical, step, lanes):
  del step
  logits = _of_lanes(law.logits_parameter(), law, lanes)
  coded = symbols.CategoricalSymbols(logits.shape[-1], 1)
  return independent.Independent(coded, logits)


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
  return independent.Independent(lattice.GaussianSymbols(step), params)


@codec_of.register(_Transformed)
@codec_of.register(tfd.TransformedDistribution)
def _(law: tfd.TransformedDistribution, step, lanes):
  flow = lattice.on_lattice(law.bijector, step)
  bound = lattice.max_noise(law.bijector)
  noise = _standard(law.distribution, step, lanes, bound)
  return independent.Transformed(noise, flow)


def gaussian_parameters(law: tfd.Distribution) -> tuple[tf.Tensor, tf.Tensor]:
  """Means and deviations of a posterior whose codes can be sent."""
  # -> [batch, *event_shape]
  try:
    return law.mean(), law.stddev()
  except NotImplementedError as error:
    raise ValueError(
      '`posterior` must be a diagonal Gaussian where codes are sent, got a '
      'flow.'
    ) from error


def _standard(law, step, lanes, bound=lattice.MAX_CODE):
  """The codec of `N(0, I)`, the same in all lanes."""
  mean, stddev = (tf.get_static_value(x) for x in (law.mean(), law.stddev()))
  if mean is not None and (mean.any() or (stddev != 1).any()):
    raise ValueError('`law` must be a standard Gaussian where it has no batch.')
  nothing = tf.zeros([lanes, *law.event_shape, 0], law.dtype)
  coded = lattice.StandardGaussianSymbols(step, bound)
  return independent.Independent(coded, nothing)


def _of_lanes(x, law, lanes):
  """Parameters of a law, the same in all lanes where it has no batch."""
  if law.batch_shape.rank:
    return x
  return tf.broadcast_to(x, [lanes, *x.shape])
