"""Pictures of images: grids, and PNG files."""

import io
import math
import os

import numpy as np
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from vlae_tf.utils import files

PAPER = 255  # White.
_BACKGROUND = 96
_FONT_SIZE, _LINE_HEIGHT, _GAP = 14, 18, 6  # In pixels of the file.
_LEAST_CAPTION_WIDTH = 240
_FRAME = np.array([255, 140, 0], np.uint8)  # Around originals.


def grid(images: np.ndarray, columns: int | None = None) -> np.ndarray:
  """Lays images out in rows, nearly square by default."""
  # images [num, height, width, channels] -> [rows, columns, 3]
  if not len(images):
    raise ValueError('`images` must not be empty, got none.')
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
  """Originals, framed, with draws made from them on their right."""
  # originals [num, height, width, channels]; draws [draws, num, height, width,
  # channels] -> [rows, columns, 3]
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


def rows(images: np.ndarray, framed: tuple[int, ...] = ()) -> np.ndarray:
  """Rows of images, one below the other, originals among them framed."""
  # images [rows, columns, height, width, channels] -> [rows, columns, 3]
  columns = range(images.shape[1])
  originals = {columns[i] for i in framed}
  return np.concatenate(
    [
      np.concatenate([_tile(row[i], i in originals) for i in columns], 1)
      for row in images
    ]
  )


def captioned(picture: np.ndarray, text: str, scale: int = 2) -> np.ndarray:
  """A picture, enlarged by whole pixels, above a strip with a text."""
  # The text is broken into lines; a picture that is too narrow for words gets
  # room on its right.
  # picture [height, width, 3] -> [rows, columns, 3]
  picture = _enlarged(picture, scale)
  width = max(picture.shape[1], _LEAST_CAPTION_WIDTH)
  missing = width - picture.shape[1]
  picture = np.pad(
    picture, ((0, 0), (0, missing), (0, 0)), constant_values=PAPER
  )
  return np.concatenate([picture, text_strip(text, width)])


def text_strip(text: str, width: int) -> np.ndarray:
  """Black text on white, broken into as many lines as it needs."""
  # -> [rows, width, 3]
  font = letters()
  # The bitmap font of Pillow knows no others.
  text = text.encode('latin-1', 'replace').decode('latin-1')
  lines = _broken(text, lambda part: font.getlength(part) <= width - 2 * _GAP)
  size = (width, len(lines) * _LINE_HEIGHT + 2 * _GAP)
  strip = Image.new('RGB', size, (PAPER,) * 3)
  for i, line in enumerate(lines):
    place = (_GAP, _GAP + i * _LINE_HEIGHT)
    ImageDraw.Draw(strip).text(place, line, fill=(0, 0, 0), font=font)
  return np.asarray(strip)


def letters() -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
  """Pillow's own: of this size since 10.1, if it was built with FreeType."""
  try:
    return ImageFont.load_default(size=_FONT_SIZE)
  except (TypeError, ImportError):
    return ImageFont.load_default()


def _broken(text, fits):
  """The lines of a text; a word that does not fit is broken, too."""
  lines = ['']
  for word in text.split():
    joined = f'{lines[-1]} {word}'.lstrip()
    if fits(joined):
      lines[-1] = joined
      continue
    if lines[-1]:
      lines.append('')
    for letter in word:
      if lines[-1] and not fits(lines[-1] + letter):
        lines.append('')
      lines[-1] += letter
  return lines


def encode_png(
  picture: np.ndarray, scale: int = 2, text: str | None = None
) -> bytes:
  """PNG bytes of a picture, enlarged by whole pixels."""
  # picture [height, width, 3]
  buffer = io.BytesIO()
  about = PngImagePlugin.PngInfo()
  if text is not None:
    # A path need not be text.
    text = text.encode('utf-8', 'replace').decode('utf-8')
    about.add_text('Description', text)
  image = Image.fromarray(_enlarged(picture, scale))
  image.save(buffer, format='PNG', pnginfo=about)
  return buffer.getvalue()


def check_png_path(path: str | os.PathLike) -> None:
  """Checks early that a path can become a PNG file."""
  if not str(path).lower().endswith('.png'):
    raise ValueError(f'`out` must end in .png, got {str(path)!r}.')
  try:
    files.check_writable(path)
  except (OSError, ValueError) as error:
    raise ValueError(f'`out` must be a file to write: {error}') from error


def save_png(
  path: str | os.PathLike,
  picture: np.ndarray,
  scale: int = 2,
  text: str | None = None,
) -> None:
  """Writes a picture to a PNG file, atomically; see `encode_png`."""
  files.write_bytes(path, encode_png(picture, scale, text))


def _enlarged(picture, scale):
  return picture.repeat(scale, axis=0).repeat(scale, axis=1)


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
