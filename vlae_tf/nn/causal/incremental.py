"""Evaluating a causal graph pixel by pixel, each number of it once.

All pixels of a front are computed together, see `wavefront`. Taps stack along
the first axis of fronts `[maps, rows * batch]` into the right factor of one
small matrix product, `[units, taps * maps] @ [taps * maps, rows * batch]`.
"""

import tensorflow as tf

from vlae_tf.nn.causal import fronts, graph, wavefront


class Incremental:
  """The incremental form of a causal graph."""

  def __init__(self, image, features, output):
    """Derives the schedule.

    Args:
      image: The graph's `graph.Image`.
      features: The graph's `graph.Features`.
      output: `graph.Node`, the parameters of the pixels.

    Raises:
      ValueError: `output` is not causal.
    """
    self._image, self._features, self._output = image, features, output
    self.schedule = wavefront.Schedule(image, output)

  def __call__(self, features, noise, update, state=()):
    """Feeds the network its own results, front after front.

    Args:
      features: `Tensor` of shape `[batch, height, width, maps]`, height and
        width static.
      noise: Nest of tensors `[batch, height, width, k]`: what is known of each
        pixel beforehand, such as noise or given values.
      update: Callable `(noise, params, state) -> (pixels, state)`. Its tensors
        have shape `[..., k]`, `[..., num_params]` and `[..., channels]` with
        the same leading axes, over pixels that do not depend on each other;
        some of those may lie outside the image.
      state: Nest of tensors that `update` carries from front to front.

    Returns:
      The image `[batch, height, width, channels]` for which `image =
      update(noise, network(image, features))` in every pixel, and the last
      state.
    """
    nodes = graph.ancestors(self._output)
    known = graph.evaluate(
      [n for n in nodes if n.known], {self._features: features}
    )
    # Under a mixed policy the layers' own outputs have sixteen bits; the loop
    # computes in the features' type.
    known = {node: tf.cast(x, features.dtype) for node, x in known.items()}
    if self._output.known:
      return update(noise, known[self._output], state)
    loop = _Loop(self.schedule, fronts.Layout(self.schedule, features), known)
    return loop.run(noise, update, state)


class _Loop:
  """One evaluation: what is constant in it, and the loop over the steps."""

  def __init__(self, schedule, layout, known):
    self.schedule, self.layout = schedule, layout
    self.dtype = next(iter(known.values())).dtype
    self.products = {
      node: _Product(node, known, layout)
      for node in [*schedule.nodes, *known]
      if isinstance(node, graph.Convolution) and _is_needed(node)
    }
    self.known = {
      source: layout.cut(known[source])
      for node in [*schedule.nodes, *self.products]
      for source, _ in self.taps(node)
      if source.known and source not in self.products
    }

  def taps(self, node):
    """What has to be read for a node, see `graph.Node.taps`."""
    return self.products.get(node, node).taps()

  def run(self, noise, update, state):
    """Runs all steps, see `Incremental.__call__`."""
    layout, image = self.layout, self.schedule.image
    stored = list(layout.lengths)
    noise = tf.nest.map_structure(layout.cut, noise)

    def body(step, rings, drawn, state):
      now = _Step(self, step, dict(zip(stored, rings)))
      now.compute_nodes()
      pixels, state = now.draw(noise, update, state)
      drawn = drawn.write(tf.maximum(step + layout.start, 0), pixels)
      return step + 1, [now.stored(source) for source in stored], drawn, state

    rings = [layout.empty_ring(source, self.dtype) for source in stored]
    drawn = layout.empty_image(image, self.dtype)
    _, _, drawn, state = tf.while_loop(
      lambda step, *_: step < layout.steps,
      body,
      (tf.constant(0), rings, drawn, state),
    )
    return layout.join(drawn.stack()), state


class _Step:
  """The fronts of all nodes at one step."""

  def __init__(self, loop, step, rings):
    self._loop, self._layout = loop, loop.layout
    self._step, self._rings = step, rings
    self._fronts, self._padded = {}, {}

  def compute_nodes(self):
    """Computes all nodes but the image."""
    for node in self._loop.schedule.nodes:
      column = self._layout.column(self._step, node)
      product = self._loop.products.get(node)
      taps = [self._read(node, *tap) for tap in self._loop.taps(node)]
      if product is not None:
        value = product(taps, column)
      else:
        value = node.at_pixels(*taps)
      self._keep(node, value, column)

  def draw(self, noise, update, state):
    """Computes the image's front; returns it and the new state."""
    image, output = self._loop.schedule.image, self._loop.schedule.output
    column = self._layout.column(self._step, image)
    params = tf.transpose(self._read(image, output, (0, 0)))
    noise = tf.nest.map_structure(
      lambda x: tf.transpose(self._layout.pick(x, column)), noise
    )
    pixels, state = update(noise, params, state)
    pixels = tf.transpose(pixels)
    self._keep(image, pixels, column)
    return pixels, state

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
    lag = self._loop.schedule.lag(node, source, offset)
    if lag == 0 and offset == (0, 0):
      return self._fronts[source]
    padded = self._padded.get(source)
    if lag:
      length = self._layout.lengths[source]
      slot = (self._step + (length - lag)) % length
      padded = self._rings[source].read(slot)
    return self._layout.window(source, padded, offset[1], column)

  def _read_known(self, source, column):
    product = self._loop.products.get(source)
    if product is None:
      return self._layout.pick(self._loop.known[source], column)
    taps = [self._read_known(tap, column) for tap, _ in product.taps()]
    return product(taps, column)


class _Product:
  """A convolution as a matrix product over the taps that have to be read."""

  def __init__(self, node, known, layout):
    self._layout, self._taps = layout, []
    layer, blocks = node.layer, []
    dtype = next(iter(known.values())).dtype
    kernel = tf.cast(layer.kernel, dtype)
    constant = tf.cast(layer.bias[None, None, None], dtype)
    for k, (source, channels) in enumerate(zip(node.inputs, node.channels())):
      part, offsets = kernel[:, :, channels], node.offsets(k)
      if source.known and not _is_small(source, node, offsets.values()):
        # What does not depend on the image is there before the loop begins.
        constant += layer.linear(known[source], part)
        continue
      self._taps += [(source, offset) for offset in offsets.values()]
      blocks += [part[entry] for entry in offsets]
    self._matrix = tf.transpose(tf.concat(blocks, 0))
    self._constant = layout.cut(constant)

  def taps(self):
    return self._taps

  def __call__(self, taps, column):
    stacked = taps[0] if len(taps) == 1 else tf.concat(taps, 0)
    product = self._matrix @ stacked
    return product + self._layout.pick(self._constant, column)


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
