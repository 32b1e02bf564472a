"""Pixel distribution: a mixture of discretised logistics.

#### References

[1]: Salimans et al. PixelCNN++. ICLR 2017, arXiv:1701.05517 (sections 2.1,
     2.2).
"""

import dataclasses
from typing import ClassVar

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from vlae_tf.distributions import pixel_distributions
from vlae_tf.utils import checks, serialization

tfd = tfp.distributions

# Narrower logistics have all but e**-4 of their mass on one level, wider ones
# all but that on the first and the last.
MAX_LOG_SCALE = 7.0
# Log-scale of a zero parameter: 47 levels. Parameters of a fresh network, of
# mean 0 and deviation 1, take 9.16 bits per channel of CIFAR-10, and 9.28 or
# 9.49 with twice or half the scale; zeros take 8.09, and 8.64 or 8.40.
LOG_SCALE = -1.0
LEVELS = pixel_distributions.LEVELS
_MIDDLE = (LEVELS - 1) / 2


def num_channels(num_params: int, components: int) -> int:
  """Number of channels of a pixel with so many parameters."""
  found = {components * _num_parts(c): c for c in (1, 3)}
  if num_params not in found:
    raise ValueError(
      f'`params` must have {" or ".join(map(str, found))} channels for '
      f'{components} components, got {num_params}.'
    )
  return found[num_params]


def _num_parts(channels):
  # A component has a weight, means and scales, and coefficients.
  return 1 + 2 * channels + channels * (channels - 1) // 2


@pixel_distributions.PIXEL_DISTRIBUTIONS.register(
  'logistic_mixture', 'a mixture of logistics, channels depend on each other'
)
@serialization.register
@dataclasses.dataclass(frozen=True)
class LogisticMixturePixel:
  """A mixture of discretised logistics of 256 levels, as in PixelCNN++ [1].

  `p(x) = sum{ softmax(logits)[k] prod{ p[k](x[c] | x[0:c]) : c } : k }`, where
  `p[k](x[c] | x[0:c])` is the mass of a logistic on all that is nearest to
  level `x[c]`; the first and the last level have all beyond them. In units in
  which levels are `-1, -253 / 255, ..., 1`, its mean is `m[c] + sum{ tanh(a[c,
  b]) x[b] : b < c }`, its scale `exp(s[c] - 1)`, from e**-7 to e**7. The
  parameters of a pixel are the logits of all components, `m` of the first
  channel and so on, `s` likewise, and then `a[1, 0]`, `a[2, 0]` and `a[2, 1]`.

  >>> pixel = LogisticMixturePixel(components=10)
  >>> pixel.num_params(channels=3)
  100
  >>> grey = pixel.distribution(tf.zeros([100])).log_prob([0.5, 0.5, 0.5])
  >>> bool(grey == -np.inf)  # There is no level 127.5.
  True
  """

  kinds: ClassVar[tuple[str, ...]] = ('levels',)
  components: int = 10  # Shared by all channels of a pixel.

  def __post_init__(self):
    checks.integer('components', self.components, 1)

  def num_params(self, channels: int) -> int:
    """Number of logits, means, scales and coefficients; 1 or 3 channels."""
    if channels not in (1, 3):
      raise ValueError(f'`channels` must be 1 or 3 for {self}, got {channels}.')
    return self.components * _num_parts(channels)

  def num_uniforms(self, channels: int) -> int:
    return channels

  def distribution(self, params: tf.Tensor) -> tfd.Distribution:
    """The distribution; mean and mode are those of one channel alone.

    Of several channels both are sums over all levels of the channels before,
    and raise `NotImplementedError`: see `means_given` and `likeliest`.
    """
    return _LogisticMixture(params, self.components)

  def quantile(self, params: tf.Tensor, uniforms: tf.Tensor) -> tf.Tensor:
    """Levels of the channels in turn, by their cumulative probability."""
    return _LogisticMixture(params, self.components).quantile_of(uniforms)

  def conditionals(self, params: tf.Tensor, pixels: tf.Tensor) -> tf.Tensor:
    """Log-probabilities of all levels of a channel, given those before it.

    Shapes `[..., num_params]` and `[..., channels] -> [..., channels, 256]`;
    pixels are levels `k / 255`; in nats.
    """
    return _LogisticMixture(params, self.components).conditionals(pixels)


