"""Receptive field of a causal network, found from gradients."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from vlae_tf.evaluation import figures
from vlae_tf.nn.causal import network as causal_network
from vlae_tf.utils import console, fields

_CELL = 16  # Side of a drawn pixel, unless the field is large.
_SIDE = 1600  # Side of the picture of a large field.
_SEEN, _PIXEL = (70, 130, 200), (255, 140, 0)
_BLIND, _LATER = (255, 255, 255), (150, 150, 150)
# A gradient that is zero by chance, or below float32, at one image is not at
# all of several; each costs a pass.
_IMAGES, _IMAGES_OF_LARGE, _LARGE = 8, 2, 33**2


@dataclasses.dataclass(frozen=True)
class ReceptiveField:
  """The pixels that the parameters of one pixel depend on."""

  # Sorted tuple of `(di, dj)`, relative to the pixel.
  offsets: tuple[tuple[int, int], ...]

  @property
  def num_pixels(self) -> int:
    """Number of pixels seen."""
    return len(self.offsets)

  @property
  def height(self) -> int:
    """Height of the smallest box that holds all pixels seen."""
    return self._extent(0)

  @property
  def width(self) -> int:
    """Width of the smallest box that holds all pixels seen."""
    return self._extent(1)

  @property
  def rows_above(self) -> int:
    """Number of rows seen above the pixel's own, to the highest."""
    return -min((di for di, _ in self.offsets), default=0)

  def _extent(self, axis):
    positions = [offset[axis] for offset in self.offsets]
    return max(positions) - min(positions) + 1 if positions else 0


def find(
  network: causal_network.CausalNetwork,
  seed: int = 0,
  progress: Callable[[int], Any] = lambda _: None,
) -> ReceptiveField:
  """Finds the exact receptive field of a built network by gradients.

  The network's graph bounds the field, which sets the size of the random
  images; the gradients find the pixels in it. `progress(1)` is called after
  each of `num_images`. Raises ValueError for any other network.

  >>> from vlae_tf import nn
  >>> network = nn.WindowCNN(outputs=1, window=(3, 1), units=4, depth=2)
  >>> network.build((None, None, None, 1), (None, None, None, 1))
  >>> find(network).offsets
  ((-1, -1), (-1, 0), (-1, 1), (0, -1))
  """
  fits = isinstance(network, causal_network.CausalNetwork) and network.built
  fields.check('network', network, fits, 'a `CausalNetwork` that is built')
  top, left, *_ = _canvas(network)
  seen = np.zeros(_size(network), bool)
  for k in range(num_images(network)):
    seen |= _seen_from(network, (top, left), seen.shape, seed, k)
    progress(1)
  edges = (seen[0], seen[-1], seen[:, 0], seen[:, -1])
  # Beyond what the graph allows is a margin, where gradients must vanish.
  assert not any(map(np.any, edges)), 'the graph is not that of the network'
  offsets = np.argwhere(seen) - (top, left)
  return ReceptiveField(tuple((int(i), int(j)) for i, j in offsets))


def num_images(network: causal_network.CausalNetwork) -> int:
  """Number of images at which `find` computes gradients."""
  rows, columns = _size(network)
  return _IMAGES_OF_LARGE if rows * columns > _LARGE else _IMAGES


def _size(network):
  """Rows and columns of the canvas."""
  top, left, bottom, right = _canvas(network)
  return top + bottom + 1, left + right + 1


def _canvas(network):
  """Pixels above, left of, below and right of one, to one beyond its reach."""
  schedule = network.schedule
  boxes: dict[Any, tuple[int, int, int, int]] = {schedule.image: (0, 0, 0, 0)}
  for node, source, (di, dj) in schedule.edges():
    if source in boxes and node is not schedule.image:
      top, left, bottom, right = boxes[source]
      box = (top - di, left - dj, bottom + di, right + dj)
      before = boxes.get(node, box)
      boxes[node] = tuple(map(max, before, box))  # type: ignore[assignment]
  box = boxes.get(schedule.output, (0, 0, 0, 0))
  # The pixel itself is on the canvas, even if it sees the row above alone.
  return tuple(max(size, 0) + 1 for size in box)


def _seen_from(network, pixel, size, seed, k):
  """Mask of the pixels with a gradient, of the parameters at `pixel`."""
  image, features = (
    tf.random.stateless_normal([1, *size, channels], [seed, 3 * k + i])
    for i, channels in enumerate([network.image_maps, network.feature_maps])
  )
  with tf.GradientTape() as tape:
    tape.watch(image)
    params = network(image, features)[0, pixel[0], pixel[1]]
    # Random weights keep parameters from cancelling.
    loss = tf.reduce_sum(
      params * tf.random.stateless_normal(params.shape, [seed, 3 * k + 2])
    )
  gradient = tape.gradient(loss, image)
  if gradient is None:
    return np.zeros(size, bool)
  return (gradient.numpy() != 0).any((0, 3))


def draw(field: ReceptiveField) -> np.ndarray:
  """Picture `[rows, columns, 3]`: pixels seen, blind spot, later pixels."""
  offsets = np.array([*field.offsets, (0, 0)])
  corner = offsets.min(0) - 1
  shape = offsets.max(0) + 2 - corner
  *seen, pixel = map(tuple, offsets - corner)
  colours = np.full([*shape, 3], _LATER, np.uint8)
  number = np.arange(shape.prod()).reshape(shape)
  colours[number < number[pixel]] = _BLIND
  for place in seen:
    colours[place] = _SEEN
  colours[pixel] = _PIXEL
  cell = max(3, min(_CELL, _SIDE // max(shape)))
  picture = colours.repeat(cell, 0).repeat(cell, 1)
  picture[cell - 1 :: cell] = picture[:, cell - 1 :: cell] = 0
  return figures.captioned(picture, describe(field), scale=1)


def describe(field: ReceptiveField) -> str:
  """Size of a field as a line of text."""
  above = field.rows_above
  rows = [f'{console.count(above, "row")} above'] if above else []
  if any(di == 0 for di, _ in field.offsets):
    rows.append('its own')
  pixels = console.count(field.num_pixels, 'pixel')
  text = f'{pixels}, {field.width} wide, {field.height} high'
  return f'{text} ({" and ".join(rows)})' if rows else text
