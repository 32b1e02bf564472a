"""Encoders and generators: residual and dense networks.

#### References

[1]: Chen et al. Variational Lossy Autoencoder. ICLR 2017, arXiv:1611.02731
     (Appendices A and B).
[2]: Kingma et al. Improving Variational Inference with Inverse Autoregressive
     Flow. NIPS 2016, arXiv:1606.04934 (Appendix B).
[3]: Huang et al. Densely Connected Convolutional Networks. CVPR 2017,
     arXiv:1608.06993.
"""

import functools
import math
from collections.abc import Sequence

import keras
import tensorflow as tf

from vlae_tf.nn import fixed_point, weight_norm
from vlae_tf.utils import serialization

# Scale of a residual branch: a deep stack starts near the identity.
BRANCH_SCALE = 0.1
# Convolutions of a dense block, which stands for two residual blocks.
DENSE_STEPS = 3


@serialization.register
class ResidualBlock(keras.layers.Layer):
  """`shortcut(x) + 0.1 conv(elu(conv(elu(x))))`, both convolutions 3x3.

  The shortcut is the identity or, where the shape changes, a convolution with
  the strides of the first one. With an `output_size`, `(height, width)`, both
  are transposed convolutions that grow to it.
  """

  def __init__(
    self,
    units: int,
    strides: int = 1,
    output_size: Sequence[int] | None = None,
    **kwargs,
  ):
    super().__init__(**kwargs)
    self._strides, self._units = strides, units
    self._output_size = output_size
    self._first = self._resize('first')
    self._second = weight_norm.WeightNormConv2D(
      units, 3, name='second', dtype=self.dtype_policy
    )
    self._shortcut: keras.layers.Layer | None = None

  def _resize(self, name):
    options = dict(strides=self._strides, name=name, dtype=self.dtype_policy)
    if self._output_size is None:
      return weight_norm.WeightNormConv2D(self._units, 3, **options)
    return weight_norm.WeightNormConv2DTranspose(
      self._units, 3, self._output_size, **options
    )

  def build(self, input_shape):
    resized = self._strides > 1 or input_shape[-1] != self._units
    if resized:
      self._shortcut = self._resize('shortcut')
      self._shortcut.build(input_shape)
    self._first.build(input_shape)
    self._second.build((*input_shape[:-1], self._units))

  def compute_output_shape(self, input_shape):
    return self._first.compute_output_shape(input_shape)

  def call(self, x):
    branch = self._second(fixed_point.elu(self._first(fixed_point.elu(x))))
    shortcut = x if self._shortcut is None else self._shortcut(x)
    branch = fixed_point.scaled(branch, BRANCH_SCALE)
    return fixed_point.bounded(shortcut + branch)


def halved_sizes(size: Sequence[int], times: int) -> list[tuple[int, ...]]:
  """The sizes of an image that is halved `times` times, rounding up."""
  sizes = [tuple(size)]
  for _ in range(times):
    sizes.append(tuple(math.ceil(s / 2) for s in sizes[-1]))
  return sizes


def _build_all(layers, shape):
  """Builds layers that follow each other; returns the shape of the output."""
  for layer in layers:
    layer.build(shape)
    shape = layer.compute_output_shape(shape)
  return shape


@serialization.register
class Encoder(keras.layers.Layer):
  """Residual encoder: images `[batch, h, w, c]` to features `[batch, units]`.

  For each width a stride-2 residual block and a stride-1 one, then a fully
  connected layer of `units` [1], [2].
  """

  def __init__(
    self,
    widths: Sequence[int] = (16, 32, 32),
    units: int = 450,
    name: str = 'encoder',
    **kwargs,
  ):
    super().__init__(name=name, **kwargs)
    self.units = units
    block = functools.partial(ResidualBlock, dtype=self.dtype_policy)
    self._blocks = []
    for i, width in enumerate(widths):
      self._blocks.append(block(width, strides=2, name=f'halve_{i}'))
      self._blocks.append(block(width, name=f'keep_{i}'))
    self._dense = weight_norm.WeightNormDense(
      units, name='dense', dtype=self.dtype_policy
    )

  def build(self, input_shape):
    shape = _build_all(self._blocks, tuple(input_shape))
    self._dense.build((None, math.prod(shape[1:])))

  def call(self, image):
    h = image - 0.5
    for block in self._blocks:
      h = block(h)
    h = tf.reshape(fixed_point.elu(h), [-1, math.prod(h.shape[1:])])
    return fixed_point.elu(self._dense(h))


