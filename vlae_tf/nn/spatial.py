"""Networks between colour images and spatial codes.

#### References

[1]: Xi Chen et al. Variational Lossy Autoencoder. In _International
     Conference on Learning Representations_, 2017.
     https://arxiv.org/abs/1611.02731 (Appendix B)
[2]: Gao Huang, Zhuang Liu, Laurens van der Maaten, Kilian Weinberger. Densely
     Connected Convolutional Networks. In _Computer Vision and Pattern
     Recognition_, 2017. https://arxiv.org/abs/1608.06993
"""

import math
from collections.abc import Sequence

import keras
import tensorflow as tf

from vlae_tf.nn import fixed_point, residual, weight_norm
from vlae_tf.utils import serialization

# Convolutions of a dense block, which stands for two residual blocks.
DENSE_STEPS = 3


@serialization.register
class DenseBlock(keras.layers.Layer):
  """Convolutions of all that is before them, side by side with it [2].

  Maps `[batch, height, width, maps]` to `[batch, height, width, maps + steps *
  growth]`: each step adds `growth` maps, `conv(elu(x))`, 3x3.
  """

  def __init__(self, growth: int, steps: int = DENSE_STEPS, **kwargs):
    """Creates the block.

    Args:
      growth: Maps that a step adds.
      steps: Number of convolutions.
      **kwargs: Arguments of `keras.layers.Layer`.
    """
    super().__init__(**kwargs)
    self._convolutions = [
      weight_norm.WeightNormConv2D(
        growth, 3, name=f'step_{k}', dtype=self.dtype_policy
      )
      for k in range(steps)
    ]

  def build(self, input_shape):
    maps = input_shape[-1]
    for layer in self._convolutions:
      layer.build((*input_shape[:-1], maps))
      maps += layer.units

  def compute_output_shape(self, input_shape):
    added = sum(layer.units for layer in self._convolutions)
    return (*input_shape[:-1], input_shape[-1] + added)

  def call(self, x):
    # What a step sees went through the activation once.
    seen = fixed_point.elu(x)
    for layer in self._convolutions:
      more = layer(seen)
      x = tf.concat([x, more], -1)
      seen = tf.concat([seen, fixed_point.elu(more)], -1)
    return fixed_point.bounded(x)


class _Pyramid(keras.layers.Layer):
  """What encoder and generator share: stages, each at half the resolution."""

  def __init__(self, widths, blocks, name, **kwargs):
    super().__init__(name=name, **kwargs)
    check_stages(widths, blocks)
    self._widths, self._numbers = tuple(widths), tuple(blocks)

  def entry(self, level: int) -> int:
    """Number of maps with which a stage begins."""
    return self._widths[level]

  def stage(self, level: int) -> list[keras.layers.Layer]:
    """The blocks of a stage, whose number of maps may grow on the way."""
    return [
      residual.ResidualBlock(
        self._widths[level], name=f'block_{level}_{k}', dtype=self.dtype_policy
      )
      for k in range(self._numbers[level])
    ]

  def _build_all(self, shape):
    for layer in self._sequence:
      layer.build(shape)
      shape = _output_shape(layer, shape)
    return shape

  def _apply_all(self, h):
    for layer in self._sequence:
      # A block applies its activation by itself.
      is_linear = isinstance(layer, weight_norm.WeightNorm)
      h = layer(fixed_point.elu(h) if is_linear else h)
    return h


