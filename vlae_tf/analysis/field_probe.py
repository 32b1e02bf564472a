"""What a network sees of the image: found by probing gradients, and drawn."""

import dataclasses

import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw

from vlae_tf.nn.causal import network as causal_network

_CELL = 16  # Side of a drawn pixel.
_SEEN, _PIXEL = (70, 130, 200), (255, 140, 0)
_BLIND, _LATER = (255, 255, 255), (150, 150, 150)


@dataclasses.dataclass(frozen=True)
class ReceptiveField:
  """The pixels that the parameters of one pixel depend on.

  Attributes:
    offsets: Sorted tuple of `(di, dj)`, relative to the pixel.
  """

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

  def _extent(self, axis):
    positions = [offset[axis] for offset in self.offsets]
    return max(positions) - min(positions) + 1 if positions else 0


def find(
  network: causal_network.CausalNetwork, seed: int = 0
) -> ReceptiveField:
  """Finds the exact receptive field, by gradients at random images.

  >>> from vlae_tf import nn
  >>> network = nn.WindowCNN(outputs=1, window=(3, 1), units=4, depth=2)
  >>> network.build((None, None, None, 1), (None, None, None, 1))
  >>> find(network).offsets
  ((-1, -1), (-1, 0), (-1, 1), (0, -1))

  Args:
    network: Built `CausalNetwork`.
    seed: Python integer that decides the images and features.

  Returns:
    A `ReceptiveField`.
  """
  reach = 8
  while True:
    seen = _seen_from_center(network, reach, seed)
    offsets = [(int(i), int(j)) for i, j in np.argwhere(seen) - reach]
    # What touches the canvas's edge may go on beyond it.
    if not any(reach in map(abs, offset) for offset in offsets):
      return ReceptiveField(tuple(sorted(offsets)))
    reach *= 2


def _seen_from_center(network, reach, seed, images=8):
  """Which pixels of a canvas with `reach` around its center pixel are seen."""
  shape = [images, 2 * reach + 1, 2 * reach + 1]
  image, features = (
    tf.random.stateless_normal([*shape, maps], [seed, k])
    for k, maps in enumerate([network.image_maps, network.feature_maps])
  )
  with tf.GradientTape() as tape:
    tape.watch(image)
    center = network(image, features)[:, reach, reach]
    # Weights of their own keep parameters from cancelling.
    loss = tf.reduce_sum(
      center * tf.random.stateless_normal(center.shape, [seed, 2])
    )
  gradient = tape.gradient(loss, image)
  if gradient is None:
    return np.zeros(shape[1:], bool)
  return (gradient.numpy() != 0).any((0, 3))


def draw(field: ReceptiveField) -> np.ndarray:
  """Draws a field: seen, the pixel itself, a blind spot, and later pixels.

  Args:
    field: `ReceptiveField`.

  Returns:
    A uint8 array of shape `[rows, columns, 3]`.
  """
  offsets = np.array([*field.offsets, (0, 0)])
  (top, left), (bottom, right) = offsets.min(0) - 1, offsets.max(0) + 1
  size = ((right - left + 1) * _CELL, (bottom - top + 1) * _CELL)
  picture = Image.new('RGB', size)
  canvas = ImageDraw.Draw(picture)
  for i in range(top, bottom + 1):
    for j in range(left, right + 1):
      x, y = (j - left) * _CELL, (i - top) * _CELL
      box = (x, y, x + _CELL - 2, y + _CELL - 2)
      canvas.rectangle(box, fill=_color(field, (i, j)))
  return _with_title(np.asarray(picture), describe(field))


def _color(field, offset):
  if offset == (0, 0):
    return _PIXEL
  if offset in field.offsets:
    return _SEEN
  return _BLIND if offset < (0, 0) else _LATER


def _with_title(picture, text):
  width = max(picture.shape[1], 7 * len(text))
  title = Image.new('RGB', (width, 20), (255, 255, 255))
  ImageDraw.Draw(title).text((4, 4), text, fill=(0, 0, 0))
  missing = width - picture.shape[1]
  picture = np.pad(picture, [(0, 0), (0, missing), (0, 0)], constant_values=255)
  return np.concatenate([np.asarray(title), picture])


def describe(field: ReceptiveField) -> str:
  """A field's numbers as a line of text."""
  return f'{field.num_pixels} pixels, {field.width} wide, {field.height} high'
