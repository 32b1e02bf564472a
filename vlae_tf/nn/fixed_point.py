"""Fixed-point arithmetic for networks, with exact sums in any order.

A sender and a receiver need the same probabilities to the last bit, but floats
summed in another order (other threads, batches, devices; a parallel pass
against one pixel by pixel) differ in it. Inside `exact` the layers of this
package compute with multiples of 2**-10 and kernels of multiples of 2**-16,
carried in float64: every product and every partial sum is a multiple of 2**-26
below 2**27, so it has at most 53 bits, is not rounded, and does not depend on
the order. Nonlinear functions have few different arguments on the grid and are
rounded to it: an error of `exp` must not carry a value over the nearest half,
which is thousands of times the error of any library
(`tests/nn/test_fixed_point.py` tries all arguments).

Inputs of products are bounded by `MAX`, in the activations: this is cheaper
pixel by pixel than a bound at every sum. A residual stream of bounded parts
that is read without an activation, as in the gated PixelCNN, has three more
bits.
"""

import contextlib
import threading
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

# Fractional bits of activations, and of kernels and biases.
FRACTION_BITS = 10
KERNEL_BITS = 16
# Inputs of products lie within +-MAX, sums of a unit's absolute weights below
# MAX_WEIGHT: 11 + 10 bits of one, 10 + 16 of the other, and 6 to spare.
MAX = 2.0**11
MAX_WEIGHT = 2.0**10

_state = threading.local()
_GRID = 2.0**FRACTION_BITS


@contextlib.contextmanager
def exact() -> Iterator[None]:
  """Makes layers that are called inside compute on the grid, in float64."""
  # Layers have to be of dtype float64, and kernels are given to them, see
  # `weight_norm.given_kernels`.
  before = is_exact()
  _state.exact = True
  try:
    yield
  finally:
    _state.exact = before


def is_exact() -> bool:
  """Whether this is inside `exact`."""
  return getattr(_state, 'exact', False)


def rounded(x: tf.Tensor) -> tf.Tensor:
  """The nearest number of the grid inside `exact`, elsewhere `x` itself."""
  if not is_exact():
    return x
  # Written with `floor`, whose ties all compilers break alike.
  return tf.floor(x * _GRID + 0.5) * (1 / _GRID)


def bounded(x: tf.Tensor) -> tf.Tensor:
  """The nearest number within the bounds inside `exact`, elsewhere `x`."""
  return tf.clip_by_value(x, -MAX, MAX) if is_exact() else x


def relu(x: tf.Tensor) -> tf.Tensor:
  """`max(x, 0)`, bounded."""
  return tf.nn.relu(_below_max(x))


def elu(x: tf.Tensor) -> tf.Tensor:
  """`elu(x)`, bounded."""
  return rounded(tf.nn.elu(_below_max(x)))


def compiled_elu(x: tf.Tensor) -> tf.Tensor:
  """`elu(x)`, bounded, which XLA on the CPU compiles without `expm1`."""
  y = tf.exp(tf.minimum(x, 0.0)) - 1.0
  return tf.where(x > 0, _below_max(x), rounded(y))


def _below_max(x):
  return tf.minimum(x, MAX) if is_exact() else x


def gated(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
  """`tanh(a) sigmoid(b)`."""
  return rounded(rounded(tf.tanh(a)) * rounded(tf.sigmoid(b)))


def linearly_gated(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
  """`a sigmoid(b)`, bounded."""
  return bounded(rounded(a * rounded(tf.sigmoid(b))))


def scaled(x: tf.Tensor, factor: float) -> tf.Tensor:
  """`factor x`; inside `exact` the factor is a multiple of 2**-16 as well."""
  return rounded(x * (quantized(factor).item() if is_exact() else factor))


def spatial_mean(x: tf.Tensor) -> tf.Tensor:
  """Mean over height and width of `[batch, height, width, channels]`."""
  if not is_exact():
    return tf.reduce_mean(x, [1, 2])
  size = tf.cast(tf.shape(x)[1] * tf.shape(x)[2], x.dtype)
  # The sum is exact, and a quarter of a step more is no tie after the division.
  whole = tf.reduce_sum(x, [1, 2]) * _GRID + 0.25
  return tf.floor(whole / size + 0.5) * (1 / _GRID)


def quantized(kernel: np.ndarray | float) -> np.ndarray:
  """Kernels or biases as multiples of 2**-16, float64."""
  steps = 2.0**KERNEL_BITS
  return np.floor(np.asarray(kernel, np.float64) * steps + 0.5) / steps


def check_device() -> None:
  """Checks that products and convolutions are exact on the device in use."""
  generator = np.random.default_rng(0)
  most = 1 << 21  # Bound of activations, in steps of the grid.
  x = generator.integers(-most, most, [2, 8, 8, 32])
  kernel = generator.integers(-(1 << 15), 1 << 15, [3, 3, 32, 8])

  def taps(x):
    return [x[:, i : i + 6, j : j + 6] for i in range(3) for j in range(3)]

  wanted = np.concatenate(taps(x), -1).reshape(72, -1) @ kernel.reshape(-1, 8)
  numbers = tf.constant(x / _GRID)
  weights = tf.constant(kernel / 2.0**KERNEL_BITS)
  product = tf.reshape(tf.concat(taps(numbers), -1), [72, -1])
  product @= tf.reshape(weights, [-1, 8])
  sums = tf.reshape(tf.nn.conv2d(numbers, weights, 1, 'VALID'), [72, 8])
  steps = _GRID * 2.0**KERNEL_BITS
  for name, found in (('products', product), ('convolutions', sums)):
    if (found.numpy() * steps != wanted).any():
      raise ValueError(
        'the device must add and multiply float64 by IEEE 754, for '
        f'probabilities to be the same elsewhere: its {name} are rounded '
        'differently.'
      )
