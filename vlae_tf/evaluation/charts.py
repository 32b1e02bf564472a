"""Charts of a few points, drawn with Pillow alone."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw

from vlae_tf.evaluation import pictures

_COLOURS = ('#1b6ca8', '#d1495b', '#2e8b57', '#8a5a00', '#6a4c93', '#555555')
# Around the chart; the names of the series are on its right.
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 176, 30, 48
_TICKS = 5  # About so many on an axis.
_RADIUS = 4

Points = Sequence[tuple[float, float]]


def chart(
  series: Mapping[str, Points],
  title: str,
  x_label: str,
  width: int = 560,
  height: int = 340,
  from_zero: bool = True,
) -> np.ndarray:
  """Points of some series, those of each joined in their order."""
  # -> [height, width, 3]
  places = np.array([p for points in series.values() for p in points], float)
  if not places.size:
    raise ValueError('`series` must have a place, got none.')
  image = Image.new('RGB', (width, height), 'white')
  draw, font = ImageDraw.Draw(image), pictures.letters()
  least, most = places.min(0), places.max(0)
  least = np.where([True, from_zero], np.minimum(least, 0.0), least)
  ticks = [_ticks(low, high) for low, high in zip(least, most)]
  spans = (_LEFT, width - _RIGHT), (height - _BOTTOM, _TOP)

  def at(axis, value):
    (low, *_, high), (start, end) = ticks[axis], spans[axis]
    return start + (value - low) / (high - low) * (end - start)

  _draw_grid(draw, font, [[(at(k, v), v) for v in ticks[k]] for k in (0, 1)])
  draw.text((_LEFT, 6), title, 'black', font)
  draw.text((_LEFT, height - 22), x_label, 'black', font)
  for number, (name, points) in enumerate(series.items()):
    colour = _COLOURS[number % len(_COLOURS)]
    shown = [(at(0, x), at(1, y)) for x, y in points]
    draw.line(shown, colour, 2)
    for x, y in shown:
      corners = [x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS]
      draw.ellipse(corners, colour)
    y = _TOP + 6 + 18 * number
    draw.text((width - _RIGHT + 10, y), name, colour, font)
  return np.asarray(image)


def _draw_grid(draw, font, lines):
  """A line for each tick, with its value: `(place, value)` of x, and of y."""
  (left, right), (bottom, top) = ((a[0][0], a[-1][0]) for a in lines)
  for x, value in lines[0]:
    draw.line([x, bottom, x, top], '#dddddd')
    anchor = _anchor(font, 'ma')
    draw.text((x, bottom + 4), f'{value:g}', 'black', font, anchor=anchor)
  for y, value in lines[1]:
    draw.line([left, y, right, y], '#dddddd')
    anchor = _anchor(font, 'rm')
    draw.text((left - 6, y), f'{value:g}', 'black', font, anchor=anchor)


def _anchor(font, anchor):
  """Bitmap fonts know no anchors."""
  return anchor if hasattr(font, 'getmetrics') else None


def _ticks(low, high):
  """Round numbers from at most `low` to at least `high`.

  >>> [float(x) for x in _ticks(0.0, 93.0)]
  [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
  """
  rough = (high - low or 1.0) / _TICKS
  unit = 10.0 ** math.floor(math.log10(rough))
  step = next(unit * k for k in (1, 2, 5, 10) if unit * k >= rough * 0.999)
  first, last = math.floor(low / step), math.ceil(high / step - 1e-9)
  return np.arange(first, max(last, first + 1) + 1) * step
