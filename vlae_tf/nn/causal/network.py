"""Networks from an image to parameters of each pixel given those before it."""

import functools
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from vlae_tf.nn.causal import graph, incremental, updates
from vlae_tf.nn.causal import session as session_lib


class CausalNetwork(keras.layers.Layer):
  """A network that is described once, as a causal graph.

  Maps an image `[batch, height, width, channels]` and the features of its
  code, `[batch, height, width, maps]`, to parameters `[batch, height, width,
  outputs]` that depend on the pixels before each pixel, in raster order, and
  on the features. `unroll` evaluates the same function one pixel after the
  other. Sub-classes say what it is in `describe`.
  """

  def __init__(self, name: str = 'network', **kwargs):
    super().__init__(name=name, **kwargs)

  def describe(
    self, image: graph.Image, features: graph.Features
  ) -> graph.Node:
    """The network as a graph.

    Args:
      image: `graph.Image`.
      features: `graph.Features`.

    Returns:
      The `graph.Node` of the parameters.
    """
    raise NotImplementedError

  def build(self, image_shape, features_shape):
    self._image = graph.Image(image_shape[-1])
    self._features = graph.Features(features_shape[-1])
    self._output = self.describe(self._image, self._features)
    self._incremental = incremental.Incremental(
      self._image, self._features, self._output
    )
    self._compiled = _Compiled(self._incremental)
    self._sessions = session_lib.Sessions(self._incremental)

  @property
  def image_maps(self) -> int:
    """Channels of the image; raises `ValueError` before it is built."""
    self._check_built()
    return self._image.maps

  @property
  def feature_maps(self) -> int:
    """Maps of the features; raises `ValueError` before it is built."""
    self._check_built()
    return self._features.maps

  def _check_built(self):
    if not self.built:
      raise ValueError(
        '`network` must be built, `network.build(image_shape, features_shape)`'
        f', got {self.name!r} without variables.'
      )

  @property
  def num_compiled(self) -> int:
    """Number of functions that `unroll` has compiled."""
    return len(self._compiled)

  @property
  def num_session_traces(self) -> int:
    """Number of functions that sessions have traced, two for each shape."""
    return self._sessions.num_traces

  @property
  def schedule(self):
    """The `Schedule` of `unroll`."""
    return self._incremental.schedule

  def order(self, height: int, width: int) -> np.ndarray:
    """Raster indices of an image's pixels in the order `unroll` goes in."""
    fronts = self.schedule.order(height, width)
    return fronts.pixel[fronts.inside]

  def call(self, image, features):
    _check_maps('image', image, self.image_maps)
    _check_maps('features', features, self.feature_maps)
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
    update: updates.Update,
    state: Any = (),
    jit_compile: bool = True,
  ) -> tuple[tf.Tensor, Any]:
    """Feeds the network its own results, pixels of a front together.

    Args:
      features: `Tensor` of shape `[batch, height, width, maps]`.
      noise: Nest of tensors `[batch, height, width, k]`.
      update: Decides the pixels of a front, see `updates.Update`. Compiled
        functions are kept for each `update`: pass one that equals the last
        call's.
      state: Nest of tensors that `update` carries along.
      jit_compile: Whether to compile by XLA.

    Returns:
      The image for which `image = update(noise, self(image, features))`, and
      the last state.
    """
    _check_maps('features', features, self.feature_maps)
    if not jit_compile:
      return self._incremental(features, noise, update, state)
    return self._compiled(features, noise, update, state)

  def start(
    self, features: tf.Tensor, jit_compile: bool = True
  ) -> session_lib.Session:
    """Begins what `unroll` does, with the pixels decided outside.

    The weights are those of this moment. Functions are compiled once for each
    shape of the features.

    Args:
      features: `Tensor` of shape `[batch, height, width, maps]`.
      jit_compile: Whether to compile by XLA.

    Returns:
      A `session.Session`.

    Raises:
      ValueError: The features have another number of maps.
    """
    features = tf.convert_to_tensor(features)
    _check_maps('features', features, self.feature_maps)
    return self._sessions.start(features, jit_compile)


def _check_maps(name, x, maps):
  if x.shape[-1] != maps:
    raise ValueError(f'`{name}` must have {maps} maps, got shape {x.shape}.')


class _Compiled:
  """The XLA-compiled functions of an incremental network."""

  def __init__(self, fn):
    self._fn = fn
    self._functions = {}

  def __len__(self):
    return len(self._functions)

  def __call__(self, features, noise, update, state):
    # XLA compiles for every shape anyway; one `tf.function` for each of them
    # does not warn of tracing too often.
    key = (update, tuple(features.shape))
    if key not in self._functions:
      # TensorFlow counts the traces of a line of code: of this one there are as
      # many as networks, but none of a `partial`.
      self._functions[key] = tf.function(
        functools.partial(self._fn, update=update),
        jit_compile=True,
        autograph=False,
      )
    return self._functions[key](features, noise, state=state)
