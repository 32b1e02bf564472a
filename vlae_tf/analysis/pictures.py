"""Pictures of images: grids, and PNG files."""

import io
import math
import os

import numpy as np
from PIL import Image

from vlae_tf.system import atomic

_BACKGROUND = 96
_FRAME = np.array([255, 140, 0], np.uint8)  # Around originals.


def grid(images: np.ndarray, columns: int | None = None) -> np.ndarray:
  """Lays images out in rows, nearly square by default.

  Args:
    images: Array of shape `[num, height, width, channels]` in [0, 1], one or
      three channels.
    columns: Number of columns.

  Returns:
    A uint8 array of shape `[rows, columns, 3]`.
  """
  tiles = [_tile(image) for image in images]
  columns = columns or math.ceil(math.sqrt(len(tiles)))
  blank = np.full_like(tiles[0], _BACKGROUND)
  tiles += [blank] * (-len(tiles) % columns)
  rows = [
    np.concatenate(tiles[i : i + columns], axis=1)
    for i in range(0, len(tiles), columns)
  ]
  return np.concatenate(rows)


def beside(
  originals: np.ndarray, draws: np.ndarray, groups: int | None = None
) -> np.ndarray:
  """Originals, framed, with draws made from them on their right.

  Args:
    originals: Array of shape `[num, height, width, channels]` in [0, 1].
    draws: Array of shape `[draws, num, height, width, channels]`.
    groups: Number of originals in a row; nearly square by default.

  Returns:
    A uint8 array of shape `[rows, columns, 3]`.
  """
  groups = groups or max(1, round(math.sqrt(len(originals) / (1 + len(draws)))))
  cells = []
  for original, *of_it in zip(originals, *draws):
    row = [_tile(original, framed=True), *[_tile(d) for d in of_it]]
    cells.append(_with_margin(np.concatenate(row, 1)))
  cells += [np.full_like(cells[0], _BACKGROUND)] * (-len(cells) % groups)
  rows = [
    np.concatenate(cells[i : i + groups], axis=1)
    for i in range(0, len(cells), groups)
  ]
  return np.concatenate(rows)


def encode_png(picture: np.ndarray, scale: int = 2) -> bytes:
  """PNG bytes of a picture, enlarged by whole pixels.

  Args:
    picture: Uint8 array of shape `[height, width, 3]`.
    scale: Integer factor.

  Returns:
    Bytes.
  """
  picture = picture.repeat(scale, axis=0).repeat(scale, axis=1)
  buffer = io.BytesIO()
  Image.fromarray(picture).save(buffer, format='PNG')
  return buffer.getvalue()


def check_png_path(path: str | os.PathLike) -> None:
  """Checks early that a path can become a PNG file.

  Args:
    path: Path.

  Raises:
    ValueError: It does not end in .png, or its directory cannot be written.
  """
  if not str(path).lower().endswith('.png'):
    raise ValueError(f'`out` must end in .png, got {path!r}.')
  atomic.check_writable(path)


def save_png(
  path: str | os.PathLike, picture: np.ndarray, scale: int = 2
) -> None:
  """Writes a picture to a PNG file, atomically; see `encode_png`.

  Raises:
    ValueError: The path cannot be written.
  """
  atomic.write_bytes(path, encode_png(picture, scale))


def _with_margin(row, width=4):
  """Room between a group and the next."""
  return np.pad(row, ((0, 0), (0, width), (0, 0)), constant_values=_BACKGROUND)


def _tile(image, framed=False):
  """One image as uint8 colours, with a margin or a frame of one pixel."""
  if image.shape[-1] not in (1, 3):
    raise ValueError(
      f'`images` must have 1 or 3 channels, got shape {image.shape}.'
    )
  pixels = np.uint8(np.round(255 * np.clip(image, 0, 1)))
  pixels = np.broadcast_to(pixels, (*image.shape[:2], 3))
  tile = np.full([s + 2 for s in image.shape[:2]] + [3], _BACKGROUND, np.uint8)
  if framed:
    tile[:] = _FRAME
  tile[1:-1, 1:-1] = pixels
  return tile