class _LogisticMixture(tfd.Distribution):
  """The distribution of a pixel, see `LogisticMixturePixel`."""

  def __init__(self, params, components, name='LogisticMixture'):
    parameters = dict(locals())
    with tf.name_scope(name) as name:
      self._params = tf.convert_to_tensor(params)
      self._components = components
      self._channels = num_channels(self._params.shape[-1], components)
      # At once, as the gradient of a slice is a table of all parameters.
      self._parts = tf.split(self._params, _num_parts(self._channels), -1)
      super().__init__(
        dtype=self._params.dtype,
        reparameterization_type=tfd.NOT_REPARAMETERIZED,
        validate_args=False,
        allow_nan_stats=True,
        parameters=parameters,
        name=name,
      )

  @classmethod
  def _parameter_properties(cls, dtype, num_classes=None):
    return dict(params=tfp.util.ParameterProperties(event_ndims=1))

  def _event_shape(self):
    return tf.TensorShape([self._channels])

  def _log_prob(self, pixels):
    levels, possible = self._levels(pixels)
    logits = log_weights = self._parts[0]
    for c, level in enumerate(levels):
      log_weights += _log_probs(level, *self._logistics(levels[:c]))
    log_prob = tf.reduce_logsumexp(log_weights, -1)
    log_prob -= tf.reduce_logsumexp(logits, -1)
    impossible = tf.constant(-np.inf, self.dtype)
    return tf.where(possible, log_prob, impossible)

  def _mean(self):
    self._check_one_channel('mean')
    return self.means_given(tf.zeros_like(self._parts[0][..., :1]))

  def _mode(self):
    self._check_one_channel('mode')
    return self.likeliest()

  def _check_one_channel(self, statistic):
    if self._channels > 1:
      raise NotImplementedError(
        f'`{statistic}` of {self._channels} dependent channels.'
      )

  def means_given(self, pixels):
    """Mean of each channel given those before it, `[..., channels]`."""
    levels, _ = self._levels(pixels)
    found = []

    def mean(c, log_weights, *channel):
      weights = tf.nn.softmax(log_weights)
      found.append(tf.reduce_sum(weights * _means(*channel), -1))
      return levels[c]

    self._sequentially(mean)
    return tf.stack(found, -1) / (LEVELS - 1)

  def likeliest(self):
    """Each channel's likeliest level given those before it."""

    def likeliest(c, log_weights, *channel):
      del c
      log_probs = _mixture_log_probs(log_weights, *channel)
      return tf.cast(tf.argmax(log_probs, -1), self.dtype)[..., None]

    return _pixels(self._sequentially(likeliest))

  def _sample_n(self, n, seed=None):
    shape = tf.concat([[n], tf.shape(self._params)[:-1], [self._channels]], 0)
    seed = tfp.random.sanitize_seed(seed, salt='logistic_mixture')
    uniforms = tf.random.stateless_uniform(shape, seed, dtype=self.dtype)
    return self.quantile_of(uniforms)

  def quantile_of(self, uniforms):
    uniforms = tf.split(uniforms, self._channels, -1)

    def first(c, *mixture):
      return _mixture_quantile(uniforms[c], *mixture)

    return _pixels(self._sequentially(first))

  def conditionals(self, pixels):
    levels, _ = self._levels(pixels)
    found = []

    def given(c, *mixture):
      found.append(_mixture_log_probs(*mixture))
      return levels[c]

    self._sequentially(given)
    return tf.stack(found, -2)

  def _sequentially(self, choose):
    """Levels of the channels, each chosen given those before it."""
    # `choose` gets the number of a channel and its mixture: the log-weights
    # given the channels before, and the components' means and inverse scales.
    log_weights = self._parts[0]
    levels: list[tf.Tensor] = []
    for c in range(self._channels):
      channel = self._logistics(levels)
      levels.append(choose(c, log_weights, *channel))
      log_weights += _log_probs(levels[-1], *channel)
    return levels

  def _logistics(self, before):
    """Means and inverse scales of the channel after given levels."""
    # The levels are `[..., 1]`, or `[..., components]`: one for each.
    c, channels = len(before), self._channels
    means = self._parts[1 + c]
    slopes = 1 + 2 * channels + c * (c - 1) // 2
    for b, level in enumerate(before):
      means += tf.tanh(self._parts[slopes + b]) * (level / _MIDDLE - 1)
    log_scales = self._parts[1 + channels + c] + LOG_SCALE
    log_scales = tf.clip_by_value(log_scales, -MAX_LOG_SCALE, MAX_LOG_SCALE)
    return _MIDDLE * (1 + means), tf.exp(-log_scales) / _MIDDLE

  def _levels(self, pixels):
    """Levels of each channel, `[..., 1]`, and which pixels are of levels."""
    scaled = tf.convert_to_tensor(pixels, self.dtype) * (LEVELS - 1)
    levels = tf.clip_by_value(tf.round(scaled), 0, LEVELS - 1)
    tolerance = pixel_distributions.TOLERANCE * (LEVELS - 1)
    near = tf.abs(scaled - levels) <= tolerance
    # NaN is near to no level.
    levels = tf.split(tf.where(near, levels, 0), self._channels, -1)
    return levels, tf.reduce_all(near, -1)


