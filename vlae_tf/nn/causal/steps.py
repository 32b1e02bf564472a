"""One step of the evaluation front by front, and what is constant in it.

Taps stack along the first axis of fronts `[maps, rows * batch]` into the right
factor of one small matrix product, `[units, taps * maps] @ [taps * maps, rows *
batch]`.
"""

from typing import NamedTuple

import tensorflow as tf

from vlae_tf.nn.causal import graph


class Constants(NamedTuple):
  """What the steps of one evaluation share, cut into fronts."""

  # List of pairs, the matrix of each product and what is added to it.
  products: list[tuple[tf.Tensor, tf.Tensor]]
  known: list[tf.Tensor]  # List of tensors, the known maps that are read.


class Plan:
  """What a step computes and reads, derived from the graph alone."""

  def __init__(self, schedule):
    self.schedule = schedule
    output = schedule.output
    self.products, self.known = {}, []
    if output.known:
      self.known = [output]
      return
    known = [node for node in graph.ancestors(output) if node.known]
    self.products = {
      node: _Product(node)
      for node in [*schedule.nodes, *known]
      if isinstance(node, graph.Convolution) and _is_needed(node)
    }
    read = {
      source
      for node in [*schedule.nodes, *self.products]
      for source, _ in self.taps(node)
      if source.known and source not in self.products
    }
    self.known = [node for node in known if node in read]

  def taps(self, node):
    """What has to be read for a node, see `graph.Node.taps`."""
    return self.products.get(node, node).taps()

  def constants(self, layout, values):
    """The `Constants` of an evaluation."""
    # values [batch, height, width, maps]
    products = []
    for product in self.products.values():
      matrix, constant = product.factors(values, layout.dtype)
      products.append((matrix, layout.cut(constant)))
    return Constants(products, [layout.cut(values[n]) for n in self.known])


class Step:
  """The fronts of all nodes at one step."""

  def __init__(self, plan, layout, constants, step, rings):
    self._plan, self._layout = plan, layout
    self._products = dict(zip(plan.products, constants.products))
    self._known = dict(zip(plan.known, constants.known))
    self._step, self._rings = step, rings
    self._fronts, self._padded = {}, {}

  def compute_nodes(self):
    """Computes all nodes but the image."""
    for node in self._plan.schedule.nodes:
      column = self._layout.column(self._step, node)
      taps = [self._read(node, *tap) for tap in self._plan.taps(node)]
      if node in self._products:
        value = self._product(node, taps, column)
      else:
        value = node.at_pixels(*taps)
      self._keep(node, value, column)

  def params(self):
    """The parameters of the image's front, `[rows * batch, num_params]`."""
    schedule = self._plan.schedule
    return tf.transpose(self._read(schedule.image, schedule.output, (0, 0)))

  def pick(self, noise):
    """Of a nest that was cut, the image's front `[rows * batch, k]`."""
    column = self._layout.column(self._step, self._plan.schedule.image)
    return tf.nest.map_structure(
      lambda x: tf.transpose(self._layout.pick(x, column)), noise
    )

  def put(self, pixels):
    """Takes the image's front, of shape `[channels, rows * batch]`."""
    image = self._plan.schedule.image
    self._keep(image, pixels, self._layout.column(self._step, image))

  def stored(self, source):
    """The ring of a node, its front of this step written to it."""
    slot = self._step % self._layout.lengths[source]
    return self._rings[source].write(slot, self._padded[source])

  def _keep(self, node, value, column):
    self._fronts[node] = value
    if node in self._rings:
      self._padded[node] = self._layout.pad(node, value, column)

  def _read(self, node, source, offset):
    """The front of `source` at an offset from a node's pixels."""
    column = self._layout.column(self._step, node)
    if source.known:
      return self._read_known(source, column)
    lag = self._plan.schedule.lag(node, source, offset)
    if lag == 0 and offset == (0, 0):
      return self._fronts[source]
    padded = self._padded.get(source)
    if lag:
      length = self._layout.lengths[source]
      slot = (self._step + (length - lag)) % length
      padded = self._rings[source].read(slot)
    return self._layout.window(source, padded, offset[1], column)

  def _read_known(self, source, column):
    if source in self._known:
      return self._layout.pick(self._known[source], column)
    taps = self._plan.taps(source)
    taps = [self._read_known(tap, column) for tap, _ in taps]
    return self._product(source, taps, column)

  def _product(self, node, taps, column):
    matrix, constant = self._products[node]
    stacked = taps[0] if len(taps) == 1 else tf.concat(taps, 0)
    y = matrix @ stacked + self._layout.pick(constant, column)
    return node.finished(y)


class _Product:
  """A convolution as a matrix product over the taps that have to be read."""

  def __init__(self, node):
    self._layer = node.layer
    self._taps, self._blocks, self._folded = [], [], []
    for k, (source, channels) in enumerate(zip(node.inputs, node.channels())):
      offsets = node.offsets(k)
      if source.known and not _is_small(source, node, offsets.values()):
        # What does not depend on the image is there before the loop begins.
        self._folded.append((source, channels))
        continue
      self._taps += [(source, offset) for offset in offsets.values()]
      self._blocks += [(*entry, channels) for entry in offsets]

  def taps(self):
    return self._taps

  def factors(self, values, dtype):
    """The matrix, and what is added to the product as whole maps."""
    kernel = tf.cast(self._layer.kernel, dtype)
    constant = tf.cast(self._layer.bias[None, None, None], dtype)
    for source, channels in self._folded:
      constant += self._layer.linear(values[source], kernel[:, :, channels])
    blocks = [kernel[block] for block in self._blocks]
    return tf.transpose(tf.concat(blocks, 0)), constant


def _is_small(source, node, offsets):
  """Whether known maps are fewer numbers than what is made of them."""
  return list(offsets) == [(0, 0)] and source.maps < node.maps


def _is_needed(node):
  """Whether a convolution is left to the loop, even if it is known."""
  if not node.known:
    return True
  return all(
    _is_small(source, node, node.offsets(k).values())
    for k, source in enumerate(node.inputs)
  )
