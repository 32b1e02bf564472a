"""Order of computation of a causal graph pixel by pixel, and its storage.

A wavefront is a set of pixels that do not depend on each other and are computed
together. Node `n` at pixel `(i, j)` is computed at time `slope * i + j +
delay[n]`, where the delay of the image is zero: in a sheared image, which has
pixel `(i, j)` in column `slope * i + j`, a wavefront is a column.

A wavefront of a node is a tensor `[channels, rows * batch]`. In this layout a
tap is a slice of long rows, which is what XLA's CPU backend copies fast.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from vlae_tf.nn.causal import graph


class Wavefront(NamedTuple):
  """A wavefront: pixels that do not depend on each other.

  Tensors of a wavefront, such as its noise, have shape `[rows * batch, ...]`,
  the images of the batch side by side: entry `row * batch + b` is of image `b`.
  Wavefronts come in an order in which all that a pixel depends on is earlier,
  and every pixel is inside exactly one of them. A row may lie outside the
  image: its noise is arbitrary, its parameters are meaningless, and its pixel
  is ignored. In wavefronts before the first column all rows do.
  """

  column: tf.Tensor  # int32 [], number of the wavefront; negative before 0.
  pixel: tf.Tensor  # int32 [rows], raster index; height * width if outside.
  inside: tf.Tensor  # bool [rows], whether the row's pixel is in the image.


class Schedule:
  """The smallest slope that a graph's dependences allow, and the delays."""

  # A node that reads `m` at offset `(di, dj)` needs `delay[n] >= delay[m] +
  # slope * di + dj`, and one more where `m` is the image, drawn when its time
  # step ends; the output may not be later than the image. The delays are the
  # longest paths from the image under these differences.

  def __init__(self, image, output):
    self.image, self.output = image, output
    self.nodes = [
      node
      for node in graph.ancestors(output)
      if not node.known and node is not image
    ]
    # No path reaches further to the right than all its steps together.
    rights: dict[graph.Node, int] = {}
    for node, _, (_, dj) in self.edges():
      rights[node] = max(rights.get(node, 0), dj)
    for slope in range(1, sum(rights.values()) + 3):
      self.slope, self.delays = slope, self._delays(slope)
      if self.delays.get(output, 0) <= 0:
        break
    else:
      raise ValueError('`output` must depend on earlier pixels alone.')
    # Products of a step by node, and the known nodes that a step reads.
    self.products, self.read_known = self._plan()

  def _plan(self):
    if self.output.known:
      return {}, [self.output]
    known = [node for node in graph.ancestors(self.output) if node.known]
    products = {
      node: Product(node)
      for node in [*self.nodes, *known]
      if isinstance(node, graph.Convolution)
    }
    # A known node is computed in a step where its inputs have fewer channels.
    products = {
      node: product
      for node, product in products.items()
      if not (node.known and product.folded)
    }
    taps = [
      tap
      for node in [*self.nodes, *products]
      for tap, _ in products.get(node, node).taps()
    ]
    return products, [n for n in known if n in taps and n not in products]

  def edges(self):
    """Triples of a node, an unknown input and the offset it is read at."""
    for node in self.nodes:
      for source, offset in node.taps():
        if not source.known:
          yield node, source, offset
    if not self.output.known:
      yield self.image, self.output, (0, 0)

  def _delays(self, slope):
    delays = {self.image: 0}
    for node, source, (di, dj) in self.edges():
      if node is not self.image:
        late = source is self.image
        time = delays[source] + slope * di + dj + late
        delays[node] = max(delays.get(node, time), time)
    return delays

  def lag(self, node, source, offset):
    """Time steps between computing a node and the value that it reads."""
    shift = self.slope * offset[0] + offset[1]
    return self.delays[node] - self.delays[source] - shift

  def wavefronts(self, height, width):
    """The wavefronts of an image's pixels, `Shear` or `Whole`."""
    if self.output.known:
      return Whole(height, width)
    return Shear(self.slope, height, width)


