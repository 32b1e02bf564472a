"""PixelCNNs that shift each position of a latent, given those before it.

#### References

[1]: Chen et al. Variational Lossy Autoencoder. ICLR 2017, arXiv:1611.02731
     (section 3.2, Appendix B).
[2]: van den Oord et al. Pixel Recurrent Neural Networks. ICML 2016,
     arXiv:1601.06759.
[3]: Kingma et al. Improving Variational Inference with Inverse Autoregressive
     Flow. NIPS 2016, arXiv:1606.04934.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from vlae_tf.nn import fixed_point
from vlae_tf.nn.causal import convolution as conv
from vlae_tf.nn.causal import graph
from vlae_tf.nn.causal import network as causal_network
from vlae_tf.utils import checks, fields, serialization


@serialization.register
class ShiftCNN(causal_network.CausalNetwork):
  """Shifts of each position of a latent, from the positions before it.

  Masked 3x3 convolutions, the first of type A and the others of type B [2],
  from `[batch, height, width, channels]` to the same shape ([1], Appendix B),
  in raster order. The channels of a position are shifted together. `hidden` are
  the channels of the hidden layers; the outputs are scaled by a small constant,
  so that a flow made of them starts near the identity.

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
    super().__init__(**kwargs)
    self._hidden = [checks.integer('hidden', units, 1) for units in hidden]
    self._output_scale = output_scale
    self._layers_: list[conv.MaskedConv2D] = []

  def build_for(self, event_shape: Sequence[int]) -> None:
    """Creates the variables, for latents `(height, width, channels)`."""
    shape = tuple(event_shape)
    needs = 'a height, a width and a number of channels'
    fields.check('event_shape', shape, len(shape) == 3, needs)
    self.build((None, *event_shape), (None, *event_shape[:-1], 0))

  def describe(self, image, features):
    h = image
    for k, units in enumerate([*self._hidden, image.channels]):
      mask = conv.raster_mask(h.channels, h.channels, include_center=k > 0)
      layer = self._new_layer(units, mask)
      h = graph.Convolution(layer, graph.elu(h) if k else h)
    return h

  def _new_layer(self, units, mask):
    name = f'masked_{len(self._layers_)}'
    self._layers_.append(
      conv.MaskedConv2D(units, 3, mask, name=name, dtype=self.dtype_policy)
    )
    return self._layers_[-1]

  def shift(self, z: tf.Tensor) -> tf.Tensor:
    """The shifts of latents, both `[batch, height, width, channels]`."""
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
    """Feeds the network its own results, positions of a wavefront together.

    Returns the `z` for which `z = update(noise, self.shift(z))`, both `[batch,
    height, width, channels]`, height and width static. `update` is
    element-wise; a function is compiled for each: pass one that equals the last
    call's. Compiled by XLA (`jit_compile`), it has no gradient.
    """
    checks.shaped('noise', noise, (None, None, None, self.image_maps))
    step = _SamplingStep(self, update)
    return self.unroll(noise[..., :0], noise, step, (), jit_compile)[0]

  def sampling_step(self, noise, params, update):
    """Latents of some positions, from the network's outputs there."""
    # noise [n, channels]; params [n, num_params] -> [n, channels]
    return update(noise, self._scaled(params))

  def _scaled(self, x):
    return fixed_point.scaled(x, self._output_scale)


@serialization.register
class ChannelwiseShiftCNN(ShiftCNN):
  """Shifts that depend on the earlier channels of the position as well.

  The kernels' centres are masked like a MADE: a hidden channel sees between
  none and all of the position's channels, the first ones, and shift `k` the
  first `k` ([2], [3]). The outputs of `call` are the sums of all convolutions
  without the position's own channels: `sampling_step` adds these.

  >>> network = ChannelwiseShiftCNN(hidden=(8, 8))
  >>> network.build_for((1, 1, 3))
  >>> x = tf.constant([[0.0, 0.0, 0.0], [0.0, 9.0, 9.0]])  # Alike up to x[0].
  >>> shifts = network.shift(x[:, None, None])
  >>> (shifts[0, 0, 0] == shifts[1, 0, 0]).numpy().tolist()
  [True, True, False]
  """

  def describe(self, image, features):
    # How many of the position's own channels each channel has seen.
    below = np.arange(image.channels) + 1
    parts, h = [], image
    for k, n in enumerate([*self._hidden, image.channels]):
      own = np.sort(np.arange(n) % (image.channels + 1))
      mask = conv.raster_mask(h.channels, h.channels, include_center=True)
      mask = np.repeat(mask, n, 3)
      mask[1, 1] = below[:, None] <= own
      seen = graph.elu(h) if k else h
      layer = self._new_layer(n, mask)
      parts.append(graph.Surroundings(layer, seen))
      h, below = graph.Convolution(layer, seen), own
    return graph.concatenated(*parts)

  def sampling_step(self, noise, params, update):
    sizes = [layer.units for layer in self._layers_]
    sums = tf.split(params, sizes, -1)
    kernels = [tf.cast(x.kernel[1, 1], params.dtype) for x in self._layers_]

    def step(z):
      h = z
      for k, (around, kernel) in enumerate(zip(sums, kernels)):
        seen = fixed_point.compiled_elu(h) if k else h
        h = fixed_point.rounded(around + seen @ kernel)
      return [update(noise, self._scaled(h))]

    # Each iteration computes one channel more.
    return tf.while_loop(
      lambda _: True, step, [noise], maximum_iterations=noise.shape[-1]
    )[0]


@dataclasses.dataclass(frozen=True)
class _SamplingStep:
  """The `Update` of latents; equal for equal networks and updates."""

  network: ShiftCNN
  update: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

  def __call__(self, noise, params, state, wavefront):
    del wavefront
    return self.network.sampling_step(noise, params, self.update), state
