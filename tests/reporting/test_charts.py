"""A chart shows its numbers, and pictures show pixels where they are."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from reporting import made
from vlae_tf.evaluation import receptive_field
from vlae_tf.reporting import charts

_POINTS = [(0.0, 3.0), (1.0, 2.0), (2.0, float('nan')), (3.0, 1.0)]


def _chart(*names, **options):
  series = [charts.Series(name, _POINTS, k, k) for k, name in enumerate(names)]
  return charts.lines(series, 'cost, nats', 'epoch', **options)


def test_it_is_an_image_that_says_what_it_shows():
  chart = _chart('a')
  assert ElementTree.fromstring(made.svg(chart)).tag.endswith('svg')
  assert chart.alt == 'cost, nats over epoch'
  assert made.svg(chart) == made.svg(_chart('a'))


def test_series_have_their_colours_and_names():
  text = made.svg(_chart('one', 'other'))
  for colour in (*charts.COLOURS[:2], charts.INK):
    assert colour in text
  assert 'one' in text and 'other' in text


def test_the_table_has_the_points_that_are_numbers():
  rows = _chart('a').table.rows
  assert rows == (('a', '0', '3'), ('a', '1', '2'), ('a', '3', '1'))


@pytest.mark.parametrize('marked', [None, 1])
def test_a_chosen_point_is_marked(marked):
  text = made.svg(_chart('a', ticks=list('abcd'), marked=marked))
  assert text.count('id="marked"') == (marked is not None)


def test_long_lines_are_means_of_stretches():
  points = [(k, k % 2) for k in range(10_000)]
  table = charts.lines([charts.Series('a', points)], 'y', 'x').table
  assert all(abs(float(y) - 0.5) < 0.02 for _, _, y in table.rows)


def test_the_first_of_a_training_does_not_flatten_the_rest():
  points = [(k, 1000.0 if k < 2 else 100 - k / 10) for k in range(200)]
  low, high = charts._usual([y for _, y in points])
  assert low < 80.1 and 99 < high < 200


def test_names_cannot_be_markup():
  series = [charts.Series('<b>&"', _POINTS)] * 2
  text = made.svg(charts.lines(series, '<i>', 'a&b'))
  ElementTree.fromstring(text)
  assert '<b>' not in text and '<i>' not in text


def test_bars_are_as_high_as_the_numbers():
  chart = charts.bars([1.0, 4.0, 2.0], 'rate', 'number', '', ['5', '3', '8'])
  assert chart.table.rows == (('5', '1.000'), ('3', '4.000'), ('8', '2.000'))
  shapes = re.findall(r'<path d="([^"]*)" clip-path', made.svg(chart))
  heights = []
  for shape in shapes:
    numbers = [float(x) for x in re.findall(r'[-0-9.]+', shape)]
    heights.append(max(numbers[1::2]) - min(numbers[1::2]))
  bars = [h for h in heights if h > 1][-3:]
  np.testing.assert_allclose(np.divide(bars, bars[0]), [1, 4, 2], rtol=1e-3)


def test_nothing_to_show_is_an_error():
  with pytest.raises(ValueError, match='`series` must have a point'):
    charts.lines([charts.Series('a', [(0, float('nan'))])], 'y', 'x')


_OFFSETS = ((-1, -1), (-1, 0), (-1, 1), (0, -1))


def _cells(picture):
  """The colour in the middle of each cell."""
  return picture[5::10, 5::10].astype(int)


def test_the_pixels_seen_are_blue_and_the_pixel_itself_is_orange():
  image = np.zeros([6, 8, 1])
  image[2, 3] = 1
  cells = _cells(charts.field(image, receptive_field.ReceptiveField(_OFFSETS)))
  assert cells.shape == (6, 8, 3)
  ((i, j),) = np.argwhere((cells == [255, 140, 0]).all(-1))
  # Of all places, one that sees the ink.
  assert (2 - i, 3 - j) in _OFFSETS
  blue = {tuple(x) for x in np.argwhere(cells[..., 2] - cells[..., 0] > 40)}
  assert blue == {(i + di, j + dj) for di, dj in _OFFSETS}
  # What comes later is neither black nor white.
  assert set(cells[i + 1 :].flat) == {72}


def test_a_pixel_that_sees_nothing_has_a_place():
  cells = _cells(
    charts.field(np.zeros([5, 5, 3]), receptive_field.ReceptiveField(()))
  )
  assert np.argwhere((cells == [255, 140, 0]).all(-1)).tolist() == [[2, 2]]


def test_more_nats_are_brighter():
  nats = np.array([[0.0, 1.0], [2.0, 4.0]])
  picture = charts.heat(nats, nats.max()).astype(float)
  assert picture.shape == (2, 2, 3)
  brightness = (picture @ [0.2126, 0.7152, 0.0722]).ravel()
  assert (np.diff(brightness) > 0).all()
  np.testing.assert_array_equal(
    charts.heat(np.zeros([2, 2]), 0.0)[0, 0], picture[0, 0]
  )