@serialization.register
class SpatialEncoder(_Pyramid):
  """From images `[batch, h, w, c]` to maps of `1 / 2^(stages - 1)` their size.

  A convolution, then stages of residual blocks, a stride-2 convolution between
  them [1]: with the paper's numbers images of 32x32 become 8x8x96.
  """

  def __init__(
    self,
    widths: Sequence[int] = (48, 96, 96),
    blocks: Sequence[int] = (2, 2, 3),
    name: str = 'encoder',
    **kwargs,
  ):
    """Creates the network.

    Args:
      widths: Number of maps of each stage.
      blocks: Number of residual blocks of each stage.
      name: Name of the layer.
      **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
      ValueError: There is no stage, or not a number of blocks for each.
    """
    super().__init__(widths, blocks, name, **kwargs)
    self._first = weight_norm.WeightNormConv2D(
      self.entry(0), 3, name='first', dtype=self.dtype_policy
    )
    self._sequence = self.stage(0)
    for level in range(1, len(self._widths)):
      halve = weight_norm.WeightNormConv2D(
        self.entry(level),
        3,
        strides=2,
        name=f'halve_{level}',
        dtype=self.dtype_policy,
      )
      self._sequence += [halve, *self.stage(level)]

  def build(self, input_shape):
    self._first.build(input_shape)
    self._build_all((*input_shape[:-1], self._first.units))

  def call(self, image):
    return fixed_point.elu(self._apply_all(self._first(image - 0.5)))

  def compute_output_shape(self, input_shape):
    shape = (*input_shape[:-1], self._first.units)
    for layer in self._sequence:
      shape = _output_shape(layer, shape)
    return shape


@serialization.register
class SpatialGenerator(_Pyramid):
  """From codes `[batch, h', w', maps]` to features `[batch, h, w, maps]`.

  The encoder's mirror image, with transposed convolutions [1].
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
    """Creates the network.

    Args:
      image_size: `(height, width)` of the output.
      maps: Number of output maps.
      widths: Number of maps of each stage, as in `SpatialEncoder`.
      blocks: Number of residual blocks of each stage.
      name: Name of the layer.
      **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
      ValueError: There is no stage, or not a number of blocks for each.
    """
    super().__init__(widths, blocks, name, **kwargs)
    self.maps = maps
    self.output_size = tuple(image_size)
    self._sizes = residual.halved_sizes(image_size, len(self._widths) - 1)
    top = len(self._widths) - 1
    self._first = weight_norm.WeightNormConv2D(
      self.entry(top), 1, name='first', dtype=self.dtype_policy
    )
    self._sequence = self.stage(top)
    for level in reversed(range(top)):
      double = weight_norm.WeightNormConv2DTranspose(
        self.entry(level),
        3,
        self._sizes[level],
        name=f'double_{level}',
        dtype=self.dtype_policy,
      )
      self._sequence += [double, *self.stage(level)]
    self._last = weight_norm.WeightNormConv2D(
      maps, 3, name='last', dtype=self.dtype_policy
    )

  def build(self, input_shape):
    if tuple(input_shape[1:3]) != self._sizes[-1]:
      raise ValueError(
        f'`input_shape` must be (batch, {self._sizes[-1][0]}, '
        f'{self._sizes[-1][1]}, maps), got {tuple(input_shape)}.'
      )
    self._first.build(input_shape)
    shape = self._build_all((None, *self._sizes[-1], self._first.units))
    self._last.build(shape)

  def call(self, z):
    return self._last(fixed_point.elu(self._apply_all(self._first(z))))


class _Dense(_Pyramid):
  """Stages of dense blocks in place of every two residual ones [1]."""

  # A stage begins with half of its maps, rounded up; what its blocks add makes
  # them slightly more than those of residual blocks. Of three blocks, the
  # paper's last stage, one dense block is made: it does not say.

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
  """`SpatialEncoder` with dense blocks in place of residual ones [1], [2]."""


@serialization.register
class DenseNetGenerator(_Dense, SpatialGenerator):
  """`SpatialGenerator` with dense blocks in place of residual ones [1], [2]."""


def check_stages(widths: Sequence[int], blocks: Sequence[int]) -> None:
  """Checks the sizes of a network's stages."""
  if not widths or len(widths) != len(blocks):
    raise ValueError(
      '`blocks` must be a number for each of `widths`, of which there must be '
      f'at least one, got {tuple(blocks)} and {tuple(widths)}.'
    )


def _output_shape(layer, shape):
  if not isinstance(layer, weight_norm.WeightNorm):
    return layer.compute_output_shape(shape)
  if isinstance(layer, weight_norm.WeightNormConv2DTranspose):
    return (shape[0], *layer.output_size, layer.units)
  size = shape[1:3]
  if layer.strides > 1:
    size = residual.halved_sizes(size, 1)[1]
  return (shape[0], *size, layer.units)