def _pixels(levels):
  """Pixels of the levels of each channel, `[..., 1]`."""
  levels = tf.concat(levels, -1)
  values = pixel_distributions.level_values(LEVELS, levels.dtype)
  return tf.gather(values, tf.cast(levels, tf.int32))


# Logistics of values that are rounded to levels. `means` and `inverse_scales`
# have shape `[..., components]`, in levels and their inverse; a level has shape
# `[..., 1]`, a result for each component `[..., components]`.


def _log_probs(level, means, inverse_scales):
  """Log-probability of a level under each component."""
  # The first and the last level have all that is beyond them.
  # sigmoid(b) - sigmoid(a) = sigmoid(b) sigmoid(-a) (1 - exp(a - b)): of a
  # product nothing cancels, and the edges have just fewer factors.
  centre = (level - means) * inverse_scales
  half = 0.5 * inverse_scales
  up_to_it = -tf.nn.softplus(-half - centre)
  from_it = -tf.nn.softplus(centre - half)
  width = tf.math.log(-tf.math.expm1(-inverse_scales))
  inner = up_to_it + from_it + width
  inner = tf.where(level == LEVELS - 1, from_it, inner)
  return tf.where(level == 0, up_to_it, inner)


def _up_to(level, means, inverse_scales):
  """Mass of each component up to a level, but for the last one."""
  return tf.sigmoid((level + 0.5 - means) * inverse_scales)


def _beyond(level, means, inverse_scales):
  """Mass of each component above a level."""
  return tf.sigmoid((means - (level + 0.5)) * inverse_scales)


def _means(means, inverse_scales):
  """Mean level of each component: the sum of the masses above each level."""
  return tf.foldl(
    lambda total, level: total + _beyond(level, means, inverse_scales),
    tf.range(LEVELS - 1, dtype=means.dtype),
    tf.zeros_like(means),
  )


def _mixture_quantile(uniform, log_weights, means, inverse_scales):
  """The first level whose cumulative mass in a mixture exceeds `uniform`."""
  # uniform [..., 1]; log_weights [..., components] -> [..., 1]
  weights = tf.nn.softmax(log_weights)

  def mass(part, level):
    of_each = part(level, means, inverse_scales)
    return tf.reduce_sum(weights * of_each, -1, keepdims=True)

  # The whole mass is the sum of those up to and above the last level but one:
  # the last one is drawn only where it has some, and rounding hides none.
  total = mass(_up_to, LEVELS - 2) + mass(_beyond, LEVELS - 2)
  below_one = np.nextafter(1, 0, dtype=weights.dtype.as_numpy_dtype)
  target = tf.minimum(uniform, below_one) * total

  def halve(step, level):
    # The mass below the level is never more than the target.
    reached = mass(_up_to, level + (step - 1)) <= target
    return step / 2, tf.where(reached, level + step, level)

  # A loop, as eight copies of it take XLA twice the time, and are no faster.
  step = tf.constant(LEVELS / 2, target.dtype)
  _, level = tf.while_loop(
    lambda step, _: step >= 1, halve, (step, tf.zeros_like(target))
  )
  return level


def _mixture_log_probs(log_weights, means, inverse_scales):
  """Log-probabilities of all levels of a mixture, `[..., 256]`."""

  def of_level(level):
    of_each = log_weights + _log_probs(level, means, inverse_scales)
    return tf.reduce_logsumexp(of_each, -1)

  # One after the other: a table of all levels and components is large.
  levels = tf.range(LEVELS, dtype=log_weights.dtype)
  found = tf.map_fn(of_level, levels) - tf.reduce_logsumexp(log_weights, -1)
  return tf.transpose(found, [*range(1, found.shape.rank), 0])
