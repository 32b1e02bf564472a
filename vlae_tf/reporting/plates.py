"""Pictures of a page that are more than a grid of images."""

import matplotlib as mpl
import numpy as np

from vlae_tf.evaluation import figures, receptive_field

_CELL = 10  # Sides of a pixel of an image.
_SEEN, _PIXEL = np.array([38, 120, 204]), np.array([255, 140, 0])
_COLOURS = 'viridis'


def field(
  image: np.ndarray, offsets: receptive_field.ReceptiveField
) -> np.ndarray:
  """A receptive field over an image: seen blue, the pixel itself orange."""
  # The pixel is one with much ink before it; what is drawn later is dimmed.
  # image [height, width, channels] -> [rows, columns, 3]
  height, width = image.shape[:2]
  ink = np.abs(image.mean(-1) - np.median(image.mean(-1)))
  i, j = _place(ink, offsets.offsets)
  pixels = 255 * np.broadcast_to(image, (height, width, 3))
  number = np.arange(height * width).reshape(height, width)
  later = number > number[i, j]
  shown = np.where(later[..., None], 0.35 * pixels + 0.65 * 110, pixels)
  for di, dj in offsets.offsets:
    if 0 <= i + di < height and 0 <= j + dj < width:
      shown[i + di, j + dj] = 0.45 * shown[i + di, j + dj] + 0.55 * _SEEN
  shown[i, j] = _PIXEL
  large = np.uint8(np.round(shown)).repeat(_CELL, 0).repeat(_CELL, 1)
  # Lines between pixels.
  large[::_CELL], large[:, ::_CELL] = 110, 110
  return large


def _place(ink, offsets):
  """The pixel that sees most ink, of these the one closest to the centre."""
  height, width = ink.shape
  total = np.zeros_like(ink)
  for di, dj in offsets:
    rows, columns = np.arange(height) + di, np.arange(width) + dj
    is_in = np.ix_(
      (rows >= 0) & (rows < height), (columns >= 0) & (columns < width)
    )
    total[is_in] += ink[is_in[0] + di, is_in[1] + dj]
  distance = np.hypot(
    *np.meshgrid(
      np.arange(height) - height // 2,
      np.arange(width) - width // 2,
      indexing='ij',
    )
  )
  at = np.argmax(total - 1e-3 * distance)
  return divmod(int(at), width)


def heat(nats: np.ndarray, most: float | None = None) -> np.ndarray:
  """Numbers of pixels as colours from dark to bright."""
  # nats [height, width] -> [height, width, 3]
  top = float(nats.max()) if most is None else most
  scaled = np.clip(nats / (top or 1.0), 0, 1)
  colours = mpl.colormaps[_COLOURS](scaled)[..., :3]
  return np.uint8(np.round(255 * colours))


def heats(images: np.ndarray, nats: np.ndarray, most: float) -> np.ndarray:
  """Images, below each the nats of its pixels."""
  # images [num, height, width, channels]; nats [num, height, width] -> [rows,
  # columns, 3]
  maps = np.stack([heat(n, most) for n in nats]) / 255
  images = np.broadcast_to(images, (*images.shape[:3], 3))
  return figures.rows(np.stack([images, maps]))
