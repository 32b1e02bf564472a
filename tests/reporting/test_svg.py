"""A chart shows its numbers, in the colours of the page."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from vlae_tf.reporting import svg

_POINTS = [(0.0, 3.0), (1.0, 2.0), (2.0, float('nan')), (3.0, 1.0)]


def _chart(*names, **options):
  series = [svg.Series(name, _POINTS, k, k) for k, name in enumerate(names)]
  return svg.lines(series, 'cost, nats', 'epoch', **options)


def test_it_is_one_element_that_says_what_it_shows():
  root = ElementTree.fromstring(_chart('a').svg)
  assert root.tag.endswith('svg') and root.get('role') == 'img'
  assert root.get('aria-label') == 'cost, nats over epoch'
  # As wide as there is room.
  assert root.get('viewBox') and root.get('width') is None


def test_all_colours_are_those_of_the_page():
  text = _chart('a', 'b').svg
  assert {'faint', 'line', 'c0', 'c1'} == set(
    re.findall(r'var\(--(\w+)\)', text)
  ) - {'font'}
  assert not re.findall('#[0-9a-f]{6}', text.replace('#000000', ''))
  # Black is for marks that have a colour of their own.
  assert 'fill: #000000' not in text and '<style' not in text


def test_two_charts_have_no_id_in_common():
  texts = [_chart(name).svg for name in ('a', 'b')]
  one, other = (set(re.findall(r'\bid="([^"]*)"', text)) for text in texts)
  # But for marks, which are the same wherever they are.
  assert not {i for i in one & other if not i.startswith('m')}


def test_the_table_has_the_points_that_are_numbers():
  rows = _chart('a').table.rows
  assert rows == (('a', '0', '3'), ('a', '1', '2'), ('a', '3', '1'))


def test_a_point_of_a_chooser_has_its_option():
  text = _chart('a', marks='window').svg
  told = re.findall(
    'class="point" data-chooser="(.*?)" data-option="(.*?)"', text
  )
  assert told == [('window', '0'), ('window', '1'), ('window', '3')]
  assert 'data-option' not in _chart('a').svg


def test_long_lines_are_means_of_stretches():
  points = [(k, k % 2) for k in range(10_000)]
  (line,) = (svg.lines([svg.Series('a', points)], 'y', 'x').table,)
  assert all(abs(float(y) - 0.5) < 0.02 for _, _, y in line.rows)


def test_the_first_of_a_training_does_not_flatten_the_rest():
  points = [(k, 1000.0 if k < 2 else 100 - k / 10) for k in range(200)]
  low, high = svg._usual([y for _, y in points])
  assert low < 80.1 and 99 < high < 200


def test_names_cannot_be_markup():
  text = svg.lines([svg.Series('<b>&"', _POINTS)] * 2, '<i>', 'a&b').svg
  ElementTree.fromstring(text)
  assert '<b>' not in text and '<i>' not in text


def test_bars_are_as_high_as_the_numbers():
  chart = svg.bars([1.0, 4.0, 2.0], 'rate', 'number', names=['5', '3', '8'])
  assert chart.table.rows == (('5', '1.000'), ('3', '4.000'), ('8', '2.000'))
  shapes = re.findall(r'<path d="([^"]*)" clip-path', chart.svg)
  heights = []
  for shape in shapes:
    numbers = [float(x) for x in re.findall(r'[-0-9.]+', shape)]
    heights.append(max(numbers[1::2]) - min(numbers[1::2]))
  bars = [h for h in heights if h > 1][-3:]
  np.testing.assert_allclose(np.divide(bars, bars[0]), [1, 4, 2], rtol=1e-3)


def test_nothing_to_show_is_an_error():
  with pytest.raises(ValueError, match='`series` must have a point'):
    svg.lines([svg.Series('a', [(0, float('nan'))])], 'y', 'x')
