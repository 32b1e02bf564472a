"""PixelCNNs that shift each place of a code, given the places before it.

#### References

[1]: Xi Chen et al. Variational Lossy Autoencoder. In _International
     Conference on Learning Representations_, 2017.
     https://arxiv.org/abs/1611.02731 (section 3.2, Appendix B)
[2]: Aaron van den Oord, Nal Kalchbrenner, Koray Kavukcuoglu. Pixel Recurrent
     Neural Networks. In _International Conference on Machine Learning_, 2016.
     https://arxiv.org/abs/1601.06759
[3]: Diederik P. Kingma et al. Improved Variational Inference with Inverse
     Autoregressive Flow. In _Neural Information Processing Systems_, 2016.
     https://arxiv.org/abs/1606.04934
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from vlae_tf.nn import fixed_point
from vlae_tf.nn.causal import convolution as conv
from vlae_tf.nn.causal import graph
from vlae_tf.nn.causal import network as causal_network
from vlae_tf.utils import checks, serialization


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
    self._layers_: list[conv.MaskedConv2D] = []

  def build_for(self, event_shape: Sequence[int]) -> None:
    """Creates the variables.

    Args:
      event_shape: `(height, width, maps)` of a code.

    Raises:
      ValueError: `event_shape` is not of three axes.
    """
    if len(event_shape) != 3:
      raise ValueError(
        '`event_shape` must be a height, a width and a number of maps, got '
        f'{tuple(event_shape)}.'
      )
    self.build((None, *event_shape), (None, *event_shape[:-1], 0))

  def describe(self, image, features):
    h = image
    for k, maps in enumerate([*self._hidden, image.maps]):
      mask = conv.raster_mask(3, h.maps, h.maps, include_center=k > 0)
      layer = self._new_layer(maps, mask)
      h = graph.Convolution(layer, graph.elu(h) if k else h)
    return h

  def _new_layer(self, maps, mask):
    """The next convolution of the stack."""
    name = f'masked_{len(self._layers_)}'
    layer = conv.MaskedConv2D(maps, 3, mask, name=name, dtype=self.dtype_policy)
    self._layers_.append(layer)
    return layer

  def shift(self, z: tf.Tensor) -> tf.Tensor:
    """The shifts of codes.

    Args:
      z: `Tensor` of shape `[batch, height, width, maps]`.

    Returns:
      A `Tensor` of the same shape.

    Raises:
      ValueError: The codes are of another shape, or there are no weights yet.
    """
    checks.shaped('z', z, (None, None, None, self.image_maps))
    h = z
    for k, layer in enumerate(self._layers_):
      h = layer(fixed_point.elu(h) if k else h)
    return self._scaled(tf.cast(h, z.dtype))

  def unroll_shift(
    self,
    noise: tf.Tensor,
    update: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    jit_compile: bool = True,
  ) -> tf.Tensor:
    """Feeds the network its own results, places of a front together.

    Compiled, it has no gradient.

    Args:
      noise: `Tensor` of shape `[batch, height, width, maps]`, height and width
        static.
      update: Element-wise callable of noise and shifts that returns codes. A
        function is compiled for each: pass one that equals the last call's.
      jit_compile: Whether to compile by XLA.

    Returns:
      The `Tensor` `z` for which `z = update(noise, self.shift(z))`.

    Raises:
      ValueError: The noise is of another shape, or there are no weights yet.
    """
    checks.shaped('noise', noise, (None, None, None, self.image_maps))
    settle = _Settle(self, update)
    features = noise[..., :0]
    return self.unroll(features, noise, settle, (), jit_compile)[0]

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
  """Shifts from the earlier maps of the place itself as well.

  The kernels' centres are masked like a MADE: a hidden map sees so many of the
  place's own maps, from none to all of them, and shift `k` the first `k` ([2],
  [3]). What `call` gives are the sums of all convolutions without the place's
  own maps: `settle` adds these.

  >>> network = ChannelwiseShiftCNN(hidden=(8, 8))
  >>> network.build_for((1, 1, 3))
  >>> x = tf.constant([[0.0, 0.0, 0.0], [0.0, 9.0, 9.0]])  # Alike up to x[0].
  >>> shifts = network.shift(x[:, None, None])
  >>> (shifts[0, 0, 0] == shifts[1, 0, 0]).numpy().tolist()
  [True, True, False]
  """

  def describe(self, image, features):
    # Of each map, how many of the place's own ones it has seen.
    below, units = np.arange(image.maps) + 1, [*self._hidden, image.maps]
    parts, h = [], image
    for k, maps in enumerate(units):
      own = np.sort(np.arange(maps) % (image.maps + 1))
      mask = conv.raster_mask(3, h.maps, h.maps, include_center=True)
      mask = np.repeat(mask, maps, 3)
      mask[1, 1] = below[:, None] <= own
      seen = graph.elu(h) if k else h
      layer = self._new_layer(maps, mask)
      parts.append(graph.Surroundings(layer, seen))
      h, below = graph.Convolution(layer, seen), own
    return graph.Joined(*parts)

  def settle(self, noise, params, update):
    sizes = [layer.units for layer in self._layers_]
    sums = tf.split(params, sizes, -1)
    kernels = [tf.cast(x.kernel[1, 1], params.dtype) for x in self._layers_]

    def step(z):
      h = z
      for k, (around, kernel) in enumerate(zip(sums, kernels)):
        seen = fixed_point.compiled_elu(h) if k else h
        h = fixed_point.rounded(around + seen @ kernel)
      return [update(noise, self._scaled(h))]

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
