"""Convolutions over pixels at given offsets, with learned or fixed kernels.

#### References

[1]: van den Oord et al. Pixel Recurrent Neural Networks. ICML 2016,
     arXiv:1601.06759.
"""

import numpy as np
import tensorflow as tf

from vlae_tf.nn import fixed_point, weight_norm
from vlae_tf.utils import serialization

# Weights of red, green and blue (ITU-R BT.601).
LUMINANCE = (0.299, 0.587, 0.114)


@serialization.register
class CausalConv2D(weight_norm.WeightNormConv2D):
  """Weight-normalised convolution over a box of offsets, zeros outside.

  `y[i, j] = sum{ w[r, c] x[i + top + dilation r, j + left + dilation c] }`,
  shapes `[batch, height, width, inputs] -> [batch, height, width, units]`.

  `size` is the kernel's height and width, `origin` the offset `(top, left)` of
  its first entry, `dilation` the distance of neighbouring entries in pixels.
  """

  def __init__(self, units, size, origin, dilation=1, **kwargs):
    super().__init__(units, size, **kwargs)
    self._origin = tuple(origin)
    self._dilation = dilation

  @property
  def offsets(self):
    """Offset `(di, dj)` of each kernel entry `(r, c)`, a dictionary."""
    return _offsets(self.size, self._origin, self._dilation)

  def live(self, channels):
    """Kernel entries that are not masked for all of a slice of inputs."""
    # -> bool [height, width]
    if self._mask is None:
      return np.ones(self.size, bool)
    return self._mask[:, :, channels].any((2, 3))

  def linear(self, x, kernel):
    return convolve(x, kernel, self._origin, self._dilation)


@serialization.register
class MaskedConv2D(CausalConv2D):
  """Masked `size` x `size` convolution centred on its pixel [1], `size` odd.

  `mask`, see `raster_mask`, and `v` have the full square shape.
  """

  # From this number of channels on, leaving out the masked rows is faster than
  # multiplying by their zeros (benchmarks/sampling.py).
  CROP_FROM_UNITS = 32

  _mask: np.ndarray

  def __init__(self, units, size, mask, **kwargs):
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
    return weight_norm.WeightNormConv2D.linear(self, x, kernel)


class FixedFilter:
  """A convolution with a given kernel and no bias."""

  # It has what a causal graph needs of a `CausalConv2D`; exact networks see the
  # kernel on their grid.

  built = True

  def __init__(self, kernel, origin=(0, 0)):
    # kernel [rows, columns, inputs, units]
    self.units = kernel.shape[-1]
    self._kernel, self._origin = kernel, origin
    self.offsets = _offsets(kernel.shape[:2], origin)

  @property
  def kernel(self):
    kernel = self._kernel
    if fixed_point.is_exact():
      kernel = fixed_point.quantized(kernel)
    return tf.constant(kernel, tf.float32)

  @property
  def bias(self):
    return tf.zeros([self.units])

  def live(self, channels):
    return np.ones(self._kernel.shape[:2], bool)

  def linear(self, x, kernel):
    return convolve(x, kernel, self._origin)

  def __call__(self, x):
    return fixed_point.rounded(self.linear(x, tf.cast(self.kernel, x.dtype)))


def box_mean(size, channels):
  """Mean of the `size` x `size` box that ends at each pixel, zeros outside."""
  kernel = np.tile(np.eye(channels) / size**2, [size, size, 1, 1])
  return FixedFilter(kernel, (1 - size, 1 - size))


def luminance():
  """Luminance of each pixel, of 3 channels."""
  return FixedFilter(np.reshape(LUMINANCE, [1, 1, 3, 1]))


def convolve(x, kernel, origin, dilation=1):
  """Convolution with the kernel's first entry at an offset, zeros outside."""
  # x [batch, height, width, inputs]; kernel [rows, columns, inputs, units] ->
  # [batch, height, width, units]
  first = origin
  last = [o + dilation * (k - 1) for o, k in zip(first, kernel.shape[:2])]
  padding = [(max(0, -a), max(0, b)) for a, b in zip(first, last)]
  # Explicit padding: the gradient of `conv2d` with unequal padding took 1.5
  # times as long on a CPU.
  padded = tf.pad(x, [(0, 0), *padding, (0, 0)])
  if min(last) < 0 or max(first) > 0:
    # Offsets all on one side: a part of the padded image is never read.
    start = [0, *(max(0, a) for a in first), 0]
    dynamic = tf.shape(x)
    height_width = [x.shape[k] or dynamic[k] for k in (1, 2)]
    size = [n + b - a for n, a, b in zip(height_width, first, last)]
    padded = tf.slice(padded, start, [-1, *size, -1])
  # Not `conv2d`, whose gradient with dilations needs oneDNN or a GPU.
  return tf.nn.convolution(padded, kernel, 1, 'VALID', dilations=dilation)


def _offsets(size, origin, dilation=1):
  (top, left), step = origin, dilation
  return {
    (r, c): (top + step * r, left + step * c) for r, c in np.ndindex(*size)
  }


def raster_mask(inputs, causal_inputs, include_center):
  """Mask of a 3x3 convolution over the pixels before its own, in raster order.

  It applies to the first `causal_inputs` channels; the others are read at all
  offsets. With `include_center` the pixel itself is read: type B of [1], not A.
  Shape `[3, 3, inputs, 1]`.
  """
  mask = np.ones([3, 3, inputs, 1], 'float32')
  mask[1, 1 + include_center :, :causal_inputs] = 0.0
  mask[2:, :, :causal_inputs] = 0.0
  return mask
