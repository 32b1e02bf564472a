"""Charts show points where their axes say."""

import numpy as np
import pytest

from vlae_tf.evaluation import charts

_RED = (0xD1, 0x49, 0x5B)  # Of the second series.
_PLACES = [(0.0, 3.5), (10.0, 5.5)]


def _rows_of_points(**kwargs):
  """Rows of pixels in which the second series' points lie."""
  image = charts.chart({'a': [(0.0, 3.5)], 'b': _PLACES}, 'y', 'x', **kwargs)
  # Without what is right of the chart: names of series have their colours.
  inside = (image[:, :-200] == _RED).all(-1)
  return np.flatnonzero(inside.any(1))


@pytest.mark.parametrize('from_zero', [True, False])
def test_y_begins_where_it_should(from_zero):
  height = 340
  rows = _rows_of_points(from_zero=from_zero, height=height)
  top, bottom = 30, height - 48
  # From round number to round number: 0 to 6, or 3.5 to 5.5.
  low, high = (0.0, 6.0) if from_zero else (3.5, 5.5)
  lowest = bottom + (3.5 - low) / (high - low) * (top - bottom)
  assert rows.max() == pytest.approx(lowest + 4, abs=1.5)


def test_a_chart_needs_a_point():
  with pytest.raises(ValueError, match='`series` must have a place'):
    charts.chart({'a': []}, 'y', 'x')
