"""Feeding any causal network its own results, a full pass for every pixel."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from vlae_tf.nn.causal import updates


def unroll(
  network: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
  channels: int,
  features: tf.Tensor,
  noise: Any,
  update: updates.Update,
  state: Any = (),
) -> tuple[tf.Tensor, Any]:
  """What `CausalNetwork.unroll` does, each pixel a front by itself."""
  # network [batch, height, width, channels]; features [batch, height, width,
  # maps]; noise [batch, height, width, k]
  height, width = features.shape[1:3]

  def step(i, image, state):
    params = tf.cast(network(image, features), features.dtype)
    noise_, params = tf.nest.map_structure(
      lambda x: x[:, i // width, i % width], (noise, params)
    )
    front = updates.Front(i, i[None], tf.constant([True]))
    pixels, state = update(noise_, params, state, front)
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
