"""Charts as SVG that takes its colours and letters from the page around it."""

import io
import re
from collections.abc import Sequence
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib import figure as mpl_figure
from matplotlib import ticker

from vlae_tf.reporting import blocks

# Stand for what the page decides: letters, lines of a grid, series.
_INK, _GRID = '#abc0f0', '#abc0f1'
_SERIES = tuple(f'#abc00{k}' for k in range(6))
_VARIABLES = {_INK: 'faint', _GRID: 'line'}
_VARIABLES |= {colour: f'c{k}' for k, colour in enumerate(_SERIES)}
_DASHES = ('-', '--', '-.', ':')
_SIZE = (4.1, 2.7)  # In inches of 72 units.
_MOST_POINTS, _MOST_ROWS = 130, 40


class Series(NamedTuple):
  """Points that a line joins."""

  name: str  # What they are.
  # Pairs `(x, y)` in the order of the line.
  points: Sequence[tuple[float, float]]
  colour: int = 0  # Number of its colour.
  dashes: int = 0  # Number of its way to be drawn.


def lines(  # noqa: PLR0913
  series: Sequence[Series],
  title: str,
  x_label: str,
  caption: str = '',
  marks: str | None = None,
  robust: bool = False,
  ticks: Sequence[str] | None = None,
) -> blocks.Chart:
  """Lines over x, those without points left out."""
  series = [
    s._replace(points=_thinned([p for p in s.points if np.isfinite(p).all()]))
    for s in series
  ]
  series = [s for s in series if s.points]
  if not series:
    raise ValueError(f'`series` must have a point, got none of {title}.')
  with _style((title, series)):
    drawing, axes = _axes(title, x_label)
    for s in series:
      x, y = np.transpose(s.points)
      look = dict(color=_colour(s.colour), label=s.name, linewidth=1.6)
      axes.plot(x, y, _DASHES[s.dashes % len(_DASHES)], **look)
      for x, y in s.points if marks else ():
        (mark,) = axes.plot(x, y, 'o', color=look['color'], markersize=5)
        mark.set_gid(f'{marks}-option-{x:.0f}')
    if robust:
      axes.set_ylim(*_usual([y for s in series for _, y in s.points]))
    if ticks is not None:
      axes.set_xticks(range(len(ticks)), ticks)
    if len(series) > 1:
      axes.legend()
    svg = _svg(drawing, f'{title} over {x_label}', marks)
  return blocks.Chart(svg, caption or title, _numbers(series, title, x_label))


def bars(
  values: Sequence[float],
  title: str,
  x_label: str,
  caption: str = '',
  names: Sequence[str] | None = None,
) -> blocks.Chart:
  """A bar for each number."""
  with _style((title, list(values))):
    drawing, axes = _axes(title, x_label)
    axes.bar(np.arange(len(values)), values, color=_SERIES[0], width=0.8)
    svg = _svg(drawing, f'{title} by {x_label}')
  names = [str(k) for k in range(len(values))] if names is None else names
  rows = tuple((name, f'{value:.3f}') for name, value in zip(names, values))
  return blocks.Chart(svg, caption, blocks.Table(('number', title), rows))


def _style(shown):
  """Settings of matplotlib; ids in a drawing come from what it shows."""
  return mpl.rc_context(
    {
      'svg.fonttype': 'none',
      'svg.hashsalt': repr(shown),
      'font.size': 9,
      'axes.titlesize': 9,
      'legend.fontsize': 8,
      'legend.frameon': False,
      'axes.spines.top': False,
      'axes.spines.right': False,
      'grid.color': _GRID,
      'text.color': _INK,
      'axes.edgecolor': _INK,
      'axes.labelcolor': _INK,
      'xtick.color': _INK,
      'ytick.color': _INK,
    }
  )


def _axes(title, x_label):
  drawing = mpl_figure.Figure(figsize=_SIZE, layout='constrained')
  axes = drawing.add_subplot()
  axes.set_title(title, loc='left')
  axes.set_xlabel(x_label)
  axes.grid(axis='y', linewidth=0.7)
  axes.set_axisbelow(True)
  axes.xaxis.set_major_locator(ticker.MaxNLocator(6, integer=True))
  return drawing, axes


def _svg(drawing, words, chooser=None):
  """The element; its colours are the page's, its words are for who hears."""
  file = io.StringIO()
  drawing.savefig(file, format='svg', transparent=True, metadata={'Date': None})
  text = file.getvalue()
  text = text[text.index('<svg') :]
  text = re.sub(r'<metadata>.*?</metadata>', '', text, flags=re.DOTALL)
  text = re.sub(r' (?:width|height)="[0-9.]+pt"', '', text)
  # They would hold for the whole page.
  text = re.sub(r'<style.*?</style>', '', text, flags=re.DOTALL)
  text = re.sub(r' id="[a-z0-9.]+_[0-9]+"', '', text)
  text = re.sub(r'\n\s*', '\n', text)
  for colour, name in _VARIABLES.items():
    text = text.replace(colour, f'var(--{name})')
  text = re.sub(r'font-family: [^;"]*', 'font-family: var(--font)', text)
  if chooser is not None:
    told = rf'class="point" data-chooser="{chooser}" data-option="\1"'
    text = re.sub(rf'id="{re.escape(chooser)}-option-(\d+)"', told, text)
  words = words.replace('&', '&amp;').replace('<', '&lt;').replace('"', "'")
  return text.replace('<svg ', f'<svg role="img" aria-label="{words}" ', 1)


def _colour(number):
  return _SERIES[number % len(_SERIES)]


def _thinned(points):
  """As many points as a chart can show: means of those of a stretch."""
  if len(points) <= _MOST_POINTS:
    return [(float(x), float(y)) for x, y in points]
  parts = np.array_split(np.asarray(points, float), _MOST_POINTS)
  return [tuple(map(float, part.mean(0))) for part in parts]


def _usual(values):
  """Limits of y that all but the highest values are in."""
  low, high = np.min(values), np.quantile(values, 0.98)
  room = 0.05 * (high - low or 1.0)
  return low - room, high + room


def _numbers(series, title, x_label):
  """The points as a table, of those of a long line some."""
  rows = []
  for s in series:
    some = np.linspace(0, len(s.points) - 1, min(len(s.points), _MOST_ROWS))
    for k in np.unique(some.round().astype(int)):
      x, y = s.points[k]
      rows.append((s.name, f'{x:.4g}', f'{y:.4g}'))
  return blocks.Table(('', x_label, title), tuple(rows))
