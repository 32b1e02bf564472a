"""Masked autoencoder for distribution estimation (MADE).

#### References

[1]: Mathieu Germain et al. MADE: Masked Autoencoder for Distribution
     Estimation. In _International Conference on Machine Learning_, 2015.
     https://arxiv.org/abs/1502.03509
"""

import keras
import numpy as np
import tensorflow as tf

from vlae_tf.nn import weight_norm


def hidden_degrees(event_size, units):
  """Degrees of a hidden layer: sorted, spread evenly over 1..event_size - 1.

  Args:
    event_size: Number of variables.
    units: Number of hidden units.

  Returns:
    An int array of shape `[units]`; a unit of degree `d` depends on the first
    `d` variables at most.
  """
  return np.sort(np.arange(units) % max(event_size - 1, 1) + 1)


class MADE(keras.layers.Layer):
  """Maps `[..., d]` to `[..., d]`: output `i` depends on inputs before `i` [1].

  ReLU hidden layers, weight normalisation. `unroll` evaluates the same function
  one variable after the other, at the cost of about one evaluation.
  """

  def __init__(self, event_size, hidden=(640, 640), output_scale=0.1, **kwargs):
    """Creates the network.

    Args:
      event_size: Number of variables, `d`.
      hidden: Units of the hidden layers.
      output_scale: Constant factor on the outputs, small so that a flow made
        of them starts near the identity.
      **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
      ValueError: A hidden layer has fewer units than the degrees it must carry.
    """
    super().__init__(**kwargs)
    if min(hidden, default=event_size) < event_size - 1:
      raise ValueError(
        f'`hidden` must have at least event_size - 1 = {event_size - 1} units '
        f'a layer, got {tuple(hidden)}.'
      )
    self._event_size = event_size
    self._output_scale = output_scale
    self._degrees = [hidden_degrees(event_size, units) for units in hidden]
    self._layers_ = [
      weight_norm.WeightNormDense(mask.shape[1], mask=mask)
      for mask in self._masks()
    ]

  def _masks(self):
    inputs = np.arange(1, self._event_size + 1)
    below = [inputs, *self._degrees]
    masks = [a[:, None] <= b for a, b in zip(below, self._degrees)]
    # Strict at the end: output i sees what depends on inputs before it.
    return [*masks, below[-1][:, None] < inputs]

  def build(self, input_shape):
    size = input_shape[-1]
    if size != self._event_size:
      raise ValueError(
        f'`input_shape` must end in {self._event_size}, got {input_shape}.'
      )
    for layer in self._layers_:
      layer.build((None, size))
      size = layer.units

  def call(self, x):
    for layer in self._layers_[:-1]:
      x = tf.nn.relu(layer(x))
    return self._output_scale * self._layers_[-1](x)

  def unroll(self, noise, update):
    """Feeds the network its own results, one variable after the other.

    Args:
      noise: `Tensor` of shape `[batch, d]`.
      update: Callable of `noise[:, i]` and of output `i`, both of shape
        `[batch]`, that returns variable `i`.

    Returns:
      The `Tensor` `x` of shape `[batch, d]` for which
      `x[:, i] = update(noise[:, i], self(x)[:, i])`.
    """
    blocks = [_blocks_by_degree(d, self._event_size) for d in self._degrees]
    rows = [_kernel_rows(l, b) for l, b in zip(self._layers_[1:], blocks)]
    blocks = [np.maximum(b, 0) for b in blocks]
    first = self._layers_[0].kernel

    # `sums` are the layers' pre-activations from the variables known so far;
    # the units of degree i are final once variable i is there.
    def step(i, sums, xs):
      x = update(noise[:, i], self._output_scale * sums[-1][:, i])
      sums = [sums[0] + x[:, None] * first[i], *sums[1:]]
      for k, block in enumerate(blocks):
        ready = tf.gather(sums[k], tf.gather(block, i), axis=1)
        sums[k + 1] += tf.nn.relu(ready) @ tf.gather(rows[k], i)
      return i + 1, sums, xs.write(i, x)

    batch = tf.shape(noise)[0]
    sums = [tf.tile(layer.bias[None], [batch, 1]) for layer in self._layers_]
    xs = tf.TensorArray(noise.dtype, self._event_size, element_shape=[None])
    *_, xs = tf.while_loop(
      lambda i, *_: i < self._event_size, step, (tf.constant(0), sums, xs)
    )
    return tf.transpose(xs.stack())


def _blocks_by_degree(degrees, event_size):
  """Numbers of the units of each degree, `[d, widest]`, padded with -1."""
  blocks = [np.flatnonzero(degrees == i + 1) for i in range(event_size)]
  widest = max(len(b) for b in blocks)
  padded = np.full((event_size, widest), -1)
  for row, block in zip(padded, blocks):
    row[: len(block)] = block
  return padded


def _kernel_rows(layer, blocks):
  """Rows of a layer's kernel that belong to each block, zero at padding."""
  rows = tf.gather(layer.kernel, np.maximum(blocks, 0), axis=0)
  return rows * (blocks >= 0).astype('float32')[:, :, None]
