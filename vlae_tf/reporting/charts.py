"""Figures of a page: charts by matplotlib, and pictures of pixels."""

import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib import figure as mpl_figure
from matplotlib import ticker
from scipy import ndimage

from vlae_tf.evaluation import figures, receptive_field
from vlae_tf.reporting import page

# Of series on white; the page inverts charts where it is dark.
COLOURS = ('#0b5cad', '#b34700', '#1f7a4d', '#8a2a6b', '#6b5900', '#4b5563')
INK = '#5a636e'
_STYLE: dict[Any, Any] = {
  'axes.edgecolor': INK,
  'axes.labelcolor': INK,
  'axes.spines.right': False,
  'axes.spines.top': False,
  'axes.titlelocation': 'left',
  'axes.titlesize': 9,
  'axes.axisbelow': True,
  'axes.grid': True,
  'axes.grid.axis': 'y',
  'figure.constrained_layout.use': True,
  'figure.figsize': (4.1, 2.7),
  'font.size': 9,
  'grid.color': '#d3d8de',
  'legend.fontsize': 8,
  'legend.frameon': False,
  'lines.linewidth': 1.6,
  'lines.markersize': 5,
  'savefig.transparent': True,
  'svg.fonttype': 'none',
  'svg.hashsalt': 'vlae_tf',  # The same file for the same chart.
  'text.color': INK,
  'xtick.color': INK,
  'ytick.color': INK,
}
_DASHES = ('-', '--', '-.', ':')
_MOST_POINTS, _MOST_ROWS = 130, 40
_CELL = 10  # Sides of a pixel of an image.
_SEEN, _PIXEL = np.array([38, 120, 204]), np.array([255, 140, 0])


class Series(NamedTuple):
  """Points joined by a line."""

  name: str
  points: Sequence[tuple[float, float]]  # (x, y)
  colour: int = 0
  dashes: int = 0


def lines(  # noqa: PLR0913
  series: Sequence[Series],
  title: str,
  x_label: str,
  caption: str = '',
  robust: bool = False,
  ticks: Sequence[str] | None = None,
  marked: float | None = None,
) -> page.Chart:
  """Lines over x, without points that are not finite.

  `robust` leaves the highest values out of the range of y; `marked` is the x
  of points that are emphasised.
  """
  series = [
    s._replace(points=_thinned([p for p in s.points if np.isfinite(p).all()]))
    for s in series
  ]
  series = [s for s in series if s.points]
  if not series:
    raise ValueError(f'`series` must have a point, got none of {title}.')
  with mpl.rc_context(_STYLE):
    axes = _axes(title, x_label)
    for s in series:
      x, y = np.transpose(s.points)
      axes.plot(
        x,
        y,
        _DASHES[s.dashes % len(_DASHES)],
        marker='' if ticks is None else 'o',
        color=COLOURS[s.colour % len(COLOURS)],
        label=s.name,
      )
      if marked is not None:
        ring = dict(mfc='none', mec='black', ms=11, gid='marked')
        axes.plot(x[x == marked], y[x == marked], 'o', **ring)
    if robust:
      axes.set_ylim(*_usual([y for s in series for _, y in s.points]))
    if ticks is not None:
      axes.set_xticks(range(len(ticks)), ticks)
    if len(series) > 1:
      axes.legend()
    source = _source(axes)
  rows = []
  for s in series:
    some = np.linspace(0, len(s.points) - 1, min(len(s.points), _MOST_ROWS))
    for k in np.unique(some.round().astype(int)):
      x, y = s.points[k]
      rows.append((s.name, f'{x:.4g}', f'{y:.4g}'))
  table = page.Table(('', x_label, title), tuple(rows))
  return page.Chart(source, f'{title} over {x_label}', caption or title, table)


def bars(
  values: Sequence[float],
  title: str,
  x_label: str,
  caption: str,
  names: Sequence[str],
) -> page.Chart:
  """A bar for each number."""
  with mpl.rc_context(_STYLE):
    axes = _axes(title, x_label)
    axes.bar(range(len(values)), values, color=COLOURS[0])
    source = _source(axes)
  rows = tuple((name, f'{value:.3f}') for name, value in zip(names, values))
  table = page.Table(('dimension', title), rows)
  return page.Chart(source, f'{title} by {x_label}', caption, table)


def _axes(title, x_label):
  axes = mpl_figure.Figure().add_subplot(title=title, xlabel=x_label)
  axes.xaxis.set_major_locator(ticker.MaxNLocator(6, integer=True))
  return axes


def _source(axes):
  file = io.BytesIO()
  axes.figure.savefig(file, format='svg', metadata={'Date': None})
  return page.data_url(file.getvalue(), 'image/svg+xml')


def _thinned(points):
  """As many points as a chart can show: means over stretches of the line."""
  if len(points) <= _MOST_POINTS:
    return [(float(x), float(y)) for x, y in points]
  parts = np.array_split(np.asarray(points, float), _MOST_POINTS)
  return [tuple(map(float, part.mean(0))) for part in parts]


def _usual(values):
  """Limits of y that include all but the highest values."""
  low, high = np.min(values), np.quantile(values, 0.98)
  room = 0.05 * (high - low or 1.0)
  return low - room, high + room


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
  offsets = np.reshape(offsets, [-1, 2]).astype(int)
  reach = np.abs(offsets).max(0, initial=0)
  seen = np.zeros(2 * reach + 1)
  seen[tuple((offsets + reach).T)] = 1
  total = ndimage.correlate(ink, seen, mode='constant')
  i, j = np.indices(ink.shape)
  distance = np.hypot(i - height // 2, j - width // 2)
  return divmod(int(np.argmax(total - 1e-3 * distance)), width)


def heat(nats: np.ndarray, most: float) -> np.ndarray:
  """Numbers of pixels as colours, dark for 0, bright for `most`."""
  # nats [height, width] -> [height, width, 3]
  scaled = np.clip(nats / (most or 1.0), 0, 1)
  return np.uint8(np.round(255 * mpl.colormaps['viridis'](scaled)[..., :3]))


def heats(images: np.ndarray, nats: np.ndarray, most: float) -> np.ndarray:
  """Images, below each the nats of its pixels."""
  # images [num, height, width, channels]; nats [num, height, width] -> [rows,
  # columns, 3]
  coloured = np.stack([heat(n, most) for n in nats]) / 255
  images = np.broadcast_to(images, (*images.shape[:3], 3))
  return figures.rows(np.stack([images, coloured]))
