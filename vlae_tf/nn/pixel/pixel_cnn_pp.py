"""Shallow and wide PixelCNN++ with an exact window.

#### References

[1]: Salimans et al. PixelCNN++. ICLR 2017, arXiv:1701.05517.
[2]: Chen et al. Variational Lossy Autoencoder. ICLR 2017, arXiv:1611.02731
     (Appendix B, section 4.3).
"""

import functools
from collections.abc import Sequence

import keras
import numpy as np

from vlae_tf.nn.causal import convolution as conv
from vlae_tf.nn.causal import graph
from vlae_tf.nn.causal import network as causal_network
from vlae_tf.utils import checks, serialization


@serialization.register
class PixelCNNPlusPlus(causal_network.CausalNetwork):
  """Blocks of gated vertical and horizontal layers, each on the image [1], [2].

  Every block reads the image through its `v` layers of 2x3 filters that look up
  and `h` layers of 2x2 filters that look up and to the left, and the layers of
  the block before at the same pixel alone: more blocks do not see further. The
  window is `h + v + 1` wide and `v + 1` high: 5x3 takes 2 and 2 layers, 4x2,
  one column further to the left, takes 1 and 2, the numbers of [2]. Other
  windows `(width, height)` have a width of `2 height - 1` or `2 height`.

  >>> import vlae_tf
  >>> network = PixelCNNPlusPlus(outputs=10, window=(4, 2), units=4, depth=2)
  >>> network.build((None, None, None, 3), (None, None, None, 5))
  >>> field = vlae_tf.receptive_field(network)
  >>> field.num_pixels, field.width, field.height  # 4 x 2 above, 2 to the left.
  (10, 4, 3)
  """

  def __init__(
    self,
    outputs: int,
    window: Sequence[int],
    units: int = 64,
    depth: int = 4,
    **kwargs,
  ):
    super().__init__(**kwargs)
    check_window(window)
    checks.integer('depth', depth, 1)
    width, height = window
    layers = (height - 1, width - height)
    policy = dict(dtype=self.dtype_policy)
    self._blocks = [
      _Block(units, *layers, name=f'block_{k}', **policy) for k in range(depth)
    ]
    self._last = conv.Pointwise(outputs, name='last', **policy)

  def seen(self, image: graph.Image) -> graph.Node:
    """The node through which the layers see the image."""
    return image

  def describe(self, image, features):
    source = self.seen(image)
    stacks: tuple[list[graph.Node], list[graph.Node]] = ([], [])
    for block in self._blocks:
      stacks = block.describe(source, features, stacks)
    _, horizontal = stacks
    return graph.Convolution(self._last, graph.elu(horizontal[-1]))


@serialization.register
class GreyPixelCNNPlusPlus(PixelCNNPlusPlus):
  """`PixelCNNPlusPlus` with a window that sees luminance alone [2].

  Colour of other pixels has to come through the latents. The luminance of one
  channel is the channel itself.
  """

  def seen(self, image):
    if image.channels not in (1, 3):
      raise ValueError(
        '`image_shape` must have 3 channels, red, green and blue, or 1, for a '
        f'window that sees luminance, got {image.channels}.'
      )
    is_grey = image.channels == 1
    return image if is_grey else graph.Convolution(conv.luminance(), image)


def check_window(window: Sequence[int]) -> None:
  """Checks that some numbers of layers see exactly a window."""
  fits = len(window) == 2 and window[1] >= 2
  if not fits or 2 * window[1] - window[0] not in (0, 1):
    raise ValueError(
      '`window` must be 2 height - 1 or 2 height wide and at least 2 high, '
      f'such as 4x2, 5x3 or 7x4, got {"x".join(map(str, window))}.'
    )


class _Block(keras.layers.Layer):
  """The layers of one block."""

  def __init__(self, units, vertical, horizontal, **kwargs):
    super().__init__(**kwargs)
    layer = functools.partial(_GatedLayer, units, dtype=self.dtype_policy)
    self._vertical = [
      layer(True, name=f'vertical_{k}') for k in range(vertical)
    ]
    self._horizontal = [
      layer(False, name=f'horizontal_{k}') for k in range(horizontal)
    ]

  @causal_network.described_in_scope
  def describe(self, image, features, before):
    """Nodes of the vertical layers and of the horizontal ones, two lists."""
    above, left = before
    vertical = self._stack(self._vertical, image, features, above)
    # A horizontal layer looks up as well: the vertical ones that it reads must
    # not reach above the window.
    late = len(self._horizontal) - len(vertical)
    sideways = [None] * late + vertical
    horizontal = self._stack(self._horizontal, image, features, left, sideways)
    return vertical, horizontal

  def _stack(self, layers, image, features, before, sideways=None):
    nodes, node = [], image
    for k, layer in enumerate(layers):
      seen = [stack[k] for stack in (before, sideways) if stack and stack[k]]
      node = layer.describe(node, seen, features, first=k == 0)
      nodes.append(node)
    return nodes


class _GatedLayer(keras.layers.Layer):
  """`x + a * sigmoid(b)`; `a, b`: a convolution of `x` and a pointwise one."""

  # The first layer of a stack sees the image, and has no residual.

  def __init__(self, units, is_vertical, **kwargs):
    super().__init__(**kwargs)
    self._units, self._is_vertical = units, is_vertical

  @causal_network.described_in_scope
  def describe(self, x, seen, features, first):
    """The layer as a node."""
    size, origin, mask = (2, 3 if self._is_vertical else 2), (-1, -1), None
    if first and self._is_vertical:
      origin = (-2, -1)
    elif first:
      mask = np.ones([*size, x.channels, 1], 'float32')
      mask[-1, -1] = 0.0
    policy = dict(dtype=self.dtype_policy)
    self._spatial = conv.CausalConv2D(
      self._units, size, origin, mask=mask, name='spatial', **policy
    )
    h = graph.Convolution(self._spatial, x if first else graph.elu(x))
    self._links = [
      conv.Pointwise(self._units, name=f'link_{k}', **policy)
      for k in range(len(seen))
    ]
    for link, node in zip(self._links, seen):
      h = h + graph.Convolution(link, graph.elu(node))
    self._gates = conv.Pointwise(2 * self._units, name='gates', **policy)
    gates = graph.Convolution(self._gates, graph.elu(h))
    if features.channels:
      self._code = conv.Pointwise(2 * self._units, name='code', **policy)
      gates = gates + graph.Convolution(self._code, features)
    gated = graph.linear_gate(gates)
    # The sum stands for the residual where the image itself can be none.
    return (h if first else x) + gated
