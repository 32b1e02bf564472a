"""The paper's PixelCNN: a small stack of masked convolutions.

#### References

[1]: Xi Chen et al. Variational Lossy Autoencoder. In _International
     Conference on Learning Representations_, 2017.
     https://arxiv.org/abs/1611.02731 (Appendix A)
[2]: Aaron van den Oord, Nal Kalchbrenner, Koray Kavukcuoglu. Pixel Recurrent
     Neural Networks. In _International Conference on Machine Learning_, 2016.
     https://arxiv.org/abs/1601.06759
"""

import keras
import numpy as np
import tensorflow as tf

from vlae_tf.nn import weight_norm


def raster_mask(size, inputs, causal_inputs, include_center):
  """Mask of a convolution that sees the pixels before its own, in raster order.

  Args:
    size: Filter height and width, an odd integer.
    inputs: Number of input maps.
    causal_inputs: The first so many input maps are masked, the others are seen
      whole.
    include_center: Whether the pixel itself is seen: type B of [2], or A.

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


class PixelCNN(keras.layers.Layer):
  """Masked 3x3 convolutions with 1x1 residual blocks between them [1].

  Maps an image `[batch, height, width, channels]` and the features of its
  code, `[batch, height, width, maps]`, to parameters
  `[batch, height, width, outputs]` that depend on the pixels before each pixel
  and on the features. Six layers see 69 pixels.
  """

  def __init__(self, outputs, units=12, depth=6, tied=False, **kwargs):
    """Creates the network.

    Args:
      outputs: Number of parameters of a pixel.
      units: Number of maps.
      depth: Number of masked convolutions.
      tied: Whether the masked convolutions after the first share their weights.
      **kwargs: Arguments of `keras.layers.Layer`.
    """
    super().__init__(**kwargs)
    if depth < 2:
      raise ValueError(f'`depth` must be at least 2, got {depth}.')
    self._units, self._depth = units, depth
    mask = raster_mask(3, units, units, include_center=True)
    count = 1 if tied else depth - 1
    self._masked = [
      weight_norm.WeightNormConv2D(units, 3, mask=mask) for _ in range(count)
    ]
    self._pointwise = [
      [weight_norm.WeightNormConv2D(units, 1) for _ in range(2)]
      for _ in range(depth - 2)
    ]
    self._last = weight_norm.WeightNormConv2D(outputs, 1, name='last')

  def build(self, image_shape, features_shape):
    channels = image_shape[-1]
    inputs = channels + features_shape[-1]
    mask = raster_mask(3, inputs, channels, include_center=False)
    self._first = weight_norm.WeightNormConv2D(
      self._units, 3, mask=mask, name='first'
    )
    self._first.build((*image_shape[:-1], inputs))
    pointwise = [layer for pair in self._pointwise for layer in pair]
    for layer in [*self._masked, *pointwise, self._last]:
      layer.build((*image_shape[:-1], self._units))

  def call(self, image, features):
    h = self._first(tf.concat([image, features], -1))
    for i in range(self._depth - 1):
      h += self._masked[i % len(self._masked)](tf.nn.elu(h))
      if i < len(self._pointwise):
        inner, outer = self._pointwise[i]
        h += outer(tf.nn.elu(inner(tf.nn.elu(h))))
    return self._last(tf.nn.elu(h))
