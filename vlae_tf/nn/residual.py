"""Residual networks of the encoder and of the generator.

#### References

[1]: Xi Chen et al. Variational Lossy Autoencoder. In _International
     Conference on Learning Representations_, 2017.
     https://arxiv.org/abs/1611.02731 (Appendix A)
[2]: Diederik P. Kingma et al. Improving Variational Inference with Inverse
     Autoregressive Flow. In _Neural Information Processing Systems_, 2016.
     https://arxiv.org/abs/1606.04934 (Appendix B)
"""

import math
from collections.abc import Sequence

import keras
import tensorflow as tf

from vlae_tf.nn import fixed_point, weight_norm
from vlae_tf.utils import serialization

# Scale of a residual branch: a deep stack starts near the identity.
BRANCH_SCALE = 0.1


@serialization.register
class ResidualBlock(keras.layers.Layer):
  """`shortcut(x) + 0.1 conv(elu(conv(elu(x))))`, both convolutions 3x3.

  The shortcut is the identity, or a strided (or transposed) convolution where
  the shape changes.
  """

  def __init__(
    self,
    units: int,
    strides: int = 1,
    output_size: Sequence[int] | None = None,
    **kwargs,
  ):
    """Creates the block.

    Args:
      units: Number of maps.
      strides: Stride of the first convolution and of the shortcut.
      output_size: `(height, width)` to grow to, for a transposed block.
      **kwargs: Arguments of `keras.layers.Layer`.
    """
    super().__init__(**kwargs)
    self._strides = strides
    self._units = units
    self._output_size = output_size
    self._first = self._resize('first')
    self._second = weight_norm.WeightNormConv2D(
      units, 3, name='second', dtype=self.dtype_policy
    )
    self._shortcut: keras.layers.Layer | None = None

  def _resize(self, name):
    if self._output_size is None:
      return weight_norm.WeightNormConv2D(
        self._units, 3, self._strides, name=name, dtype=self.dtype_policy
      )
    return weight_norm.WeightNormConv2DTranspose(
      self._units,
      3,
      self._output_size,
      self._strides,
      name=name,
      dtype=self.dtype_policy,
    )

  def build(self, input_shape):
    resized = self._strides > 1 or input_shape[-1] != self._units
    if resized:
      self._shortcut = self._resize('shortcut')
      self._shortcut.build(input_shape)
    self._first.build(input_shape)
    self._second.build((*input_shape[:-1], self._units))

  def compute_output_shape(self, input_shape):
    size = self._output_size or halved_sizes(input_shape[1:3], 1)[1]
    if self._strides == 1:
      size = input_shape[1:3]
    return (input_shape[0], *size, self._units)

  def call(self, x):
    branch = self._second(fixed_point.elu(self._first(fixed_point.elu(x))))
    shortcut = x if self._shortcut is None else self._shortcut(x)
    branch = fixed_point.scaled(branch, BRANCH_SCALE)
    return fixed_point.bounded(shortcut + branch)


def halved_sizes(size: Sequence[int], times: int) -> list[tuple[int, ...]]:
  """The sizes of a map that is halved `times` times, rounding up."""
  sizes = [tuple(size)]
  for _ in range(times):
    sizes.append(tuple(math.ceil(s / 2) for s in sizes[-1]))
  return sizes


@serialization.register
class Encoder(keras.layers.Layer):
  """Residual encoder: images `[batch, h, w, c]` to features `[batch, units]`.

  For each width a stride-2 residual block and a stride-1 one, then a fully
  connected layer [1], [2].
  """

  def __init__(
    self,
    widths: Sequence[int] = (16, 32, 32),
    units: int = 450,
    name: str = 'encoder',
    **kwargs,
  ):
    """Creates the network.

    Args:
      widths: Number of maps at each resolution.
      units: Units of the fully connected layer.
      name: Name of the layer.
      **kwargs: Arguments of `keras.layers.Layer`.
    """
    super().__init__(name=name, **kwargs)
    self.units = units
    self._blocks = []
    for i, width in enumerate(widths):
      self._blocks += [
        ResidualBlock(
          width, strides=2, name=f'halve_{i}', dtype=self.dtype_policy
        ),
        ResidualBlock(width, name=f'keep_{i}', dtype=self.dtype_policy),
      ]
    self._dense = weight_norm.WeightNormDense(
      units, name='dense', dtype=self.dtype_policy
    )

  def build(self, input_shape):
    shape = tuple(input_shape)
    for block in self._blocks:
      block.build(shape)
      shape = block.compute_output_shape(shape)
    self._dense.build((None, math.prod(shape[1:])))

  def call(self, image):
    h = image - 0.5
    for block in self._blocks:
      h = block(h)
    h = tf.reshape(fixed_point.elu(h), [-1, math.prod(h.shape[1:])])
    return fixed_point.elu(self._dense(h))


@serialization.register
class Generator(keras.layers.Layer):
  """Residual generator: codes `[batch, ...]` to maps `[batch, h, w, maps]`.

  The encoder's mirror image, with transposed convolutions [1], [2].
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
    """Creates the network.

    Args:
      image_size: `(height, width)` of the output.
      maps: Number of output maps.
      widths: Number of maps at each resolution, as in `Encoder`.
      units: Units of the first fully connected layer.
      name: Name of the layer.
      **kwargs: Arguments of `keras.layers.Layer`.
    """
    super().__init__(name=name, **kwargs)
    self.maps = maps
    self.output_size = tuple(image_size)
    sizes = halved_sizes(image_size, len(widths))
    self._top = (*sizes[-1], widths[-1])
    self._units = units
    self._dense = weight_norm.WeightNormDense(
      units, name='dense', dtype=self.dtype_policy
    )
    self._reshape = weight_norm.WeightNormDense(
      math.prod(self._top), name='to_maps', dtype=self.dtype_policy
    )
    # Mirrored: a resolution's stride-1 block, then the block that leaves it.
    leaves_to = (widths[0], *widths[:-1])
    self._blocks = []
    for level in reversed(range(len(widths))):
      self._blocks += [
        ResidualBlock(
          widths[level], name=f'keep_{level}', dtype=self.dtype_policy
        ),
        ResidualBlock(
          leaves_to[level],
          strides=2,
          output_size=sizes[level],
          name=f'double_{level}',
          dtype=self.dtype_policy,
        ),
      ]
    self._last = weight_norm.WeightNormConv2D(
      maps, 3, name='last', dtype=self.dtype_policy
    )

  def build(self, input_shape):
    self._dense.build((None, math.prod(input_shape[1:])))
    self._reshape.build((None, self._units))
    shape = (None, *self._top)
    for block in self._blocks:
      block.build(shape)
      shape = block.compute_output_shape(shape)
    self._last.build(shape)

  def call(self, z):
    if len(z.shape) > 2:
      z = tf.reshape(z, [-1, math.prod(z.shape[1:])])
    h = fixed_point.elu(self._reshape(fixed_point.elu(self._dense(z))))
    h = tf.reshape(h, [-1, *self._top])
    for block in self._blocks:
      h = block(h)
    return self._last(fixed_point.elu(h))
