"""Networks as small causal graphs over the pixels of an image.

A network is written once, as nodes: the image, the features of its code,
convolutions of a few taps and element-wise functions. Evaluated here in
parallel it is ordinary convolutions; `incremental` derives from the same nodes
the evaluation pixel by pixel.
"""

import itertools

import numpy as np
import tensorflow as tf

from vlae_tf.nn import fixed_point


class Node:
  """Maps `[batch, height, width, maps]` that a network computes."""

  # Whether the maps are there before any pixel is.
  known = False

  def __init__(self, maps, inputs=()):
    """Creates the node.

    Args:
      maps: Number of maps.
      inputs: Nodes that it is computed from.
    """
    self.maps = maps
    self.inputs = tuple(inputs)
    self.known = bool(inputs) and all(node.known for node in inputs)

  def __add__(self, other):
    return Elementwise(tf.add, self, other)

  def taps(self):
    """Pairs of an input and an offset `(di, dj)` at which it is read."""
    return [(node, (0, 0)) for node in self.inputs]

  def parallel(self, *inputs):
    """The whole maps, from those of the inputs."""
    raise NotImplementedError


class Image(Node):
  """The image: at each pixel unknown until the pixel is drawn."""


class Features(Node):
  """What the network is conditioned on: known everywhere beforehand."""

  def __init__(self, maps):
    super().__init__(maps)
    self.known = True


class Derived(Node):
  """A function of features as a whole, such as a bias of every pixel."""

  def __init__(self, fn, features, maps):
    """Creates the node.

    Args:
      fn: Callable of `[batch, height, width, features.maps]` that returns
        `[batch, height, width, maps]` or `[batch, 1, 1, maps]`.
      features: `Node` that is known.
      maps: Number of maps.
    """
    super().__init__(maps, [features])
    self.parallel = fn  # type: ignore[method-assign]


class Elementwise(Node):
  """A function of numbers, applied to each number of its inputs."""

  def __init__(self, fn, *inputs, compiled=None):
    """Creates the node.

    Args:
      fn: Callable of tensors of one shape that returns such a tensor.
      *inputs: Nodes with equal numbers of maps.
      compiled: The same function where another form of it suits XLA better.
    """
    super().__init__(inputs[0].maps, inputs)
    self.parallel = fn  # type: ignore[method-assign]
    self.at_pixels = fn if compiled is None else compiled


class Gate(Node):
  """A function of both halves of a node's maps, number by number."""

  def __init__(self, fn, node):
    """Creates the node.

    Args:
      fn: Callable of two tensors of one shape that returns such a tensor.
      node: Node with an even number of maps.
    """
    super().__init__(node.maps // 2, [node])
    self._fn = fn

  def parallel(self, x):
    # Not two slices, whose gradients are padded and summed: a network of such
    # gates took 1.5 times as long.
    return self._fn(*tf.split(x, 2, -1))

  def at_pixels(self, x):
    """The same with the maps along the first axis."""
    return self._fn(*tf.split(x, 2, 0))


class Joined(Node):
  """The maps of several nodes as those of one."""

  def __init__(self, *inputs):
    super().__init__(sum(node.maps for node in inputs), inputs)

  def parallel(self, *inputs):
    return tf.concat(inputs, -1)

  def at_pixels(self, *inputs):
    """The same with the maps along the first axis."""
    return tf.concat(inputs, 0)


class Convolution(Node):
  """A convolution over the concatenated maps of its inputs."""

  def __init__(self, layer, *inputs):
    """Creates the node, and the weights of the layer if it has none.

    Args:
      layer: `convolution.CausalConv2D`, or what has its `offsets`,
        `live`, `kernel`, `bias` and `linear`.
      *inputs: Nodes. Those without maps are left out, as if not given.

    Raises:
      ValueError: No input has maps.
    """
    inputs = tuple(node for node in inputs if node.maps)
    if not inputs:
      raise ValueError('`inputs` must have at least one map, got none.')
    super().__init__(layer.units, inputs)
    self.layer = layer
    if not layer.built:
      layer.build((None, None, None, sum(node.maps for node in inputs)))

  def parallel(self, *inputs):
    return self.layer(inputs[0] if len(inputs) == 1 else tf.concat(inputs, -1))

  def channels(self):
    """The kernel's input channels of each input, a list of slices."""
    ends = [0]
    for node in self.inputs:
      ends.append(ends[-1] + node.maps)
    return [slice(a, b) for a, b in itertools.pairwise(ends)]

  def offsets(self, k):
    """Offsets at which input `k` is seen, by kernel entry `(row, column)`."""
    live = self.layer.live(self.channels()[k])
    offsets = self.layer.offsets
    return {entry: offsets[entry] for entry in offsets if live[entry]}

  def taps(self):
    return [
      (node, offset)
      for k, node in enumerate(self.inputs)
      for offset in self.offsets(k).values()
    ]

  def finished(self, y):
    """The sums that the convolution is made of, as its numbers."""
    return fixed_point.rounded(y)


class Surroundings(Convolution):
  """The part of a convolution that is not of the pixel itself.

  Its sums are left as they are: whoever adds what the pixel gives, through the
  kernel's centre, has the numbers of the whole.
  """

  def offsets(self, k):
    return {e: o for e, o in super().offsets(k).items() if o != (0, 0)}

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
  """`elu(x)`, in a form of its own for XLA."""
  compiled = fixed_point.compiled_elu
  return Elementwise(fixed_point.elu, node, compiled=compiled)


def gate(node):
  """`tanh(a) sigmoid(b)` of the two halves of a node's maps."""
  return Gate(fixed_point.gated, node)


def linear_gate(node):
  """`a sigmoid(b)` of the two halves of a node's maps."""
  return Gate(fixed_point.linearly_gated, node)


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
  """Whole maps of nodes by ordinary convolutions.

  Args:
    nodes: Nodes, inputs first, as from `ancestors`.
    given: Dictionary from nodes to tensors, at least those without inputs.

  Returns:
    A dictionary from nodes to tensors `[batch, height, width, maps]`.
  """
  values = dict(given)
  for node in nodes:
    if node not in values:
      values[node] = node.parallel(*(values[source] for source in node.inputs))
  return values
