"""Figures: grids of images, captions, PNG files and charts.

A picture is a uint8 array `[height, width, 3]`; images are `[..., height,
width, channels]` in [0, 1].
"""

import io
import math
import os
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from vlae_tf.evaluation import sampling
from vlae_tf.models import vlae as model_lib
from vlae_tf.utils import console, files

_PAPER = 255  # White.
_BACKGROUND = 96
_FONT_SIZE, _LINE_HEIGHT, _GAP = 14, 18, 6  # In pixels of the file.
_LEAST_CAPTION_WIDTH = 240
_FRAME = np.array([255, 140, 0], np.uint8)  # Around originals.
_PATHS = {'eps': 'eps (along great circles)', 'z': 'z (straight)'}
_DOTS_PER_INCH = 100

Captioned = tuple[np.ndarray, str]


def grid(images: np.ndarray, columns: int | None = None) -> np.ndarray:
  """Images in reading order, nearly square by default."""
  if not len(images):
    raise ValueError('`images` must not be empty, got none.')
  tiles = [_tile(image) for image in images]
  return _in_rows(tiles, columns or math.ceil(math.sqrt(len(tiles))))


def beside(
  originals: np.ndarray, draws: np.ndarray, groups: int | None = None
) -> np.ndarray:
  """Framed originals, each with its draws `[draws, num, ...]` on the right."""
  groups = groups or max(1, round(math.sqrt(len(originals) / (1 + len(draws)))))
  cells = []
  for original, *drawn in zip(originals, *draws):
    tiles = [_tile(original, framed=True), *map(_tile, drawn)]
    margin = ((0, 0), (0, 4), (0, 0))
    row = np.concatenate(tiles, 1)
    cells.append(np.pad(row, margin, constant_values=_BACKGROUND))
  return _in_rows(cells, groups)


def rows(images: np.ndarray, framed: tuple[int, ...] = ()) -> np.ndarray:
  """Images `[rows, columns, ...]`; the columns `framed` are originals."""
  columns = range(images.shape[1])
  originals = {columns[i] for i in framed}
  tiles = [_tile(row[i], i in originals) for row in images for i in columns]
  return _in_rows(tiles, len(columns))


def _in_rows(tiles, columns):
  blank = np.full_like(tiles[0], _BACKGROUND)
  tiles = [*tiles, *[blank] * (-len(tiles) % columns)]
  starts = range(0, len(tiles), columns)
  return np.concatenate(
    [np.concatenate(tiles[i : i + columns], axis=1) for i in starts]
  )


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


def captioned(picture: np.ndarray, text: str, scale: int = 2) -> np.ndarray:
  """An enlarged picture above a strip with a text, padded to a least width."""
  picture = picture.repeat(scale, axis=0).repeat(scale, axis=1)
  width = max(picture.shape[1], _LEAST_CAPTION_WIDTH)
  picture = padded(picture, len(picture), width)
  return np.concatenate([picture, text_strip(text, width)])


def padded(picture: np.ndarray, height: int, width: int) -> np.ndarray:
  """A picture with white below and on its right, up to a size."""
  below, right = height - picture.shape[0], width - picture.shape[1]
  margins = ((0, below), (0, right), (0, 0))
  return np.pad(picture, margins, constant_values=_PAPER)


def text_strip(text: str, width: int) -> np.ndarray:
  """Black text on white, broken into as many lines as it needs."""
  try:  # Of this size since Pillow 10.1, if it was built with FreeType.
    font = ImageFont.load_default(size=_FONT_SIZE)
  except (TypeError, ImportError):
    font = ImageFont.load_default()
  # The bitmap font of Pillow has no other characters.
  text = text.encode('latin-1', 'replace').decode('latin-1')
  lines = _broken(text, lambda part: font.getlength(part) <= width - 2 * _GAP)
  size = (width, len(lines) * _LINE_HEIGHT + 2 * _GAP)
  strip = Image.new('RGB', size, (_PAPER,) * 3)
  for i, line in enumerate(lines):
    place = (_GAP, _GAP + i * _LINE_HEIGHT)
    ImageDraw.Draw(strip).text(place, line, fill=(0, 0, 0), font=font)
  return np.asarray(strip)


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


def encode_png(picture: np.ndarray, text: str | None = None) -> bytes:
  """PNG bytes of a picture, with a description."""
  buffer = io.BytesIO()
  about = PngImagePlugin.PngInfo()
  if text is not None:
    # A path need not be text.
    text = text.encode('utf-8', 'replace').decode('utf-8')
    about.add_text('Description', text)
  Image.fromarray(picture).save(buffer, format='PNG', pnginfo=about)
  return buffer.getvalue()