class Shear:
  """An image's pixels by wavefront: `(i, j)` in column `slope * i + j`."""

  # The busy rows of column `c` are a window of `rows` rows that begins at row
  # `ceil((c - width + 1) / slope)`; it may reach beyond the image.

  def __init__(self, slope, height, width):
    self._slope, self._width = slope, width
    self.columns = width + slope * (height - 1)
    self.rows = (width - 1) // slope + 1
    pixels = height * width
    c = np.arange(self.columns)[:, None]
    i = self._first_row(c) + np.arange(self.rows)
    j = c - slope * i
    # Both of shape `[columns, rows]`.
    self.inside = (i >= 0) & (i < height) & (j >= 0) & (j < width)
    self.pixel = np.where(self.inside, i * width + j, pixels)
    i, j = np.divmod(np.arange(pixels), width)
    c = slope * i + j
    # Place of each pixel in these, in raster order, shape `[height * width]`.
    self.place = c * self.rows + i - self._first_row(c)

  def _first_row(self, column):
    return -((self._width - 1 - column) // self._slope)

  def row_shifts(self, dj):
    """Shift of the window from a pixel's column to one `dj` to its right."""
    # -> [slope]
    c = np.arange(self._slope)
    return self._first_row(c) - self._first_row(c + dj)


class Whole:
  """An image's pixels as one wavefront: none depends on another."""

  columns = 1

  def __init__(self, height, width):
    self.rows = height * width
    self.place = np.arange(self.rows)
    self.pixel = self.place[None]
    self.inside = np.ones([1, self.rows], bool)


class Layout:
  """Wavefronts as tensors, and the rings that keep a node's last ones."""

  def __init__(self, schedule, features):
    # features [batch, height, width, channels], or their `tf.TensorSpec`.
    self.schedule = schedule
    self.dtype = features.dtype
    self._height, self._width = features.shape[1:3]
    self._wavefronts = schedule.wavefronts(self._height, self._width)
    self._batch = features.shape[0]
    if self._batch is None:
      self._batch = tf.shape(features)[0]
    # Pixels of a wavefront.
    self._size = self._wavefronts.rows * self._batch
    inside = tf.constant(self._wavefronts.inside)
    self._inside = tf.repeat(inside[:, None], self._batch, axis=2)
    # Wavefronts with pixels in them.
    self.num_wavefronts = self._wavefronts.columns
    self.start = min(schedule.delays.values())
    self.steps = self.num_wavefronts - self.start
    # Number of wavefronts kept of each stored node, and their rows of padding.
    self.lengths: dict[graph.Node, int] = {}
    self._margins: dict[graph.Node, int] = {}
    for node, source, offset in schedule.edges():
      lag = schedule.lag(node, source, offset)
      if lag or offset != (0, 0):
        margin = int(abs(self._wavefronts.row_shifts(offset[1])).max())
        self._margins[source] = max(self._margins.get(source, 0), margin)
        self.lengths[source] = max(self.lengths.get(source, 1), lag)

  def wavefront(self, step):
    # Before the first column all is outside the image.
    before = [(-self.start, 0), (0, 0)]
    outside = self._height * self._width
    pixel = np.pad(self._wavefronts.pixel, before, constant_values=outside)
    inside = np.pad(self._wavefronts.inside, before)
    return Wavefront(
      step + self.start,
      tf.constant(pixel, tf.int32)[step],
      tf.constant(inside)[step],
    )

  def cut(self, x):
    """Cuts `[batch, height, width, k]` into `[columns, k, rows * batch]`."""
    x = tf.transpose(x, [1, 2, 3, 0])
    if x.shape[0] == x.shape[1] == 1:
      # The same at all pixels, maybe even in all images.
      copies = 1 if x.shape[3] == 1 else self._wavefronts.rows
      return tf.tile(x[0], [1, 1, copies])
    pixels = tf.reshape(x, [-1, x.shape[2], self._batch])
    # One more pixel, of zeros, stands for all that is outside the image.
    pixels = tf.pad(pixels, [[0, 1], [0, 0], [0, 0]])
    columns = tf.gather(pixels, self._wavefronts.pixel)
    columns = tf.transpose(columns, [0, 2, 1, 3])
    return tf.reshape(columns, [self.num_wavefronts, x.shape[2], self._size])

  def join(self, columns):
    """The inverse of `cut`."""
    k = columns.shape[1]
    rows = tf.reshape(columns, [-1, k, self._wavefronts.rows, self._batch])
    pixels = tf.reshape(tf.transpose(rows, [0, 2, 3, 1]), [-1, self._batch, k])
    image = tf.gather(pixels, self._wavefronts.place)
    image = tf.reshape(image, [self._height, -1, self._batch, k])
    return tf.transpose(image, [2, 0, 1, 3])

  def column(self, step, node):
    """Column of a node's wavefront at a step; it may be outside the image."""
    return step + (self.start - self.schedule.delays[node])

  def pick(self, columns, column):
    """One of `[columns, k, rows * batch]`; any, outside the image."""
    return columns[tf.clip_by_value(column, 0, columns.shape[0] - 1)]

  def window(self, source, padded, dj, column):
    """The rows of a padded wavefront `dj` to the right of a column's."""
    shifts = self._wavefronts.row_shifts(dj) + self._margins[source]
    first = int(shifts[0])
    if (shifts != first).any():
      first = tf.constant(shifts, tf.int32)[column % len(shifts)]
    start = [0, first * self._batch]
    return tf.slice(padded, start, [source.channels, self._size])

  def pad(self, source, values, column):
    """A wavefront as convolutions need it: zeros outside the image."""
    within = (column >= 0) & (column < self.num_wavefronts)
    inside = self.pick(self._inside, column) & within
    # Not a product: outside there may be NaN.
    values = tf.where(inside, values, tf.zeros_like(values))
    margin = self._margins[source] * self._batch
    return tf.pad(values, [[0, 0], [margin, margin]])

  def empty_pixels(self):
    """Zeros for the image's pixels of a wavefront, `[rows * batch, k]`."""
    return tf.zeros([self._size, self.schedule.image.channels], self.dtype)

  def empty_ring(self, source):
    """Zeros for all padded wavefronts that are kept of a node, one tensor."""
    rows = self._wavefronts.rows + 2 * self._margins[source]
    shape = [self.lengths[source], source.channels, rows * self._batch]
    return tf.zeros(shape, self.dtype)

  def ring(self, source, values):
    """Padded wavefronts of a node as a `tf.TensorArray`."""
    ring = tf.TensorArray(
      values.dtype,
      self.lengths[source],
      clear_after_read=False,
      element_shape=values.shape[1:],
    )
    return ring.unstack(values)


class Product:
  """A convolution as one matrix product over the taps that a step reads.

  `[units, taps * channels] @ [taps * channels, rows * batch]`, plus a constant.
  """

  def __init__(self, node):
    self._layer = node.layer
    self._taps, self._blocks = [], []
    self.folded = []  # Inputs that `factors` adds to the constant.
    for source, channels, offsets in node.reads():
      at_pixel = list(offsets.values()) == [(0, 0)]
      if source.known and not (at_pixel and source.channels < node.channels):
        # Known channels, not fewer than those computed from them: their sums
        # are computed before the loop begins.
        self.folded.append((source, channels))
        continue
      self._taps += [(source, offset) for offset in offsets.values()]
      self._blocks += [(*entry, channels) for entry in offsets]

  def taps(self):
    return self._taps

  def factors(self, values, dtype):
    """The matrix, and the constant at all pixels."""
    # values [batch, height, width, channels]
    kernel = tf.cast(self._layer.kernel, dtype)
    constant = tf.cast(self._layer.bias[None, None, None], dtype)
    for source, channels in self.folded:
      constant += self._layer.linear(values[source], kernel[:, :, channels])
    blocks = [kernel[block] for block in self._blocks]
    return tf.transpose(tf.concat(blocks, 0)), constant
