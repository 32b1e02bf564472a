"""PixelCNN, a stack of masked convolutions, and Gated PixelCNN.

#### References

[1]: Chen et al. Variational Lossy Autoencoder. ICLR 2017, arXiv:1611.02731
     (Appendix A).
[2]: van den Oord et al. Pixel Recurrent Neural Networks. ICML 2016,
     arXiv:1601.06759.
[3]: van den Oord et al. Conditional Image Generation with PixelCNN Decoders.
     NIPS 2016, arXiv:1606.05328.
"""

import functools

import keras

from vlae_tf.nn import fixed_point, weight_norm
from vlae_tf.nn.causal import convolution as conv
from vlae_tf.nn.causal import graph
from vlae_tf.nn.causal import network as causal_network
from vlae_tf.utils import checks, fields, serialization


@serialization.register
class PixelCNN(causal_network.CausalNetwork):
  """Masked 3x3 convolutions with 1x1 residual blocks between them [1], [2].

  Six masked convolutions (`depth`, at least 2) see 69 pixels; there is a blind
  spot above and to the right of the pixel that no number of them sees. With
  `tied`, those after the first share their weights.

  >>> import vlae_tf
  >>> network = PixelCNN(outputs=1, units=4)
  >>> network.build((None, None, None, 1), (None, None, None, 3))
  >>> vlae_tf.receptive_field(network).num_pixels
  69
  """

  def __init__(
    self,
    outputs: int,
    units: int = 12,
    depth: int = 6,
    tied: bool = False,
    **kwargs,
  ):
    super().__init__(**kwargs)
    self._units, self._depth = units, checks.integer('depth', depth, 2)
    policy = dict(dtype=self.dtype_policy)
    mask = conv.raster_mask(units, units, include_center=True)
    self._masked = [
      conv.MaskedConv2D(units, 3, mask, name=f'masked_{k}', **policy)
      for k in range(1 if tied else depth - 1)
    ]
    self._pointwise = [
      conv.Pointwise(units, name=f'pointwise_{k}', **policy)
      for k in range(2 * (depth - 2))
    ]
    self._last = conv.Pointwise(outputs, name='last', **policy)

  def describe(self, image, features):
    inputs = image.channels + features.channels
    mask = conv.raster_mask(inputs, image.channels, include_center=False)
    self._first = conv.MaskedConv2D(
      self._units, 3, mask, name='first', dtype=self.dtype_policy
    )
    h = graph.Convolution(self._first, image, features)
    # In this order, on which the initial weights of a seed depend.
    for layer in self._masked + self._pointwise:
      layer.build((None, None, None, self._units))
    for i in range(self._depth - 1):
      masked = self._masked[i % len(self._masked)]
      h += graph.Convolution(masked, graph.elu(h))
      pair = self._pointwise[2 * i : 2 * i + 2]
      if pair:
        inner, outer = pair
        middle = graph.Convolution(inner, graph.elu(h))
        h += graph.Convolution(outer, graph.elu(middle))
    return graph.Convolution(self._last, graph.elu(h))


@serialization.register
class GatedPixelCNN(causal_network.CausalNetwork):
  """Vertical and horizontal stacks with `tanh * sigmoid` gates [3].

  The vertical stack of a pixel sees rows above alone; the horizontal one sees
  the pixel's row and, through 1x1 convolutions, the vertical stack: there is no
  blind spot. Rows and columns of filters that would be masked do not exist: of
  an `n` x `n` vertical filter the upper `(n + 1) / 2` rows are there, of a
  `1 x n` horizontal filter the left `(n + 1) / 2` columns. Every gate is
  conditioned on the features of its pixel and, by a bias, on their mean over
  the image. Filter sizes are odd and at least 3; `depth`, at least 1, is the
  number of gated layers, each with `units` channels in either stack.
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
    super().__init__(**kwargs)
    sizes = dict(
      vertical_filter=vertical_filter, horizontal_filter=horizontal_filter
    )
    for name, size in sizes.items():
      fits = size >= 3 and size % 2 == 1
      fields.check(name, size, fits, 'odd and at least 3')
    checks.integer('depth', depth, 1)
    policy = dict(dtype=self.dtype_policy)
    reach = vertical_filter // 2, horizontal_filter // 2
    layer = functools.partial(_GatedLayer, units, *reach, **policy)
    self._layers_ = [
      layer(is_first=i == 0, is_last=i == depth - 1, name=f'layer_{i}')
      for i in range(depth)
    ]
    self._hidden = conv.Pointwise(units, name='hidden', **policy)
    self._last = conv.Pointwise(outputs, name='last', **policy)

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
  """Layer of both stacks, Figure 2 of [3]; the last lacks unused parts."""

  def __init__(self, units, above, left, is_first, is_last, **kwargs):
    super().__init__(**kwargs)
    # Only the first layer reads the image: it must not see the pixel's row, or
    # the pixel. Later ones read stacks that do not know them.
    self._first, self._last = is_first, is_last
    policy = dict(dtype=self.dtype_policy)
    size, origin = (above + 1, 2 * above + 1), (-above - is_first, -above)
    self._vertical = conv.CausalConv2D(
      2 * units, size, origin, name='vertical', **policy
    )
    size, origin = (1, left + 1), (0, -left - is_first)
    self._horizontal = conv.CausalConv2D(
      2 * units, size, origin, name='horizontal', **policy
    )
    self._link = conv.Pointwise(2 * units, name='link', **policy)
    self._skip = conv.Pointwise(units, name='skip', **policy)
    self._conditions = [
      _Condition(2 * units, name='horizontal_condition', **policy)
    ]
    if not is_last:
      self._residual = conv.Pointwise(units, name='residual', **policy)
      self._conditions.append(
        _Condition(2 * units, name='vertical_condition', **policy)
      )

  @causal_network.described_in_scope
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

  @causal_network.described_in_scope
  def describe(self, node, features):
    """A node with the condition added to it, if there are features."""
    if not features.channels:
      return node
    policy = dict(dtype=self.dtype_policy)
    self._spatial = conv.Pointwise(self._units, name='spatial', **policy)
    self._global = weight_norm.WeightNormDense(
      self._units, name='global', **policy
    )
    self._global.build((None, features.channels))

    def of_mean(x):
      return self._global(fixed_point.spatial_mean(x))[:, None, None]

    bias = graph.ImageFunction(of_mean, self._units, features)
    # In this order each sum is one with `node`: the condition by itself would
    # be many more numbers to keep than the features that it is computed from.
    return node + graph.Convolution(self._spatial, features) + bias
