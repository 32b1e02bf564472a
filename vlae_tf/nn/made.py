"""Masked autoencoder for distribution estimation (MADE).

#### References

[1]: Germain et al. MADE: Masked Autoencoder for Distribution Estimation. ICML
     2015, arXiv:1502.03509.
"""

import math
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from vlae_tf.nn import fixed_point, weight_norm
from vlae_tf.utils import checks, serialization


@serialization.register
class MADE(keras.layers.Layer):
  """Maps `[..., d]` to `[..., d]`: output `i` depends on inputs before `i` [1].

  ReLU hidden layers, weight normalisation; `d` is `event_size`. `unroll`
  evaluates the same function on its own results, at the cost of a few
  evaluations. With a context, of `context_size`, each output depends on all of
  the context as well. The outputs are scaled by a small constant, so that a
  flow made of them starts near the identity. A hidden layer with fewer units
  than the degrees it must carry, `d - 1`, raises `ValueError`.

  >>> made = MADE(3, hidden=(8,))
  >>> made.build((None, 3))
  >>> x = tf.constant([[0.0, 0.0, 0.0], [0.0, 9.0, 9.0]])  # Alike up to x[0].
  >>> outputs = made(x)
  >>> (outputs[0] == outputs[1]).numpy().tolist()
  [True, True, False]
  """

  def __init__(
    self,
    event_size: int,
    hidden: Sequence[int] = (640, 640),
    output_scale: float = 0.1,
    context_size: int = 0,
    **kwargs,
  ):
    super().__init__(**kwargs)
    if min(hidden, default=event_size) < event_size - 1:
      raise ValueError(
        f'`hidden` must have at least event_size - 1 = {event_size - 1} units '
        f'a layer, got {tuple(hidden)}.'
      )
    self._event_size = event_size
    self._output_scale = output_scale
    self._context_size = checks.integer('context_size', context_size, 0)
    # Degrees of hidden layers: sorted, spread over 1..event_size - 1.
    self._degrees = [
      np.sort(np.arange(units) % max(event_size - 1, 1) + 1) for units in hidden
    ]
    inputs = np.arange(1, event_size + 1)
    # All units may depend on the context, of degree 0.
    context = np.zeros(self._context_size, inputs.dtype)
    below = [np.concatenate([inputs, context]), *self._degrees]
    masks = [a[:, None] <= b for a, b in zip(below, self._degrees)]
    # Strict at the end: output i depends on inputs before i.
    masks.append(below[-1][:, None] < inputs)
    self._layers_ = [
      weight_norm.WeightNormDense(
        mask.shape[1], mask=mask, name=f'layer_{i}', dtype=self.dtype_policy
      )
      for i, mask in enumerate(masks)
    ]

  def build(self, input_shape):
    size = input_shape[-1]
    if size != self._event_size:
      raise ValueError(
        f'`input_shape` must end in {self._event_size}, got {input_shape}.'
      )
    size += self._context_size
    for layer in self._layers_:
      layer.build((None, size))
      size = layer.units

  def call(self, x, context=None):
    """Outputs `[..., d]` of `x` and a context `[..., c]`, checked."""
    checks.ends_in('x', x, (self._event_size,))
    if self._context_size:
      checks.ends_in('context', context, (self._context_size,))
      x = tf.concat([x, context], -1)
    for layer in self._layers_[:-1]:
      x = fixed_point.relu(layer(x))
    return fixed_point.scaled(self._layers_[-1](x), self._output_scale)

  def unroll(
    self,
    noise: tf.Tensor,
    update: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    context: tf.Tensor | None = None,
  ) -> tf.Tensor:
    """Feeds the network its own results, a few variables at a time.

    The contribution of earlier variables to a chunk is one matrix product per
    layer. Inside a chunk of `s` variables, `s` fixed-point iterations are
    exact, as each computes one variable more; they compute the chunk's units
    alone.

    Returns the `x` for which `x = update(noise, self(x, context))`, of the
    noise's shape `[batch, d]`; the context is `[batch, c]`. `update` is
    element-wise. Other shapes raise `ValueError`.
    """
    checks.shaped('noise', noise, (None, self._event_size))
    if not self.built:
      self.build((None, self._event_size))
    affine = self._biases_and_kernels(context, noise.dtype)
    # Inputs and units are sorted by degree: a chunk is a slice of each.
    degrees = [np.arange(self._event_size) + 1, *self._degrees]
    size = max(1, round(math.sqrt(self._event_size)))
    known: list[list[tf.Tensor]] = [[] for _ in degrees]
    for start in range(0, self._event_size, size):
      stop = min(start + size, self._event_size)
      slices = [
        slice(*np.searchsorted(d, [start, stop], side='right').tolist())
        for d in degrees
      ]
      chunk = self._unroll_chunk(noise, update, affine, slices, known)
      known = [[*parts, part] for parts, part in zip(known, chunk)]
    return tf.concat(known[0], 1)

  def _biases_and_kernels(self, context, dtype):
    """Bias and kernel of each layer, the context part of the first bias."""
    # Under a mixed policy kernels are of sixteen bits, rounded as in `call`.
    affine = [
      (tf.cast(layer.bias, dtype), tf.cast(layer.kernel, dtype))
      for layer in self._layers_
    ]
    if self._context_size:
      checks.shaped('context', context, (None, self._context_size))
      bias, kernel = affine[0]
      bias += context @ kernel[self._event_size :]
      affine[0] = bias, kernel[: self._event_size]
    return affine

  def _unroll_chunk(self, noise, update, affine, slices, known):
    """Values of the chunk's variables and of its units in each layer."""
    outputs = [*slices[1:], slices[0]]
    parts = []
    for (bias, kernel), values, below, own in zip(
      affine, known, slices, outputs
    ):
      base = bias[..., own]
      if values:
        # The layer's first inputs, all that are known so far.
        x = tf.concat(values, 1)
        base = base + _product(x, kernel[: x.shape[1], own])
      parts.append((base, kernel[below, own]))
    noise = noise[:, slices[0]]

    def iterate(x, *hidden):
      last = [x, *hidden][-1]
      base, kernel = parts[-1]
      output = fixed_point.rounded(base + _product(last, kernel))
      shift = fixed_point.scaled(output, self._output_scale)
      values = [update(noise, shift)]
      for base, kernel in parts[:-1]:
        inner = fixed_point.rounded(base + _product(values[-1], kernel))
        values.append(fixed_point.relu(inner))
      return values

    batch = tf.shape(noise)[0]
    sizes = [kernel.shape[1] for _, kernel in parts[:-1]]
    first = [noise, *(tf.zeros([batch, n], noise.dtype) for n in sizes)]
    return tf.while_loop(
      lambda *_: True, iterate, first, maximum_iterations=noise.shape[1]
    )


def _product(x, kernel):
  # oneDNN aborts the process on some products with an empty operand.
  if 0 in kernel.shape:
    return tf.zeros([tf.shape(x)[0], kernel.shape[1]], x.dtype)
  return x @ kernel
