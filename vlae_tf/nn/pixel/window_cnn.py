"""Networks that see an exact window of the image, and no further.

#### References

[1]: Chen et al. Variational Lossy Autoencoder. ICLR 2017, arXiv:1611.02731
     (sections 2.2 and 4.3).
"""

import functools
import operator
from collections.abc import Sequence

from vlae_tf.nn.causal import convolution as conv
from vlae_tf.nn.causal import graph
from vlae_tf.nn.causal import network as causal_network
from vlae_tf.utils import checks, fields, serialization


@serialization.register
class PointwiseCNN(causal_network.CausalNetwork):
  """Residual blocks of 1x1 convolutions on a first layer.

  The first layer is a sum of convolutions: one of the features, if they have
  channels, and those of the image that a sub-class adds. Without these, this is
  a factorised decoder: the pixels are independent given the latents, as in a
  plain VAE. The `depth` residual blocks share their weights if they are `tied`.
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
    self._depth = depth
    policy = dict(dtype=self.dtype_policy)
    self._code = [conv.Pointwise(units, name='code', **policy)]
    blocks = min(depth, 1) if tied else depth
    self._blocks = [
      conv.Pointwise(units, name=f'pointwise_{k}', **policy)
      for k in range(2 * blocks)
    ]
    self._last = conv.Pointwise(outputs, name='last', **policy)

  def first_layer(self, image: graph.Image) -> list[graph.Convolution]:
    """Convolutions of the image in the first layer."""
    return []

  def describe(self, image, features):
    if not features.channels:
      # A network without features has no such layer.
      self._code.clear()
    parts = [graph.Convolution(layer, features) for layer in self._code]
    parts += self.first_layer(image)
    if not parts:
      raise ValueError(
        '`features_shape` must have at least one channel where the network '
        'does not see the image, got 0.'
      )
    h = functools.reduce(operator.add, parts)
    for i in range(self._depth):
      pair = [self._blocks[k % len(self._blocks)] for k in (2 * i, 2 * i + 1)]
      middle = graph.Convolution(pair[0], graph.elu(h))
      h += graph.Convolution(pair[1], graph.elu(middle))
    return graph.Convolution(self._last, graph.elu(h))


class _BlockWindow(PointwiseCNN):
  """A window of `factor` x `factor` blocks before a pixel."""

  def __init__(self, outputs, window, factor, units, depth, tied, **kwargs):
    super().__init__(outputs, units, depth, tied, **kwargs)
    self._window, self._factor = tuple(window), factor
    fits = len(self._window) == 2 and min(self._window) >= 1
    needs = 'a width and a height of at least 1'
    fields.check('window', self._window, fits, needs)
    width, height = self._window
    left = width // 2
    convolution = functools.partial(
      conv.CausalConv2D, units, dilation=factor, dtype=self.dtype_policy
    )
    # Offsets of a block are those of its last pixel.
    origin = -1 - factor * (height - 1), factor - 1 - width * factor // 2
    self._above = convolution((height, width), origin, name='above')
    self._left = None
    if left:
      origin = 0, -1 - factor * (left - 1)
      self._left = convolution((1, left), origin, name='left')

  def build(self, image_shape, features_shape):
    height, width = image_shape[1:3]
    window_width, window_height = (self._factor * n for n in self._window)
    # All of the window has to be within the image for some pixel.
    if (width and window_width > 2 * width - 1) or (
      height and window_height > height
    ):
      name = 'window' if self._factor == 1 else 'window * factor'
      raise ValueError(
        f'`{name}` must be at most {2 * width - 1}x{height}: further away an '
        f'image of {width}x{height} pixels has none, got '
        f'{window_width}x{window_height}.'
      )
    super().build(image_shape, features_shape)

  def first_layer(self, image: graph.Image) -> list[graph.Convolution]:
    layers = [self._above] + ([self._left] if self._left else [])
    blocks: graph.Node = image
    if self._factor > 1:
      means = conv.box_mean(self._factor, image.channels)
      blocks = graph.Convolution(means, image)
    return [graph.Convolution(layer, blocks) for layer in layers]


@serialization.register
class WindowCNN(_BlockWindow):
  """Sees the `width` x `height` pixels above a pixel and some to its left [1].

  For pixel `(i, j)`: of the `height` rows above, columns `j - ceil((width - 1)
  / 2)` to `j + floor((width - 1) / 2)`, and in its row the `ceil((width - 1) /
  2)` pixels before it. Other arguments: see `PointwiseCNN`.

  >>> import vlae_tf
  >>> network = WindowCNN(outputs=1, window=(5, 2), units=4, depth=2)
  >>> network.build((None, None, None, 1), (None, None, None, 3))
  >>> field = vlae_tf.receptive_field(network)
  >>> field.num_pixels, field.width  # 5 x 2 above, 2 to the left.
  (12, 5)
  """

  def __init__(
    self,
    outputs: int,
    window: Sequence[int],
    units: int = 12,
    depth: int = 6,
    tied: bool = False,
    **kwargs,
  ):
    super().__init__(outputs, window, 1, units, depth, tied, **kwargs)


@serialization.register
class DownsampledWindowCNN(_BlockWindow):
  """Sees the means of `factor` x `factor` blocks before a pixel [1].

  The blocks are placed relative to the pixel: `width` x `height` of them (the
  `window`) above its row, centred on its column, and `ceil((width - 1) / 2)` to
  its left, their lowest row its own. All of their pixels are before it. A block
  that reaches beyond the image counts zeros there; one that ends beyond its
  right edge is zero. Finer detail has to come through the latents. `factor` is
  at least 2; other arguments: see `PointwiseCNN`.
  """

  def __init__(
    self,
    outputs: int,
    window: Sequence[int],
    factor: int,
    units: int = 12,
    depth: int = 6,
    tied: bool = False,
    **kwargs,
  ):
    checks.integer('factor', factor, 2)
    super().__init__(outputs, window, factor, units, depth, tied, **kwargs)
