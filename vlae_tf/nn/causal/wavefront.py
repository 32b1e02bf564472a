"""When each node of a causal graph can be computed, and where it is kept.

Node `n` at pixel `(i, j)` is computed at time `slope * i + j + delay[n]`, the
image's own delay being zero. Pixels with equal `slope * i + j` form a front:
they do not depend on each other and are computed together.
"""

import numpy as np

from vlae_tf.nn.causal import graph


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
    for slope in range(1, self._slope_limit() + 1):
      self.slope, self.delays = slope, self._delays(slope)
      if self.delays.get(output, 0) <= 0:
        return
    raise ValueError('`output` must depend on earlier pixels alone.')

  def edges(self):
    """Triples of a node, an unknown input and the offset it is read at."""
    for node in self.nodes:
      for source, offset in node.taps():
        if not source.known:
          yield node, source, offset
    if not self.output.known:
      yield self.image, self.output, (0, 0)

  def _slope_limit(self):
    """No path reaches further to the right than all its steps together."""
    rights: dict[graph.Node, int] = {}
    for node, _, (_, dj) in self.edges():
      rights[node] = max(rights.get(node, 0), dj)
    return 2 + sum(rights.values())

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

  def order(self, height, width):
    """The fronts of an image's pixels, `Shear` or `Whole`."""
    if self.output.known:
      return Whole(height, width)
    return Shear(self.slope, height, width)

  def num_steps(self, height, width):
    """Dependent steps for an image: `width + slope * (height - 1)`, or one."""
    return self.order(height, width).columns


class Shear:
  """An image's pixels by front: pixel `(i, j)` in column `slope * i + j`."""

  # The busy rows of column `c` are a window of `rows` rows that begins at row
  # `ceil((c - width + 1) / slope)`; it may reach beyond the image.

  def __init__(self, slope, height, width):
    self._slope, self._width = slope, width
    self.columns = width + slope * (height - 1)
    self.rows = (width - 1) // slope + 1
    self._pixels = height * width
    c = np.arange(self.columns)[:, None]
    i = self._first_row(c) + np.arange(self.rows)
    j = c - slope * i
    inside = (i >= 0) & (i < height) & (j >= 0) & (j < width)
    # Shape `[columns, rows]`.
    self.inside = inside
    self.pixel = np.where(inside, i * width + j, self._pixels)
    i, j = np.divmod(np.arange(self._pixels), width)
    c = slope * i + j
    # Where each pixel is, in raster order, shape `[height * width]`.
    self.place = c * self.rows + i - self._first_row(c)

  def _first_row(self, column):
    return -((self._width - 1 - column) // self._slope)

  def row_shifts(self, dj):
    """Shift of the window from a pixel's column to one `dj` to its right."""
    # -> [slope]
    c = np.arange(self._slope)
    return self._first_row(c) - self._first_row(c + dj)


class Whole:
  """An image's pixels as one front: none of them depends on another."""

  columns = 1

  def __init__(self, height, width):
    self.rows = height * width
    self.place = np.arange(self.rows)
    self.pixel = self.place[None]
    self.inside = np.ones([1, self.rows], bool)
