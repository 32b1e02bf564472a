"""Convolutions over boxes of offsets, against sums written out."""

import numpy as np
import pytest
import tensorflow as tf

from vlae_tf.nn.causal import convolution


def plain_sum(x, kernel, origin, dilation):
  """The definition, pixel by pixel."""
  y = np.zeros([*x.shape[:3], kernel.shape[3]])
  for i, j in np.ndindex(*x.shape[1:3]):
    for r, c in np.ndindex(*kernel.shape[:2]):
      p, q = i + origin[0] + dilation * r, j + origin[1] + dilation * c
      if 0 <= p < x.shape[1] and 0 <= q < x.shape[2]:
        y[:, i, j] += x[:, p, q] @ kernel[r, c]
  return y


@pytest.mark.parametrize(
  'size, origin, dilation',
  [
    ((2, 3), (-1, -1), 1),
    ((2, 3), (-2, -1), 1),
    ((1, 2), (0, -2), 1),
    ((3, 4), (-3, -2), 1),
    ((1, 1), (0, 0), 1),
    ((2, 2), (1, 2), 1),
    ((2, 3), (-3, -2), 2),
    ((2, 2), (-7, -9), 3),
  ],
)
def test_equals_the_sum(size, origin, dilation):
  rng = np.random.default_rng(0)
  x = rng.normal(size=(2, 5, 6, 3)).astype('float32')
  kernel = rng.normal(size=(*size, 3, 4)).astype('float32')
  x_, kernel_ = tf.Variable(x), tf.Variable(kernel)
  with tf.GradientTape() as tape:
    y = convolution.convolve(x_, kernel_, origin, dilation)
    loss = tf.reduce_sum(y)
  np.testing.assert_allclose(
    y, plain_sum(x, kernel, origin, dilation), rtol=1e-4, atol=1e-5
  )
  ones = plain_sum(np.ones_like(x), np.ones_like(kernel), origin, dilation)
  if ones.any():
    assert all(np.isfinite(g).all() for g in tape.gradient(loss, [x_, kernel_]))


def test_leaving_out_masked_rows_changes_nothing():
  mask = convolution.raster_mask(40, 40, include_center=True)
  layer = convolution.MaskedConv2D(40, 3, mask)
  x = tf.random.stateless_normal([2, 5, 6, 40], [0, 1])
  y = layer(x)
  plain = tf.nn.conv2d(x, layer.kernel, 1, 'SAME') + layer.bias
  np.testing.assert_allclose(y, plain, rtol=1e-4, atol=1e-5)


def test_box_mean():
  x = np.random.default_rng(0).random((1, 4, 5, 2)).astype('float32')
  y = convolution.box_mean(2, 2)(x)
  np.testing.assert_allclose(y[0, 2, 3], x[0, 1:3, 2:4].mean((0, 1)), rtol=1e-5)
  np.testing.assert_allclose(y[0, 0, 0], x[0, 0, 0] / 4, rtol=1e-5)
