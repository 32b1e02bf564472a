"""Networks from an image to parameters of each pixel given those before it."""

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from vlae_tf.nn.causal import graph, incremental


class CausalNetwork(keras.layers.Layer):
  """A network that is described once, as a causal graph.

  Maps an image `[batch, height, width, channels]` and the features of its
  latents, `[batch, height, width, maps]`, to parameters `[batch, height, width,
  outputs]` that depend on the pixels before each pixel, in raster order, and
  on the features. `unroll` evaluates the same function one pixel after the
  other. Sub-classes define it in `describe`.
  """

  def __init__(self, name: str = 'network', **kwargs):
    super().__init__(name=name, **kwargs)

  def describe(
    self, image: graph.Image, features: graph.Features
  ) -> graph.Node:
    """The network as a graph: the node of the parameters."""
    raise NotImplementedError

  def build(self, image_shape, features_shape):
    self._image = graph.Image(image_shape[-1])
    self._features = graph.Features(features_shape[-1])
    self._output = self.describe(self._image, self._features)
    self._incremental = incremental.Incremental(
      self._image, self._features, self._output
    )

  @property
  def image_maps(self) -> int:
    """Channels of the image; raises `ValueError` before it is built."""
    self._check_built()
    return self._image.channels

  @property
  def feature_maps(self) -> int:
    """Channels of the features; raises `ValueError` before it is built."""
    self._check_built()
    return self._features.channels

  def _check_built(self):
    if not self.built:
      raise ValueError(
        '`network` must be built, `network.build(image_shape, features_shape)`'
        f', got {self.name!r} without variables.'
      )

  @property
  def num_compiled(self) -> int:
    """Number of functions that `unroll` has compiled."""
    return self._incremental.num_compiled

  @property
  def schedule(self):
    """The `Schedule` of `unroll`."""
    return self._incremental.schedule

  def order(self, height: int, width: int) -> np.ndarray:
    """Raster indices of an image's pixels in the order of `unroll`."""
    wavefronts = self.schedule.wavefronts(height, width)
    return wavefronts.pixel[wavefronts.inside]

  def call(self, image, features):
    _check_channels('image', image, self.image_maps)
    _check_channels('features', features, self.feature_maps)
    if not features.shape[1:3].is_compatible_with(image.shape[1:3]):
      raise ValueError(
        f'`features` must be as high and wide as the image, {image.shape}, '
        f'got {features.shape}.'
      )
    given = {self._image: image, self._features: features}
    nodes = graph.ancestors(self._output)
    return graph.evaluate(nodes, given)[self._output]

  def unroll(
    self,
    features: tf.Tensor,
    noise: Any,
    update: incremental.Update,
    state: Any = (),
    jit_compile: bool = True,
  ) -> tuple[tf.Tensor, Any]:
    """Feeds the network its own results, pixels of a wavefront together.

    Args:
      features: `Tensor` of shape `[batch, height, width, maps]`.
      noise: Nest of tensors `[batch, height, width, k]`.
      update: Decides the pixels of a wavefront, see `Update`. Compiled
        functions are kept for each `update`: pass one that equals the last
        call's.
      state: Nest of tensors that `update` carries along.
      jit_compile: Whether to compile by XLA.

    Returns:
      The image for which `image = update(noise, self(image, features))`, and
      the last state.
    """
    _check_channels('features', features, self.feature_maps)
    return self._incremental.unroll(features, noise, update, state, jit_compile)

  def start(
    self, features: tf.Tensor, jit_compile: bool = True
  ) -> incremental.Session:
    """Begins an evaluation as in `unroll`, with the pixels decided outside.

    The weights are those of this moment. Functions are compiled once for each
    shape of the features, `[batch, height, width, maps]`; a wrong number of
    channels raises `ValueError`. `jit_compile` compiles by XLA.
    """
    features = tf.convert_to_tensor(features)
    _check_channels('features', features, self.feature_maps)
    return self._incremental.start(features, jit_compile)


def _check_channels(name, x, channels):
  if x.shape[-1] != channels:
    raise ValueError(
      f'`{name}` must have {channels} channels, got shape {x.shape}.'
    )


def described_in_scope(describe: Callable[..., Any]) -> Callable[..., Any]:
  """Decorates a sublayer's `describe`, which makes its variables and nodes.

  The variables get the layer's name before their own, as if `build` had made
  them.
  """

  @functools.wraps(describe)
  def described(layer, *args, **kwargs):
    with keras.name_scope(layer.name):
      outputs = describe(layer, *args, **kwargs)
    layer.built = True
    return outputs

  return described
