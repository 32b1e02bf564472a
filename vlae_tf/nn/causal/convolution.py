"""Convolutions that see pixels at given offsets, none of them later.

#### References

[1]: Aaron van den Oord, Nal Kalchbrenner, Koray Kavukcuoglu. Pixel Recurrent
     Neural Networks. In _International Conference on Machine Learning_, 2016.
     https://arxiv.org/abs/1601.06759
"""

import numpy as np
import tensorflow as tf

from vlae_tf.nn import weight_norm
from vlae_tf.utils import serialization


@serialization.register
class CausalConv2D(weight_norm.WeightNormConv2D):
  """Weight-normalised convolution over a box of offsets, zeros outside.

  `y[i, j] = sum{ w[r, c] x[i + top + dilation r, j + left + dilation c] }`,
  shapes `[batch, height, width, inputs] -> [batch, height, width, units]`.
  """

  def __init__(self, units, size, origin, dilation=1, **kwargs):
    """Creates the layer.

    Args:
      units: Number of output maps.
      size: Height and width of the kernel.
      origin: `(top, left)`, the offset of the kernel's first entry.
      dilation: Distance of neighbouring entries, in pixels.
      **kwargs: Arguments of `WeightNorm`.
    """
    super().__init__(units, size, **kwargs)
    self._origin = tuple(origin)
    self._dilation = dilation

  @property
  def offsets(self):
    """Offset `(di, dj)` of each kernel entry `(r, c)`, a dictionary."""
    (top, left), step = self._origin, self._dilation
    return {
      (r, c): (top + step * r, left + step * c)
      for r, c in np.ndindex(*self.size)
    }

  def live(self, channels):
    """Kernel entries not masked for all of some input channels.

    Args:
      channels: `slice` of the input channels.

    Returns:
      A boolean array of shape `size`.
    """
    if self._mask is None:
      return np.ones(self.size, bool)
    return self._mask[:, :, channels].any((2, 3))

  def linear(self, x, kernel):
    """The convolution of `x` with a kernel of this layer's size."""
    return convolve(x, kernel, self._origin, self._dilation)

  def _linear(self, x, kernel):
    return self.linear(x, kernel)


@serialization.register
class MaskedConv2D(CausalConv2D):
  """Masked square convolution centred on its pixel [1].

  `mask` and `v` have the full square shape.
  """

  # From this number of maps on, leaving out the rows that are masked anyway
  # is faster than multiplying by their zeros (benchmarks/sampling.py).
  CROP_FROM_UNITS = 32

  _mask: np.ndarray

  def __init__(self, units, size, mask, **kwargs):
    """Creates the layer.

    Args:
      units: Number of output maps.
      size: Filter height and width, an odd integer.
      mask: Array of zeros and ones, see `raster_mask`.
      **kwargs: Arguments of `WeightNorm`.
    """
    half = size // 2
    super().__init__(units, (size, size), (-half, -half), mask=mask, **kwargs)

  def linear(self, x, kernel):
    half = self.size[0] // 2
    below = self._mask[half + 1 :].any() or x.shape[-1] != self._mask.shape[2]
    if below or self.units < self.CROP_FROM_UNITS:
      return tf.nn.conv2d(x, kernel, 1, 'SAME')
    return convolve(x, kernel[: half + 1], self._origin)


@serialization.register
class Pointwise(CausalConv2D):
  """Weight-normalised 1x1 convolution."""

  def __init__(self, units, **kwargs):
    super().__init__(units, (1, 1), (0, 0), **kwargs)

  def linear(self, x, kernel):
    return weight_norm.WeightNormConv2D._linear(self, x, kernel)


def convolve(x, kernel, origin, dilation=1):
  """Convolution with the kernel's first entry at an offset, zeros outside.

  Args:
    x: `Tensor` of shape `[batch, height, width, inputs]`.
    kernel: `Tensor` of shape `[rows, columns, inputs, units]`.
    origin: `(top, left)` offset of the kernel's first entry.
    dilation: Distance of neighbouring entries.

  Returns:
    A `Tensor` of shape `[batch, height, width, units]`.
  """
  first = origin
  last = [o + dilation * (k - 1) for o, k in zip(first, kernel.shape[:2])]
  padding = [(max(0, -a), max(0, b)) for a, b in zip(first, last)]
  # Padded by hand: the gradient of a convolution with unequal padding of its
  # own took 1.5 times as long on a CPU.
  padded = tf.pad(x, [(0, 0), *padding, (0, 0)])
  if min(last) < 0 or max(first) > 0:
    # Offsets all on one side: a part of the padded image is never read.
    start = [0, *(max(0, a) for a in first), 0]
    size = [n + b - a for n, a, b in zip(_size(x), first, last)]
    padded = tf.slice(padded, start, [-1, *size, -1])
  return tf.nn.conv2d(padded, kernel, 1, 'VALID', dilations=dilation)


def _size(x):
  """Height and width, as numbers where they are known."""
  dynamic = tf.shape(x)
  return [x.shape[k] or dynamic[k] for k in (1, 2)]


def raster_mask(size, inputs, causal_inputs, include_center):
  """Mask of a convolution that sees the pixels before its own, in raster order.

  Args:
    size: Filter height and width, an odd integer.
    inputs: Number of input maps.
    causal_inputs: The first so many input maps are masked, the others are seen
      whole.
    include_center: Whether the pixel itself is seen: type B of [1], or A.

  Returns:
    A float32 array of shape `[size, size, inputs, 1]`.

  Raises:
    ValueError: `size` is even.
  """
  if size % 2 == 0:
    raise ValueError(f'`size` must be odd, got {size}.')
  center = size // 2
  mask = np.ones([size, size, inputs, 1], 'float32')
  mask[center, center + include_center :, :causal_inputs] = 0.0
  mask[center + 1 :, :, :causal_inputs] = 0.0
  return mask
