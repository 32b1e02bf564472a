"""Which pixels a network should see, and steps that could change it."""

import numpy as np
import tensorflow as tf

from toys import networks


def expected_pairs(rule, size):
  """The pairs that a rule gives: a function of `(i, j)` to pixels."""
  seen = np.zeros([*size, *size], bool)
  for i, j in np.ndindex(*size):
    for p, q in rule(i, j):
      if 0 <= p < size[0] and 0 <= q < size[1]:
        seen[i, j, p, q] = True
  return seen


def window(width, height):
  """The rule of a window: rows above, and pixels to the left."""
  left, right = -(-(width - 1) // 2), (width - 1) // 2

  def rule(i, j):
    for k in range(i - height, i):
      yield from ((k, q) for q in range(j - left, j + right + 1))
    yield from ((i, q) for q in range(j - left, j))

  return rule


def take_steps(network, size, channels=1):
  """A few steps of an optimiser, as training would take them."""
  image = networks.uniforms(4, *size, channels)
  features = networks.features(4, *size)
  for _ in range(3):
    with tf.GradientTape() as tape:
      params = network(image, features)
      loss = tf.reduce_mean((params - image[..., :1]) ** 2)
    gradients = tape.gradient(loss, network.trainable_variables)
    for g, v in zip(gradients, network.trainable_variables):
      v.assign_sub(0.05 * g)
