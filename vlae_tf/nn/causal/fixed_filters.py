"""Convolutions of causal networks whose kernels are not learned."""

import numpy as np
import tensorflow as tf

from vlae_tf.nn import fixed_point
from vlae_tf.nn.causal import convolution


class FixedFilter:
  """A convolution with a given kernel and no bias."""

  # It has what the engine asks of a `CausalConv2D`; exact networks see the
  # kernel on their grid.

  built = True

  def __init__(self, kernel: np.ndarray, origin: tuple[int, int] = (0, 0)):
    # kernel [rows, columns, inputs, units]
    self.units = kernel.shape[-1]
    self._kernel, self._origin = kernel, origin
    self.offsets = {
      (r, c): (origin[0] + r, origin[1] + c)
      for r, c in np.ndindex(kernel.shape[:2])
    }

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
    """All entries of the kernel, see `CausalConv2D.live`."""
    del channels
    return np.ones(self._kernel.shape[:2], bool)

  def linear(self, x, kernel):
    """The convolution of `x` with a kernel."""
    return convolution.convolve(x, kernel, self._origin)

  def __call__(self, x):
    return fixed_point.rounded(self.linear(x, tf.cast(self.kernel, x.dtype)))


class BoxMean(FixedFilter):
  """Mean of the `size` x `size` box of pixels that ends at each pixel."""

  # Pixels outside the image count as zero.

  def __init__(self, size, maps):
    kernel = np.tile(np.eye(maps) / size**2, [size, size, 1, 1])
    super().__init__(kernel, (1 - size, 1 - size))


class Luminance(FixedFilter):
  """`.299 red + .587 green + .114 blue` of each pixel (ITU-R BT.601)."""

  WEIGHTS = (0.299, 0.587, 0.114)

  def __init__(self):
    """Creates the filter."""
    super().__init__(np.reshape(self.WEIGHTS, [1, 1, 3, 1]))
