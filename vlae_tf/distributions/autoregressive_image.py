"""Distribution of images whose pixels depend on the pixels before them.

#### References

[1]: van den Oord et al. Pixel Recurrent Neural Networks. ICML 2016,
     arXiv:1601.06759.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from vlae_tf.distributions import pixel_distributions
from vlae_tf.nn.causal.network import Update
from vlae_tf.nn.causal.schedule import Wavefront
from vlae_tf.utils import checks

tfd = tfp.distributions


class AutoregressiveImage(tfd.Distribution):
  """`p(x|h) = prod{ p(x[i] | x[0:i], h) : i in raster order }` [1].

  It owns no network: it is given one, in its parallel and in its incremental
  form, and features `h` to condition on, `[..., height, width, maps]`. Batch
  shape: the features' leading axes. Event shape: `[height, width, channels]`.
  Log-probabilities are in nats.

  >>> pixel = pixel_distributions.BernoulliPixel()
  >>> features = tf.zeros([2, 2, 2, 1])
  >>> image = AutoregressiveImage(lambda x, h: 0.0 * x, features, 1, pixel)
  >>> image.log_prob(tf.zeros([2, 2, 2, 1])).numpy().round(3)  # -4 log 2.
  array([-2.773, -2.773], dtype=float32)

  Args:
    network: Callable of images `[n, height, width, channels]` and features
      `[n, height, width, maps]` that returns parameters `[n, height, width,
      num_params]`, those of a pixel from the pixels before it alone.
    unroll: Callable `(features, noise, update)` that returns an image for
      which `image = update(noise, network(image, features))` and the last
      state, as `CausalNetwork.unroll`. By default the network is run in full
      for every pixel.
    order: Raster indices of the pixels in the order of `unroll`, as
      `CausalNetwork.order`; by default raster order.
  """

  def __init__(  # noqa: PLR0913
    self,
    network: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    features: tf.Tensor,
    channels: int,
    pixel_distribution: pixel_distributions.PixelDistribution,
    unroll: Callable[..., tuple[tf.Tensor, Any]] | None = None,
    order: np.ndarray | None = None,
    validate_args: bool = False,
    allow_nan_stats: bool = True,
    name: str = 'AutoregressiveImage',
  ):
    parameters = dict(locals())
    with tf.name_scope(name) as name:
      self._network, self._unroll, self._order = network, unroll, order
      self._features = tf.convert_to_tensor(features)
      self.channels, self.pixel_distribution = channels, pixel_distribution
      super().__init__(
        dtype=self._features.dtype,
        reparameterization_type=tfd.NOT_REPARAMETERIZED,
        validate_args=validate_args,
        allow_nan_stats=allow_nan_stats,
        parameters=parameters,
        name=name,
      )

  @classmethod
  def _parameter_properties(cls, dtype, num_classes=None):
    return dict(features=tfp.util.ParameterProperties(event_ndims=3))

  def _event_shape(self):
    return self._features.shape[-3:-1].concatenate(self.channels)

  def _event_shape_tensor(self):
    return tf.concat([tf.shape(self._features)[-3:-1], [self.channels]], 0)

  @property
  def order(self) -> np.ndarray:
    """Raster indices of the pixels in the order of `unroll`."""
    if self._order is None:
      return np.arange(math.prod(self.event_shape[:2]))
    return self._order

  def unroll(self, update: Update, state: Any = ()) -> tuple[tf.Tensor, Any]:
    """Computes all pixels by `update`, as an entropy decoder does.

    The noise of `update` is an empty tuple; `state` is a nest of tensors.
    Returns images `[batch, *event_shape]`, and the last state.
    """
    return self._method()(self._features, (), update, state)

  decide = unroll  # The earlier name, for one more version.

  def likeliest(self) -> tf.Tensor:
    """Images `batch_shape + event_shape`, greedily likely; see `unroll`.

    Each channel of a pixel is the mode given all before it: not always the mode
    of the image as a whole, which is hard to find.
    """
    return self.unroll(_Mode(self.pixel_distribution))[0]

  def params(self, image: tf.Tensor) -> tf.Tensor:
    """Parameters of every pixel given those before it, by one parallel pass.

    Shapes `[..., height, width, channels] -> [..., height, width, num_params]`.
    Leading axes that do not broadcast with the batch raise `ValueError`.
    """
    checks.ends_in('image', image, self.event_shape)
    image = tf.convert_to_tensor(image, self.dtype)
    images, features = image.shape[:-3], self._features.shape[:-3]
    try:
      tf.broadcast_static_shape(images, features)
    except ValueError as error:
      raise ValueError(
        '`image` must have leading axes that broadcast with the batch '
        f'{features} of the distribution, got {images}.'
      ) from error
    batch = tf.broadcast_dynamic_shape(
      tf.shape(image)[:-3], tf.shape(self._features)[:-3]
    )
    params = self._network(
      _flat_batch(image, batch), _flat_batch(self._features, batch)
    )
    # A network in sixteen bits leaves the distribution in its own precision.
    params = tf.cast(params, self.dtype)
    return tf.reshape(params, tf.concat([batch, params.shape[1:]], 0))

  def conditionals(self, image: tf.Tensor) -> tfd.Distribution:
    """Distributions of the pixels of an image, each given those before it.

    An image `[..., height, width, channels]` gives batch shape `[..., height,
    width]` and event shape `[channels]`.
    """
    return self.pixel_distribution.distribution(self.params(image))

  def log_prob(self, value, name='log_prob', **kwargs):
    # TFP would make numbers of any kind floats.
    checks.ends_in('value', value, self.event_shape)
    return super().log_prob(value, name=name, **kwargs)

  def _log_prob(self, image):
    image = tf.convert_to_tensor(image, self.dtype)
    return tf.reduce_sum(self.conditionals(image).log_prob(image), [-2, -1])

  def _sample_n(self, n, seed=None, method='incremental'):
    return self.sample_from_uniforms(self._uniforms([n], seed), method)

  def _uniforms(self, sample_shape, seed):
    image_shape = tf.shape(self._features)[:-1]
    num = self.pixel_distribution.num_uniforms(self.channels)
    shape = tf.concat([sample_shape, image_shape, [num]], 0)
    seed = tfp.random.sanitize_seed(seed, salt='autoregressive_image')
    return tf.random.stateless_uniform(shape, seed, dtype=self.dtype)

  def complete(
    self,
    image: tf.Tensor,
    given_mask: np.ndarray | tf.Tensor,
    sample_shape: int | Sequence[int] = (),
    seed: int | tf.Tensor | None = None,
  ) -> tf.Tensor:
    """Draws the pixels that are not given, each from those before it.

    Given pixels after a pixel have no influence on it: this is the conditional
    distribution of the rest where the given pixels are a raster prefix.

    Returns images `sample_shape + batch_shape + event_shape`, against which
    `image` broadcasts. The mask is boolean, `[height, width]`: pixels to copy.
    Another size raises `ValueError`.
    """
    sample_shape = tf.reshape(tf.cast(sample_shape, tf.int32), [-1])
    uniforms = self._uniforms(sample_shape, seed)
    return self.sample_from_uniforms(
      uniforms, given=image, given_mask=given_mask
    )

  def sample_from_uniforms(
    self,
    uniforms: tf.Tensor,
    method: str = 'incremental',
    given: tf.Tensor | None = None,
    given_mask: np.ndarray | tf.Tensor | None = None,
  ) -> tf.Tensor:
    """Turns noise in [0, 1), `[..., height, width, num_uniforms]`, into images.

    The method is 'incremental', or 'naive': a full pass for every pixel. Pixels
    in the boolean `given_mask`, `[height, width]`, are copied from the images
    `given`, whose leading axes broadcast against those of the noise. Returns
    `[..., height, width, channels]`. An unknown method, or a shape that does
    not fit, raises `ValueError`.
    """
    uniforms = tf.convert_to_tensor(uniforms, self.dtype)
    num = self.pixel_distribution.num_uniforms(self.channels)
    checks.ends_in('uniforms', uniforms, [*self.event_shape[:2], num])
    batch = tf.shape(uniforms)[:-3]
    noise = _flat_batch(uniforms, batch)
    update: Any = _Draw(self.pixel_distribution)
    if given is not None:
      checks.ends_in('given', given, self.event_shape)
      given = tf.convert_to_tensor(given, self.dtype)
      mask, size = tf.convert_to_tensor(given_mask), self.event_shape[:2]
      if mask.dtype != tf.bool or not mask.shape.is_compatible_with(size):
        raise ValueError(
          f'`given_mask` must be boolean, of shape {size}, got '
          f'{mask.dtype.name} of shape {mask.shape}.'
        )
      mask = tf.cast(mask, tf.float32)[..., None]
      mask = tf.broadcast_to(mask, tf.shape(noise[..., :1]))
      noise = noise, _flat_batch(given, batch), mask
      update = _CopyOrDraw(update)
    unroll = self._method(method)
    image, _ = unroll(_flat_batch(self._features, batch), noise, update)
    shape = tf.concat([batch, self._event_shape_tensor()], 0)
    return tf.reshape(image, shape)

  def _method(self, method='incremental'):
    if method not in ('incremental', 'naive'):
      raise ValueError(
        f"`method` must be 'incremental' or 'naive', got {method!r}."
      )
    if method == 'naive' or self._unroll is None:
      return functools.partial(unroll_naively, self._network, self.channels)
    return self._unroll


def _flat_batch(x, batch):
  """Broadcasts `x` to batch shape `batch`, and makes that one axis."""
  shape, static = tf.shape(x)[-3:], tf.get_static_value(batch)
  if static is None or static.tolist() != x.shape[:-3].as_list():
    x = tf.broadcast_to(x, tf.concat([batch, shape], 0))
  # A known size stays known: samplers are compiled and kept by shape.
  return tf.reshape(x, tf.concat([[tf.reduce_prod(batch)], shape], 0))


def unroll_naively(network, channels, features, noise, update, state=()):
  """`CausalNetwork.unroll` of any network, a full pass for every pixel."""
  height, width = features.shape[1:3]

  def step(i, image, state):
    params = tf.cast(network(image, features), features.dtype)
    noise_, params = tf.nest.map_structure(
      lambda x: x[:, i // width, i % width], (noise, params)
    )
    wavefront = Wavefront(i, i[None], tf.constant([True]))
    pixels, state = update(noise_, params, state, wavefront)
    here = tf.one_hot(i, height * width, dtype=image.dtype)
    here = tf.reshape(here, [1, height, width, 1])
    return i + 1, image + here * pixels[:, None, None], state

  shape = tf.concat([tf.shape(features)[:3], [channels]], 0)
  _, image, state = tf.while_loop(
    lambda i, *_: i < height * width,
    step,
    (tf.constant(0), tf.zeros(shape, features.dtype), state),
  )
  return image, state


# Updates of the pixels of a wavefront; equal ones share compiled functions.


@dataclasses.dataclass(frozen=True)
class _Draw:
  pixel_distribution: pixel_distributions.PixelDistribution

  def __call__(self, uniforms, params, state, wavefront):
    return self.pixel_distribution.quantile(params, uniforms), state


@dataclasses.dataclass(frozen=True)
class _Mode:
  pixel_distribution: pixel_distributions.PixelDistribution

  def __call__(self, noise, params, state, wavefront):
    pixel = self.pixel_distribution.distribution(params)
    # Without this method, channels are independent.
    return getattr(pixel, 'likeliest', pixel.mode)(), state


@dataclasses.dataclass(frozen=True)
class _CopyOrDraw:
  draw: _Draw

  def __call__(self, noise, params, state, wavefront):
    uniforms, given, mask = noise
    drawn, state = self.draw(uniforms, params, state, wavefront)
    return tf.where(mask > 0, given, drawn), state
