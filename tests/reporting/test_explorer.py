"""The page of a sweep shows each window with its own numbers."""

import numpy as np
import pytest
from reproduction.made import record, score

from reporting import made
from vlae_tf.reporting import explorer, page
from vlae_tf.reproduction import windows

_WINDOWS = ('factorised', '2x1', 'full')


@pytest.fixture
def sweep():
  """Rows of three windows, and what is drawn of them."""
  rng = np.random.default_rng(0)
  rows = [
    windows.Row(
      name,
      10 * k,
      record(name, score(90.0 - k, rate_bits=30.0 - 9 * k)),
      [] if k else [0.5, 0.6],
      None if k else 100,
    )
    for k, name in enumerate(_WINDOWS)
  ]
  images = rng.uniform(size=(4, 5, 6, 1))
  drawn = [
    {name: rng.uniform(size=(2, 4, 5, 6, 1)) for name in _WINDOWS}
    for _ in range(2)
  ]
  return rows, windows.Drawn(images, *drawn)


def test_a_panel_has_the_numbers_of_its_window(sweep):
  found = explorer.make(*sweep, 'omniglot')
  chooser = found.sections[1].blocks[0]
  assert chooser.options == _WINDOWS and not chooser.slides
  for k, (name, panel) in enumerate(zip(_WINDOWS, chooser.panels)):
    cells = dict(panel[0].rows)
    assert cells['rate, bits'] == f'{30 - 9 * k:.1f}'
    assert cells['NLL, nats'] == f'{90 - k:.2f} +- 0.25'
    pictures = [part[0] for part in panel[1].parts]
    assert all(name in picture.alt for picture in pictures)
  sources = {
    part[0].source for panel in chooser.panels for part in panel[1].parts
  }
  assert len(sources) == 6


def _charts(page_):
  """Charts by window."""
  panels = page_.sections[1].blocks[0].panels
  return [[part[0] for part in panel[2].parts] for panel in panels]


def test_charts_mark_the_window_of_their_panel(sweep):
  for k, charts in enumerate(_charts(explorer.make(*sweep, 'omniglot'))):
    # Bits; NLL and bound; the probe, which only the first window has.
    assert [len(chart.table.rows) for chart in charts] == [3, 6, 1]
    marks = [made.svg(chart).count('id="marked"') for chart in charts]
    assert marks[:2] == [1, 2]
    assert all(name in made.svg(charts[0]) for name in _WINDOWS)
    assert all(_WINDOWS[k] in chart.caption for chart in charts)


def test_a_point_without_neighbours_keeps_its_window(sweep):
  rows, drawn = sweep
  rows = [rows[0]._replace(accuracies=[]), rows[1], rows[2]]
  rows[2] = rows[2]._replace(accuracies=[0.25, 0.75])
  for _, _, probe in _charts(explorer.make(rows, drawn, 'a')):
    assert probe.table.rows == (('probe', '2', '50'),)


def test_all_numbers_are_in_a_table(sweep):
  found = explorer.make(*sweep, 'a')
  assert isinstance(found.sections[2].blocks[0], page.Table)
