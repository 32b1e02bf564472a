"""How the pixels of a front are decided: drawn from their laws, or copied.

Functions that are equal share what is compiled for them.
"""

import dataclasses

import tensorflow as tf

from vlae_tf.distributions import pixel_distributions
from vlae_tf.nn.causal import updates


def draw(pixel_law: pixel_distributions.PixelLaw) -> updates.Update:
  """Draws pixels from uniform noise.

  Args:
    pixel_law: Law of a pixel given its parameters.

  Returns:
    An `updates.Update` whose noise is uniform.
  """
  return _Draw(pixel_law)


def copy(update: updates.Update) -> updates.Update:
  """Copies the pixels that are given, and decides the others."""
  return _Copy(update)


def likeliest(pixel_law: pixel_distributions.PixelLaw) -> updates.Update:
  """Takes the likeliest value of each pixel, given those before it."""
  return _Likeliest(pixel_law)


@dataclasses.dataclass(frozen=True)
class _Draw:
  pixel_law: pixel_distributions.PixelLaw

  def __call__(self, uniforms, params, state, front):
    del front
    return self.pixel_law.quantile(params, uniforms), state


@dataclasses.dataclass(frozen=True)
class _Likeliest:
  pixel_law: pixel_distributions.PixelLaw

  def __call__(self, noise, params, state, front):
    del noise, front
    return self.pixel_law.distribution(params).mode(), state


@dataclasses.dataclass(frozen=True)
class _Copy:
  draw: updates.Update

  def __call__(self, noise, params, state, front):
    uniforms, given, mask = noise
    drawn, state = self.draw(uniforms, params, state, front)
    return tf.where(mask > 0, given, drawn), state
