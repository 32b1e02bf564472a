"""Weight-normalised linear layers with data-dependent initialisation.

#### References

[1]: Salimans and Kingma. Weight Normalization. NIPS 2016, arXiv:1602.07868.
"""

import contextlib
import math
import threading
from collections.abc import Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from vlae_tf.nn import fixed_point
from vlae_tf.utils import checks, serialization

# Rounding errors of equal outputs, relative to their mean: in sixteen bits the
# distance of neighbours, in more the error of large sums.
_ROUNDING = {'float16': 2.0**-10, 'bfloat16': 2.0**-7}
_ROUNDING_OF_SUMS = 2.0**-18


class _State(threading.local):
  def __init__(self):
    # Ids of the layers that were initialised inside the context, if any.
    self.initialized: set[int] | None = None
    self.kernels: dict[int, tf.Tensor] = {}  # Given ones by the layer's id.


_state = _State()


@contextlib.contextmanager
def data_dependent_initialization() -> Iterator[None]:
  """Sets gain and bias of every layer called inside from its inputs.

  Each layer is set once, at its first call, so that its outputs have mean zero
  and standard deviation `init_scale` over the batch ([1], section 3). Eager
  calls only.
  """
  if _state.initialized is not None:
    raise ValueError('`data_dependent_initialization` does not nest.')
  _state.initialized = set()
  try:
    yield
  finally:
    _state.initialized = None


@contextlib.contextmanager
def given_kernels(
  layers: Sequence['WeightNorm'], kernels: Sequence[tf.Tensor]
) -> Iterator[None]:
  """Lets layers use effective kernels that were computed before."""
  before = _state.kernels
  _state.kernels = before | dict(zip(map(id, layers), kernels))
  try:
    yield
  finally:
    _state.kernels = before


class WeightNorm(keras.layers.Layer):
  """A linear layer with kernel `w = g v / |v|`, one norm per output unit [1].

  Sub-classes define the shape of `v`, which of its axes are summed in the norm,
  and how the kernel is applied. `mask`, of zeros and ones, broadcasts against
  `v` and is applied before the norm is taken. `init_scale` is the standard
  deviation of the outputs after data-dependent initialisation.
  """

  def __init__(
    self,
    units: int,
    *,
    mask: np.ndarray | None = None,
    init_scale: float = 1.0,
    **kwargs,
  ):
    super().__init__(**kwargs)
    self.units = checks.integer('units', units, 1)
    self.init_scale = init_scale
    self._mask = None if mask is None else np.asarray(mask, 'float32')

  # Axes of `v` summed in the norm, and the gain's shape against `v`.
  _norm_axes: tuple[int, ...] | None = None
  _gain_shape: tuple[int, ...] = (-1,)

  def _kernel_shape(self, inputs):
    raise NotImplementedError

  def linear(self, x, kernel):
    """The layer's outputs without a bias, from a kernel of its shape."""
    raise NotImplementedError

  def build(self, input_shape):
    self.v = self.add_weight(
      name='v',
      shape=self._kernel_shape(input_shape[-1]),
      initializer=keras.initializers.RandomNormal(stddev=0.05),
    )
    self.gain = self.add_weight(
      name='gain', shape=(self.units,), initializer='ones'
    )
    self.bias = self.add_weight(
      name='bias', shape=(self.units,), initializer='zeros'
    )

  @property
  def kernel(self) -> tf.Tensor:
    """The effective kernel `g v / |v|`, shape of `v`."""
    if id(self) in _state.kernels:
      return tf.cast(_state.kernels[id(self)], self.compute_dtype)
    v = self._masked_v()
    square = tf.reduce_sum(v * v, self._norm_axes, keepdims=True)
    # A unit with all inputs masked has |v| = 0: its kernel and the gradient of
    # that are zero, and its output is the bias.
    scale = tf.math.rsqrt(tf.where(square > 0, square, tf.ones_like(square)))
    gain = tf.cast(self.gain, v.dtype)
    kernel = v * (scale * tf.reshape(gain, self._gain_shape))
    return tf.cast(kernel, self.compute_dtype)

  def _masked_v(self):
    # In the precision of the variables: under a mixed policy Keras reads them
    # in sixteen bits, too few for a norm.
    v = tf.cast(self.v, self.variable_dtype)
    if self._mask is None:
      return v
    v = v * self._mask
    # With one input left, v / |v| is a sign. Its gradient is a rounding error,
    # which Adamax would scale up to full steps.
    inputs = np.broadcast_to(self._mask, v.shape).sum(
      self._norm_axes, keepdims=True
    )
    if not (inputs == 1).any():
      return v
    return tf.where(inputs == 1, tf.stop_gradient(v), v)

  def call(self, x):
    done = _state.initialized
    if done is not None and id(self) not in done:
      done.add(id(self))
      self._initialize_from(x)
    # `bias_add`, which TensorFlow fuses, as its gradient, with convolutions.
    y = self.linear(x, self.kernel)
    y = tf.nn.bias_add(y, tf.cast(self.bias, y.dtype))
    return fixed_point.rounded(y)

  def _initialize_from(self, x):
    self.gain.assign(tf.ones_like(self.gain))
    y = self.linear(x, self.kernel)
    # Sixteen bits hold neither the sums nor the least variance.
    rounding = _ROUNDING.get(y.dtype.name, _ROUNDING_OF_SUMS)
    y = tf.cast(y, tf.float32)
    mean, variance = tf.nn.moments(y, list(range(len(y.shape) - 1)))
    # A unit that is constant on this batch, up to rounding, keeps its gain.
    constant = variance < 1e-10 + (rounding * mean) ** 2
    deviation = tf.sqrt(tf.where(constant, 1.0, variance))
    self.gain.assign(self.init_scale / deviation)
    self.bias.assign(-mean * self.init_scale / deviation)


