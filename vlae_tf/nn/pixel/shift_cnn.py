"""PixelCNNs that shift each place of a code, given the places before it.

#### References

[1]: Xi Chen et al. Variational Lossy Autoencoder. In _International
     Conference on Learning Representations_, 2017.
     https://arxiv.org/abs/1611.02731 (section 3.2, Appendix B)
[2]: Aaron van den Oord, Nal Kalchbrenner, Koray Kavukcuoglu. Pixel Recurrent
     Neural Networks. In _International Conference on Machine Learning_, 2016.
     https://arxiv.org/abs/1601.06759
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from vlae_tf.nn import fixed_point, weight_norm
from vlae_tf.nn.causal import convolution as conv
from vlae_tf.nn.causal import graph
from vlae_tf.nn.causal import network as causal_network
from vlae_tf.system import checks, serialization


@serialization.register
class ShiftCNN(causal_network.CausalNetwork):
  """Maps codes to shifts: a place's from the places before it, in raster order.

  Masked 3x3 convolutions, the first of type A and the others of type B [2],
  from `[batch, height, width, maps]` to the same shape ([1], Appendix B). The
  maps of a place are shifted together.

  >>> network = ShiftCNN(hidden=(8, 8))
  >>> network.build_for((2, 2, 3))
  >>> z = tf.random.stateless_normal([5, 2, 2, 3], [0, 1])
  >>> network.shift(z).shape
  TensorShape([5, 2, 2, 3])
  >>> noise = z - network.shift(z)
  >>> again = network.unroll_shift(noise, tf.add)
  >>> bool(tf.reduce_all(tf.abs(again - z) < 1e-5))
  True
  """

  def __init__(
    self,
    hidden: Sequence[int] = (128, 128),
    output_scale: float = 0.1,
    **kwargs,
  ):
    """Creates the network.

    Args:
      hidden: Maps of the hidden layers.
      output_scale: Constant factor on the outputs, small so that a flow made
        of them starts near the identity.
      **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
      ValueError: A hidden layer has no map.
    """
    super().__init__(**kwargs)
    self._hidden = [checks.integer('hidden', maps, 1) for maps in hidden]
    self._output_scale = output_scale

  def build_for(self, event_shape: Sequence[int]) -> None:
    """Creates the variables.

    Args:
      event_shape: `(height, width, maps)` of a code.
    """
    self.build((None, *event_shape), (None, *event_shape[:-1], 0))

  def describe(self, image, features):
    units = [*self._hidden, image.maps]
    self._layers_ = []
    h = image
    for k, maps in enumerate(units):
      mask = conv.raster_mask(3, h.maps, h.maps, include_center=k > 0)
      layer = conv.MaskedConv2D(maps, 3, mask, name=f'masked_{k}')
      self._layers_.append(layer)
      h = graph.Convolution(layer, graph.elu(h) if k else h)
    return h

  def shift(self, z: tf.Tensor) -> tf.Tensor:
    """The shifts of codes.

    Args:
      z: `Tensor` of shape `[batch, height, width, maps]`.

    Returns:
      A `Tensor` of the same shape.
    """
    return self._scaled(tf.cast(self(z, z[..., :0]), z.dtype))

  def unroll_shift(
    self,
    noise: tf.Tensor,
    update: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
  ) -> tf.Tensor:
    """Feeds the network its own results, places of a front together.

    Args:
      noise: `Tensor` of shape `[batch, height, width, maps]`.
      update: Element-wise callable of noise and shifts that returns codes. A
        function is compiled for each: pass one that equals the last call's.

    Returns:
      The `Tensor` `z` for which `z = update(noise, self.shift(z))`.
    """
    settle = _Settle(self, update)
    return self.unroll(noise[..., :0], noise, settle)[0]

  def settle(self, noise, params, update):
    """Decides places, given what the network says of them.

    Args:
      noise: `Tensor` of shape `[n, maps]`.
      params: `Tensor` of the same shape, the network's output at the places.
      update: As in `unroll_shift`.

    Returns:
      The codes of the places, a `Tensor` of shape `[n, maps]`.
    """
    return update(noise, self._scaled(params))

  def _scaled(self, x):
    return fixed_point.scaled(x, self._output_scale)


@serialization.register
class ChannelwiseShiftCNN(ShiftCNN):
  """Shifts from the earlier maps of the place itself as well, linearly.

  What `ShiftCNN` makes of the places before, plus a strictly triangular linear
  map of the place's own maps.
  """

  def build(self, image_shape, features_shape):
    super().build(image_shape, features_shape)
    maps = image_shape[-1]
    mask = np.tri(maps, k=-1).T
    self._own = weight_norm.WeightNormDense(maps, mask=mask, name='own')
    self._own.build((None, maps))

  def shift(self, z):
    params = self(z, z[..., :0]) + self._own(z)
    return self._scaled(tf.cast(params, z.dtype))

  def settle(self, noise, params, update):
    def step(z):
      own = tf.cast(self._own(z), params.dtype)
      return [update(noise, self._scaled(params + own))]

    # Each iteration settles one map more.
    return tf.while_loop(
      lambda _: True, step, [noise], maximum_iterations=noise.shape[-1]
    )[0]


@dataclasses.dataclass(frozen=True)
class _Settle:
  """The `updates.Update` of codes; equal for equal networks and updates."""

  network: ShiftCNN
  update: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

  def __call__(self, noise: Any, params: tf.Tensor, state: Any, front: Any):
    """See `updates.Update`."""
    del front
    return self.network.settle(noise, params, self.update), state