@serialization.register
class Generator(keras.layers.Layer):
  """Residual generator: latents `[batch, ...]` to features `[batch, h, w, c]`.

  The mirror image of `Encoder(widths, units)`, with transposed convolutions
  [1], [2]. The output has `image_size`, `(height, width)`, and `maps` channels.
  """

  def __init__(
    self,
    image_size: Sequence[int],
    maps: int = 4,
    widths: Sequence[int] = (16, 32, 32),
    units: int = 450,
    name: str = 'generator',
    **kwargs,
  ):
    super().__init__(name=name, **kwargs)
    self.output_size, self.maps = tuple(image_size), maps
    sizes = halved_sizes(image_size, len(widths))
    self._top = (*sizes[-1], widths[-1])
    self._units = units
    dense = functools.partial(
      weight_norm.WeightNormDense, dtype=self.dtype_policy
    )
    self._dense = dense(units, name='dense')
    self._reshape = dense(math.prod(self._top), name='to_maps')
    # Mirrored: a resolution's stride-1 block, then the block that leaves it.
    leaves_to = (widths[0], *widths[:-1])
    block = functools.partial(ResidualBlock, dtype=self.dtype_policy)
    self._blocks = []
    for level in reversed(range(len(widths))):
      self._blocks += [
        block(widths[level], name=f'keep_{level}'),
        block(leaves_to[level], 2, sizes[level], name=f'double_{level}'),
      ]
    self._last = weight_norm.WeightNormConv2D(
      maps, 3, name='last', dtype=self.dtype_policy
    )

  def build(self, input_shape):
    self._dense.build((None, math.prod(input_shape[1:])))
    self._reshape.build((None, self._units))
    self._last.build(_build_all(self._blocks, (None, *self._top)))

  def call(self, z):
    if len(z.shape) > 2:
      z = tf.reshape(z, [-1, math.prod(z.shape[1:])])
    h = fixed_point.elu(self._reshape(fixed_point.elu(self._dense(z))))
    h = tf.reshape(h, [-1, *self._top])
    for block in self._blocks:
      h = block(h)
    return self._last(fixed_point.elu(h))


@serialization.register
class DenseBlock(keras.layers.Layer):
  """Convolutions, each of which reads and extends all channels before it [3].

  Maps `[batch, height, width, channels]` to `[batch, height, width, channels +
  steps * growth]`: each step adds `growth` channels, `conv(elu(x))`, 3x3.
  """

  def __init__(self, growth: int, steps: int = DENSE_STEPS, **kwargs):
    super().__init__(**kwargs)
    self._convolutions = [
      weight_norm.WeightNormConv2D(
        growth, 3, name=f'step_{k}', dtype=self.dtype_policy
      )
      for k in range(steps)
    ]

  def build(self, input_shape):
    *rest, channels = input_shape
    for layer in self._convolutions:
      layer.build((*rest, channels))
      channels += layer.units

  def compute_output_shape(self, input_shape):
    added = sum(layer.units for layer in self._convolutions)
    return (*input_shape[:-1], input_shape[-1] + added)

  def call(self, x):
    # Each channel goes through the activation once.
    activated = fixed_point.elu(x)
    for layer in self._convolutions:
      more = layer(activated)
      x = tf.concat([x, more], -1)
      activated = tf.concat([activated, fixed_point.elu(more)], -1)
    return fixed_point.bounded(x)


class _Pyramid(keras.layers.Layer):
  """Stages of blocks, each at half the resolution of the one before."""

  def __init__(self, widths, blocks, name, **kwargs):
    super().__init__(name=name, **kwargs)
    if not widths or len(widths) != len(blocks):
      raise ValueError(
        '`blocks` must be a number for each of `widths`, of which there must '
        f'be at least one, got {tuple(blocks)} and {tuple(widths)}.'
      )
    self._widths, self._numbers = tuple(widths), tuple(blocks)

  def entry(self, level):
    """Number of channels with which a stage begins."""
    return self._widths[level]

  def stage(self, level):
    """The blocks of a stage, which may add channels."""
    return [
      ResidualBlock(
        self._widths[level], name=f'block_{level}_{k}', dtype=self.dtype_policy
      )
      for k in range(self._numbers[level])
    ]

  def _apply_all(self, h):
    for layer in self._sequence:
      # A block applies its activation by itself.
      is_linear = isinstance(layer, weight_norm.WeightNorm)
      h = layer(fixed_point.elu(h) if is_linear else h)
    return h


