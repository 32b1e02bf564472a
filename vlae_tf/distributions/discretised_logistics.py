"""Logistics whose values are the nearest of some levels, and mixtures of them.

`means` and `inverse_scales` are `Tensor`s of shape `[..., components]`, in
levels and their inverse; a level is one of shape `[..., 1]`. What is found for
each component has shape `[..., components]`.
"""

import numpy as np
import tensorflow as tf

LEVELS = 256


def log_prob(
  level: tf.Tensor, means: tf.Tensor, inverse_scales: tf.Tensor
) -> tf.Tensor:
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


def up_to(
  level: tf.Tensor, means: tf.Tensor, inverse_scales: tf.Tensor
) -> tf.Tensor:
  """Mass of each component up to a level, but for the last one."""
  return tf.sigmoid((level + 0.5 - means) * inverse_scales)


def beyond(
  level: tf.Tensor, means: tf.Tensor, inverse_scales: tf.Tensor
) -> tf.Tensor:
  """Mass of each component on the levels after one."""
  return tf.sigmoid((means - (level + 0.5)) * inverse_scales)


def mean(means: tf.Tensor, inverse_scales: tf.Tensor) -> tf.Tensor:
  """Mean level of each component: the sum of what is beyond each level."""
  return tf.foldl(
    lambda total, level: total + beyond(level, means, inverse_scales),
    tf.range(LEVELS - 1, dtype=means.dtype),
    tf.zeros_like(means),
  )


def mixture_quantile(
  uniform: tf.Tensor,
  log_weights: tf.Tensor,
  means: tf.Tensor,
  inverse_scales: tf.Tensor,
) -> tf.Tensor:
  """The first level that more than some of a mixture's mass is up to."""
  # uniform [..., 1]; log_weights [..., components] -> [..., 1]
  weights = tf.nn.softmax(log_weights)

  def mass(part, level):
    of_each = part(level, means, inverse_scales)
    return tf.reduce_sum(weights * of_each, -1, keepdims=True)

  # All mass is what is found to be up to the last level but one, and beyond it:
  # so the last one is drawn only where it has some, and rounding hides none.
  total = mass(up_to, LEVELS - 2) + mass(beyond, LEVELS - 2)
  below_one = np.nextafter(1, 0, dtype=weights.dtype.as_numpy_dtype)
  target = tf.minimum(uniform, below_one) * total

  def halve(step, level):
    # What is up to the level before is never more than the target.
    reached = mass(up_to, level + (step - 1)) <= target
    return step / 2, tf.where(reached, level + step, level)

  # A loop, as eight copies of it take XLA twice the time, and are no faster.
  step = tf.constant(LEVELS / 2, target.dtype)
  _, level = tf.while_loop(
    lambda step, _: step >= 1, halve, (step, tf.zeros_like(target))
  )
  return level


def mixture_log_probs(
  log_weights: tf.Tensor, means: tf.Tensor, inverse_scales: tf.Tensor
) -> tf.Tensor:
  """Log-probabilities of all levels of a mixture, `[..., 256]`."""
  # log_weights [..., components] -> [..., 256]

  def of_level(level):
    of_each = log_weights + log_prob(level, means, inverse_scales)
    return tf.reduce_logsumexp(of_each, -1)

  # One after the other: a table of all levels and components is large.
  levels = tf.range(LEVELS, dtype=log_weights.dtype)
  found = tf.map_fn(of_level, levels) - tf.reduce_logsumexp(log_weights, -1)
  return tf.transpose(found, [*range(1, found.shape.rank), 0])
