"""Gated PixelCNN: two stacks of gated convolutions, without a blind spot.

#### References

[1]: Aaron van den Oord et al. Conditional Image Generation with PixelCNN
     Decoders. In _Neural Information Processing Systems_, 2016.
     https://arxiv.org/abs/1606.05328
"""

import keras

from vlae_tf.nn import fixed_point, weight_norm
from vlae_tf.nn.causal import convolution as conv
from vlae_tf.nn.causal import described, graph
from vlae_tf.nn.causal import network as causal_network
from vlae_tf.utils import serialization


@serialization.register
class GatedPixelCNN(causal_network.CausalNetwork):
  """Vertical and horizontal stacks with `tanh * sigmoid` gates [1].

  The vertical stack of a pixel sees rows above alone; the horizontal one sees
  the pixel's row and, through 1x1 convolutions, the vertical stack. Rows and
  columns of filters that would be masked are not there: of an `n` x `n`
  vertical filter the upper `(n + 1) / 2` rows, of a `1 x n` horizontal filter
  the left `(n + 1) / 2` columns. Every gate is conditioned on the features of
  its pixel and, by a bias, on their mean over the image.
  """

  def __init__(
    self,
    outputs: int,
    units: int = 64,
    depth: int = 8,
    vertical_filter: int = 3,
    horizontal_filter: int = 3,
    **kwargs,
  ):
    """Creates the network.

    Args:
      outputs: Number of parameters of a pixel.
      units: Number of maps of each stack.
      depth: Number of gated layers.
      vertical_filter: Height and width of vertical filters, odd, at least 3.
      horizontal_filter: Width of horizontal filters, odd, at least 3.
      **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
      ValueError: A filter is even or less than 3, or `depth` is less than 1.
    """
    super().__init__(**kwargs)
    _check_filter('vertical_filter', vertical_filter)
    _check_filter('horizontal_filter', horizontal_filter)
    if depth < 1:
      raise ValueError(f'`depth` must be at least 1, got {depth}.')
    sizes = (units, vertical_filter // 2, horizontal_filter // 2)
    self._layers_ = [
      _GatedLayer(
        *sizes,
        i == 0,
        i == depth - 1,
        name=f'layer_{i}',
        dtype=self.dtype_policy,
      )
      for i in range(depth)
    ]
    self._hidden = conv.Pointwise(units, name='hidden', dtype=self.dtype_policy)
    self._last = conv.Pointwise(outputs, name='last', dtype=self.dtype_policy)

  def describe(self, image, features):
    vertical, horizontal, skips = image, image, None
    for layer in self._layers_:
      vertical, horizontal, skip = layer.describe(
        vertical, horizontal, features
      )
      skips = skip if skips is None else skips + skip
    hidden = graph.Convolution(self._hidden, graph.elu(skips))
    return graph.Convolution(self._last, graph.elu(hidden))


class _GatedLayer(keras.layers.Layer):
  """One layer of both stacks, Figure 2 of [1]; of the last, what is used."""

  def __init__(self, units, above, left, first, last, **kwargs):
    super().__init__(**kwargs)
    # Only the first layer reads the image: it must not see the pixel's row, or
    # the pixel. Later ones read stacks that do not know them.
    self._first, self._last = first, last
    self._vertical = conv.CausalConv2D(
      2 * units,
      (above + 1, 2 * above + 1),
      (-above - first, -above),
      name='vertical',
      dtype=self.dtype_policy,
    )
    self._horizontal = conv.CausalConv2D(
      2 * units,
      (1, left + 1),
      (0, -left - first),
      name='horizontal',
      dtype=self.dtype_policy,
    )
    self._link = conv.Pointwise(2 * units, name='link', dtype=self.dtype_policy)
    self._skip = conv.Pointwise(units, name='skip', dtype=self.dtype_policy)
    self._conditions = [
      _Condition(
        2 * units, name='horizontal_condition', dtype=self.dtype_policy
      )
    ]
    if not last:
      self._residual = conv.Pointwise(
        units, name='residual', dtype=self.dtype_policy
      )
      self._conditions.append(
        _Condition(
          2 * units, name='vertical_condition', dtype=self.dtype_policy
        )
      )

  @described.in_own_scope
  def describe(self, vertical, horizontal, features):
    """The layer's outputs as nodes: vertical, horizontal, skip."""
    v = graph.Convolution(self._vertical, vertical)
    h = graph.Convolution(self._horizontal, horizontal)
    h = h + graph.Convolution(self._link, v)
    gated = graph.gate(self._conditions[0].describe(h, features))
    skip = graph.Convolution(self._skip, gated)
    if self._last:
      return None, None, skip
    residual = graph.Convolution(self._residual, gated)
    if not self._first:
      residual = horizontal + residual
    v = self._conditions[1].describe(v, features)
    return graph.gate(v), residual, skip


class _Condition(keras.layers.Layer):
  """A linear function of the features at the pixel and of their mean."""

  def __init__(self, units, **kwargs):
    super().__init__(**kwargs)
    self._units = units

  @described.in_own_scope
  def describe(self, node, features):
    """A node with the condition added to it, if there are features."""
    if not features.maps:
      return node
    self._spatial = conv.Pointwise(
      self._units, name='spatial', dtype=self.dtype_policy
    )
    self._global = weight_norm.WeightNormDense(
      self._units, name='global', dtype=self.dtype_policy
    )
    self._global.build((None, features.maps))

    def of_mean(x):
      return self._global(fixed_point.spatial_mean(x))[:, None, None]

    bias = graph.Derived(of_mean, features, self._units)
    # In this order each sum is one with `node`: the condition by itself would
    # be many more numbers to keep than the features it is made of.
    return node + graph.Convolution(self._spatial, features) + bias


def _check_filter(name, size):
  if size < 3 or size % 2 == 0:
    raise ValueError(f'`{name}` must be odd and at least 3, got {size}.')
