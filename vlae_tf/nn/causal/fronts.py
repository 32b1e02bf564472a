"""Where the incremental evaluation of a causal graph keeps its numbers.

A front of a node is a tensor `[maps, rows * batch]`: its values at the pixels
of one column of the sheared image, see `wavefront`. In this layout a tap is a
slice of long rows, which is what XLA's CPU backend copies fast.
"""

import numpy as np
import tensorflow as tf

from vlae_tf.nn.causal import graph, updates


class Layout:
  """Columns, windows of rows, and the rings that hold a node's last fronts."""

  def __init__(self, schedule, features):
    # features [batch, height, width, maps]
    self._schedule = schedule
    self.dtype = features.dtype
    self._height, self._width = features.shape[1:3]
    self._shear = schedule.order(self._height, self._width)
    self._batch = features.shape[0]
    if self._batch is None:
      self._batch = tf.shape(features)[0]
    # Pixels of a front.
    self.size = self._shear.rows * self._batch
    inside = tf.constant(self._shear.inside)
    self._inside = tf.repeat(inside[:, None], self._batch, axis=2)
    self.start = min(schedule.delays.values())
    self.steps = self._shear.columns - self.start
    # Of each stored node: the fronts kept, and the rows of zeros around them.
    self.lengths: dict[graph.Node, int] = {}
    self._margins: dict[graph.Node, int] = {}
    for node, source, offset in schedule.edges():
      lag = schedule.lag(node, source, offset)
      if lag or offset != (0, 0):
        margin = int(abs(self._shear.row_shifts(offset[1])).max())
        self._margins[source] = max(self._margins.get(source, 0), margin)
        self.lengths[source] = max(self.lengths.get(source, 1), lag)

  @property
  def num_fronts(self):
    """Number of fronts with pixels in them."""
    return self._shear.columns

  def front(self, step):
    """The image's `updates.Front` at a step."""
    # Before the first column there is nothing but what is outside.
    before = [(-self.start, 0), (0, 0)]
    outside = self._height * self._width
    pixel = np.pad(self._shear.pixel, before, constant_values=outside)
    inside = np.pad(self._shear.inside, before)
    return updates.Front(
      step + self.start,
      tf.constant(pixel, tf.int32)[step],
      tf.constant(inside)[step],
    )

  def cut(self, x):
    """Cuts `[batch, height, width, k]` into `[columns, k, rows * batch]`."""
    x = tf.transpose(x, [1, 2, 3, 0])
    if x.shape[0] == x.shape[1] == 1:
      # The same at all pixels, maybe even in all images.
      copies = 1 if x.shape[3] == 1 else self._shear.rows
      return tf.tile(x[0], [1, 1, copies])
    pixels = tf.reshape(x, [-1, x.shape[2], self._batch])
    # One more pixel, of zeros, stands for all that is outside the image.
    pixels = tf.pad(pixels, [[0, 1], [0, 0], [0, 0]])
    columns = tf.transpose(tf.gather(pixels, self._shear.pixel), [0, 2, 1, 3])
    return tf.reshape(columns, [self._shear.columns, x.shape[2], self.size])

  def join(self, fronts):
    """The inverse of `cut`."""
    maps = fronts.shape[1]
    rows = tf.reshape(fronts, [-1, maps, self._shear.rows, self._batch])
    pixels = tf.reshape(
      tf.transpose(rows, [0, 2, 3, 1]), [-1, self._batch, maps]
    )
    image = tf.gather(pixels, self._shear.place)
    image = tf.reshape(image, [self._height, -1, self._batch, maps])
    return tf.transpose(image, [2, 0, 1, 3])

  def column(self, step, node):
    """Column of a node's front at a step; it may be outside the image."""
    return step + (self.start - self._schedule.delays[node])

  def pick(self, fronts, column):
    """One of `[columns, k, rows * batch]`; any, outside the image."""
    return fronts[tf.clip_by_value(column, 0, fronts.shape[0] - 1)]

  def window(self, source, padded, dj, column):
    """The rows of a padded front that lie `dj` to the right of a column's."""
    shifts = self._shear.row_shifts(dj) + self._margins[source]
    first = int(shifts[0])
    if (shifts != first).any():
      first = tf.constant(shifts, tf.int32)[column % len(shifts)]
    return tf.slice(padded, [0, first * self._batch], [source.maps, self.size])

  def pad(self, source, front, column):
    """A front as convolutions want it: zeros outside the image."""
    within = (column >= 0) & (column < self._shear.columns)
    inside = self.pick(self._inside, column) & within
    # Not a product: what is outside may be no number at all.
    front = tf.where(inside, front, tf.zeros_like(front))
    margin = self._margins[source] * self._batch
    return tf.pad(front, [[0, 0], [margin, margin]])

  def empty_ring(self, source):
    """All padded fronts that are kept of a node, zero, as one tensor."""
    rows = self._shear.rows + 2 * self._margins[source]
    shape = [self.lengths[source], source.maps, rows * self._batch]
    return tf.zeros(shape, self.dtype)

  def ring(self, source, values):
    """Padded fronts of a node as a `tf.TensorArray`."""
    ring = tf.TensorArray(
      values.dtype,
      self.lengths[source],
      clear_after_read=False,
      element_shape=values.shape[1:],
    )
    return ring.unstack(values)

  def empty_image(self, image):
    """A `tf.TensorArray` for all fronts of the image."""
    shape = [image.maps, None]
    return tf.TensorArray(self.dtype, self.num_fronts, element_shape=shape)