def save_png(path: str | os.PathLike, picture: np.ndarray, text: str) -> None:
  """Writes a picture and its description to a PNG file, atomically."""
  files.write_bytes(path, encode_png(picture, text))


def chart(
  series: Mapping[str, Sequence[tuple[float, float]]],
  title: str,
  x_label: str,
  width: int = 560,
  from_zero: bool = True,
) -> np.ndarray:
  """Lines through the points `(x, y)` of each series, as a picture."""
  # Imported here: few commands draw charts, and the first import in a new
  # environment takes seconds to list the fonts.
  from matplotlib import figure
  from matplotlib.backends import backend_agg

  if not any(series.values()):
    raise ValueError('`series` must have a point, got none.')
  size = width / _DOTS_PER_INCH, 340 / _DOTS_PER_INCH
  drawing = figure.Figure(size, dpi=_DOTS_PER_INCH, layout='constrained')
  axes = drawing.add_subplot(xlabel=x_label)
  axes.set_title(title, loc='left')
  for name, points in series.items():
    if points:
      axes.plot(*np.transpose(points), 'o-', label=name)
  if from_zero:
    axes.set_ylim(bottom=min(0.0, axes.dataLim.y0))
  axes.grid(color='#dddddd')
  axes.legend(loc='center left', bbox_to_anchor=(1, 0.5), frameon=False)
  canvas = backend_agg.FigureCanvasAgg(drawing)
  canvas.draw()
  return np.asarray(canvas.buffer_rgba())[..., :3]


def samples(model: model_lib.VLAE, num: int, seed: int = 0) -> Captioned:
  """Unconditional samples, with a description."""
  drawn = sampling.sample_prior(model, num, seed)
  return grid(drawn), f'{console.count(num, "sample")} of the prior'


def decompressions(
  model: model_lib.VLAE, images: np.ndarray, draws: int, seed: int = 0
) -> Captioned:
  """Test images beside lossy reconstructions, with a description."""
  made = sampling.decompress(model, images, draws, seed)
  what = f'{_framed(images)}, each with {console.count(draws, "draw")}'
  return beside(images, made), f'{what} from its latent'


def completions(
  model: model_lib.VLAE,
  images: np.ndarray,
  draws: int,
  num_given: int | None = None,
  seed: int = 0,
) -> Captioned:
  """Test images beside completions, of the upper half by default."""
  if num_given is None:
    height, width = images.shape[1:3]
    num_given = height // 2 * width
  made = sampling.complete(model, images, num_given, draws, seed)
  what = f'{_framed(images)}, each with {console.count(draws, "continuation")}'
  return beside(images, made), f'{what} of its first {num_given} pixels'


def interpolations(
  model: model_lib.VLAE,
  images: np.ndarray,
  steps: int,
  space: str = 'both',
  seed: int = 0,
) -> Captioned:
  """Paths from each test image of even index to the next."""
  spaces = _spaces(space)
  first, last = images[::2], images[1::2]
  paths = [
    sampling.interpolate(model, first, last, steps, name, seed)
    for name in spaces
  ]
  with_ends = [np.concatenate([first[None], p, last[None]]) for p in paths]
  # From [space, column, pair, ...] to [pair, space, column, ...].
  cells = np.stack(with_ends).transpose(2, 0, 1, 3, 4, 5)
  what = (
    f'{console.count(len(first), "pair")} of test images (framed), between '
    f'them draws from {steps} latents on the way from one to the other in '
    f'{" and below in ".join(_PATHS[name] for name in spaces)}, all with the '
    'same pixel noise'
  )
  return rows(cells.reshape(-1, *cells.shape[2:]), (0, -1)), what


def traversals(
  model: model_lib.VLAE,
  images: np.ndarray,
  dimensions: Sequence[int],
  steps: int,
  space: str = 'both',
  seed: int = 0,
) -> Captioned:
  """Test images with one latent dimension varied at a time."""
  blocks, spaces = [], _spaces(space)
  for name in spaces:
    drawn = sampling.traverse(model, images, dimensions, steps, name, seed)
    originals = np.broadcast_to(
      images[:, None, None], [*drawn.shape[:2], 1, *drawn.shape[3:]]
    )
    blocks.append(np.concatenate([originals, drawn], 2))
  cells = np.stack(blocks, 1)
  what = (
    f'{_framed(images)}, on the right draws from the latent with one number of '
    f'{" and below of ".join(spaces)} going from -3 to 3 standard deviations, '
    f'in rows number {", ".join(map(str, dimensions))}, all with the same '
    'pixel noise'
  )
  return rows(cells.reshape(-1, *cells.shape[3:]), (0,)), what


def _spaces(space):
  return sampling.SPACES if space == 'both' else (space,)


def _framed(images):
  return f'{console.count(len(images), "test image")} (framed)'