@serialization.register
class SpatialEncoder(_Pyramid):
  """Images `[batch, h, w, c]` to features of `1 / 2^(stages - 1)` their size.

  A convolution, then stages of residual blocks, a stride-2 convolution between
  them [1]: with the paper's numbers images of 32x32 become 8x8x96.
  `widths` and `blocks` are the channels and the residual blocks of each stage.
  """

  def __init__(
    self,
    widths: Sequence[int] = (48, 96, 96),
    blocks: Sequence[int] = (2, 2, 3),
    name: str = 'encoder',
    **kwargs,
  ):
    super().__init__(widths, blocks, name, **kwargs)
    convolution = functools.partial(
      weight_norm.WeightNormConv2D, size=3, dtype=self.dtype_policy
    )
    self._first = convolution(self.entry(0), name='first')
    self._sequence = self.stage(0)
    for level in range(1, len(self._widths)):
      halve = convolution(self.entry(level), strides=2, name=f'halve_{level}')
      self._sequence += [halve, *self.stage(level)]

  def build(self, input_shape):
    _build_all([self._first, *self._sequence], input_shape)

  def call(self, image):
    return fixed_point.elu(self._apply_all(self._first(image - 0.5)))

  def compute_output_shape(self, input_shape):
    shape = input_shape
    for layer in [self._first, *self._sequence]:
      shape = layer.compute_output_shape(shape)
    return shape


@serialization.register
class SpatialGenerator(_Pyramid):
  """Latents `[batch, h', w', channels]` to features `[batch, h, w, channels]`.

  The mirror image of `SpatialEncoder(widths, blocks)`, with transposed
  convolutions [1]. The output has `image_size` and `maps` channels.
  """

  def __init__(
    self,
    image_size: Sequence[int],
    maps: int = 48,
    widths: Sequence[int] = (48, 96, 96),
    blocks: Sequence[int] = (2, 2, 3),
    name: str = 'generator',
    **kwargs,
  ):
    super().__init__(widths, blocks, name, **kwargs)
    self.output_size, self.maps = tuple(image_size), maps
    top = len(self._widths) - 1
    self._sizes = halved_sizes(image_size, top)
    policy = dict(dtype=self.dtype_policy)
    self._first = weight_norm.WeightNormConv2D(
      self.entry(top), 1, name='first', **policy
    )
    self._sequence = self.stage(top)
    for level in reversed(range(top)):
      size, name = self._sizes[level], f'double_{level}'
      double = weight_norm.WeightNormConv2DTranspose(
        self.entry(level), 3, size, name=name, **policy
      )
      self._sequence += [double, *self.stage(level)]
    self._last = weight_norm.WeightNormConv2D(maps, 3, name='last', **policy)

  def build(self, input_shape):
    height, width = self._sizes[-1]
    if tuple(input_shape[1:3]) != (height, width):
      raise ValueError(
        f'`input_shape` must be (batch, {height}, {width}, channels), got '
        f'{tuple(input_shape)}.'
      )
    shape = _build_all([self._first, *self._sequence], input_shape)
    self._last.build(shape)

  def call(self, z):
    return self._last(fixed_point.elu(self._apply_all(self._first(z))))


class _Dense(_Pyramid):
  """Stages of dense blocks in place of every two residual ones [1]."""

  # A stage begins with half of its channels, rounded up; with those that its
  # blocks add they are slightly more than those of residual blocks. The three
  # blocks of the paper's last stage become one dense block: the paper does not
  # specify it.

  def entry(self, level):
    return math.ceil(self._widths[level] / 2)

  def stage(self, level):
    num = max(self._numbers[level] // 2, 1)
    missing = self._widths[level] - self.entry(level)
    growth = missing // (DENSE_STEPS * num) + 1
    return [
      DenseBlock(growth, name=f'block_{level}_{k}', dtype=self.dtype_policy)
      for k in range(num)
    ]


@serialization.register
class DenseNetEncoder(_Dense, SpatialEncoder):
  """`SpatialEncoder` with dense blocks in place of residual ones [1], [3]."""


@serialization.register
class DenseNetGenerator(_Dense, SpatialGenerator):
  """`SpatialGenerator` with dense blocks in place of residual ones [1], [3]."""