@serialization.register
class WeightNormDense(WeightNorm):
  """Weight-normalised dense layer: `[..., inputs] -> [..., units]`.

  >>> layer = WeightNormDense(2)
  >>> layer(tf.zeros([5, 4, 3])).shape
  TensorShape([5, 4, 2])
  >>> tf.norm(layer.kernel, axis=0).numpy().round(4)  # The gains.
  array([1., 1.], dtype=float32)
  """

  _norm_axes = (0,)

  def _kernel_shape(self, inputs):
    return (inputs, self.units)

  def linear(self, x, kernel):
    return tf.tensordot(x, kernel, 1) if len(x.shape) > 2 else x @ kernel


@serialization.register
class WeightNormConv2D(WeightNorm):
  """Weight-normalised convolution, `'SAME'` padding.

  Shapes `[batch, height, width, inputs]` to `[batch, ceil(height / strides),
  ceil(width / strides), units]`; `size` is that of the filters, an integer or
  `(height, width)`.
  """

  _norm_axes = (0, 1, 2)

  def __init__(
    self, units: int, size: int | Sequence[int], strides: int = 1, **kwargs
  ):
    super().__init__(units, **kwargs)
    self.size = (size, size) if isinstance(size, int) else tuple(size)
    self.strides = strides

  def compute_output_shape(self, input_shape):
    batch, *size, _ = input_shape
    if self.strides > 1:
      size = [math.ceil(n / self.strides) for n in size]
    return (batch, *size, self.units)

  def _kernel_shape(self, inputs):
    return (*self.size, inputs, self.units)

  def linear(self, x, kernel):
    if self.size == (1, 1) and self.strides == 1:
      # Twice as fast as the convolution, at a dozen channels.
      flat = tf.reshape(x, [-1, x.shape[-1]]) @ kernel[0, 0]
      return tf.reshape(flat, tf.concat([tf.shape(x)[:-1], [self.units]], 0))
    return tf.nn.conv2d(x, kernel, self.strides, 'SAME')


@serialization.register
class WeightNormConv2DTranspose(WeightNorm):
  """Weight-normalised transposed convolution to a given size.

  Shapes `[batch, h, w, inputs]` to `[batch, height, width, units]`, where `h =
  ceil(height / strides)` and likewise for the width, and `output_size` is
  `(height, width)`; filters are `size` x `size`.
  """

  _norm_axes = (0, 1, 3)
  _gain_shape = (-1, 1)

  def __init__(
    self,
    units: int,
    size: int,
    output_size: Sequence[int],
    strides: int = 2,
    **kwargs,
  ):
    super().__init__(units, **kwargs)
    self.size, self.strides = size, strides
    self.output_size = tuple(output_size)

  def compute_output_shape(self, input_shape):
    return (input_shape[0], *self.output_size, self.units)

  def _kernel_shape(self, inputs):
    return (self.size, self.size, self.units, inputs)

  def linear(self, x, kernel):
    shape = [tf.shape(x)[0], *self.output_size, self.units]
    return tf.nn.conv2d_transpose(x, kernel, shape, self.strides, 'SAME')


def layers_of(model: keras.layers.Layer) -> list[WeightNorm]:
  """The `WeightNorm` layers inside a Keras model that have variables."""
  # A layer that is never called, such as that of unused features, has none.
  return [
    layer
    for layer in model._flatten_layers()
    if isinstance(layer, WeightNorm) and layer.built
  ]
