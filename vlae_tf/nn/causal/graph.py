"""A network over the pixels of an image as a graph of causal nodes.

A network is described once, by the image, the features of its latents,
convolutions of a few taps and functions of single pixels. `evaluate` computes
the nodes of whole images, by ordinary convolutions; `incremental` evaluates the
same nodes pixel by pixel.
"""

import itertools

import numpy as np
import tensorflow as tf

from vlae_tf.nn import fixed_point


class Node:
  """A tensor `[batch, height, width, channels]` that a network computes."""

  def __init__(self, channels, *inputs):
    self.channels = channels
    self.inputs = inputs
    # Whether it is known before any pixel of the image is.
    self.known = bool(inputs) and all(node.known for node in inputs)

  def __add__(self, other):
    return PixelFunction(
      lambda a, b, axis: tf.add(a, b), self.channels, self, other
    )

  def taps(self):
    """Pairs of an input and an offset `(di, dj)` at which it is read."""
    return [(node, (0, 0)) for node in self.inputs]

  def parallel(self, *inputs):
    """The values at all pixels, from those of the inputs."""
    raise NotImplementedError


class Image(Node):
  """The image, of which each pixel is unknown until it is sampled."""


class Features(Node):
  """The features that the network is conditioned on, known beforehand."""

  def __init__(self, channels):
    super().__init__(channels)
    self.known = True


class ImageFunction(Node):
  """A function of whole features, such as a bias of all pixels."""

  # fn [batch, height, width, channels of `features`] -> [batch, height, width,
  # channels] or [batch, 1, 1, channels]
  def __init__(self, fn, channels, features):
    super().__init__(channels, features)
    self._fn = fn

  def parallel(self, *inputs):
    return self._fn(*inputs)


class PixelFunction(Node):
  """A function `fn(*inputs, axis)` of the inputs at one pixel.

  `axis` is that of the channels: the last in whole images, the first (0) in the
  evaluation pixel by pixel.
  """

  def __init__(self, fn, channels, *inputs):
    super().__init__(channels, *inputs)
    self._fn = fn

  def parallel(self, *inputs):
    return self._fn(*inputs, axis=-1)

  def at_pixels(self, *inputs):
    """The values at some pixels; the channels are the first axis."""
    return self._fn(*inputs, axis=0)


class Convolution(Node):
  """A convolution of the concatenated channels of its inputs.

  Creates the variables of `layer`, a `CausalConv2D` or `FixedFilter`, if it has
  none. Inputs without channels are left out; one must have some.
  """

  def __init__(self, layer, *inputs):
    inputs = tuple(node for node in inputs if node.channels)
    if not inputs:
      raise ValueError('`inputs` must have at least one channel, got none.')
    super().__init__(layer.units, *inputs)
    self.layer = layer
    if not layer.built:
      layer.build((None, None, None, sum(node.channels for node in inputs)))

  def parallel(self, *inputs):
    return self.layer(inputs[0] if len(inputs) == 1 else tf.concat(inputs, -1))

  def reads(self):
    """Each input, its slice of the kernel, and its offset by kernel entry."""
    ends = itertools.accumulate((n.channels for n in self.inputs), initial=0)
    for node, (start, stop) in zip(self.inputs, itertools.pairwise(ends)):
      channels = slice(start, stop)
      live = self.layer.live(channels)
      offsets = {e: o for e, o in self.layer.offsets.items() if live[e]}
      yield node, channels, offsets

  def taps(self):
    return [
      (node, offset)
      for node, _, offsets in self.reads()
      for offset in offsets.values()
    ]

  def finished(self, y):
    """The node's values, from the sums of products."""
    return fixed_point.rounded(y)


class Surroundings(Convolution):
  """A convolution without its pixel's own contribution.

  Its sums are not rounded: together with the product of the pixel itself and
  the kernel's centre they are those of the whole convolution.
  """

  def reads(self):
    for node, channels, offsets in super().reads():
      yield node, channels, {e: o for e, o in offsets.items() if o != (0, 0)}

  def parallel(self, *inputs):
    layer, x = self.layer, tf.concat(inputs, -1)
    kernel = layer.kernel
    around = np.ones([*layer.size, 1, 1])
    for entry, offset in layer.offsets.items():
      around[entry] = offset != (0, 0)
    kernel *= tf.constant(around, kernel.dtype)
    y = layer.linear(tf.cast(x, kernel.dtype), kernel)
    return y + tf.cast(layer.bias, y.dtype)

  def finished(self, y):
    return y


def elu(node):
  """`elu(x)`."""

  def fn(x, axis):
    # Pixel by pixel it is compiled: in a form that suits XLA.
    return fixed_point.compiled_elu(x) if axis == 0 else fixed_point.elu(x)

  return PixelFunction(fn, node.channels, node)


def gate(node):
  """`tanh(a) sigmoid(b)` of the two halves of a node's channels."""
  return _gate(fixed_point.gated, node)


def linear_gate(node):
  """`a sigmoid(b)` of the two halves of a node's channels."""
  return _gate(fixed_point.linearly_gated, node)


def _gate(fn, node):
  # Not two slices, whose gradients are padded and summed: a network of such
  # gates took 1.5 times as long.
  return PixelFunction(
    lambda x, axis: fn(*tf.split(x, 2, axis)), node.channels // 2, node
  )


def concatenated(*nodes):
  """The channels of several nodes as those of one."""
  channels = sum(node.channels for node in nodes)
  return PixelFunction(lambda *x, axis: tf.concat(x, axis), channels, *nodes)


def ancestors(output):
  """All nodes that a node is computed from, itself last, inputs first."""
  order: dict[Node, None] = {}

  def visit(node):
    if node not in order:
      for source in node.inputs:
        visit(source)
      order[node] = None

  visit(output)
  return list(order)


def evaluate(nodes, given):
  """Values `[batch, height, width, channels]` of nodes, a dictionary.

  The nodes come inputs first, as from `ancestors`; `given` has at least the
  values of those without inputs.
  """
  values = dict(given)
  for node in nodes:
    if node not in values:
      values[node] = node.parallel(*(values[source] for source in node.inputs))
  return values
