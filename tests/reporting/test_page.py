"""A page is one file, says what it was given, and runs nothing else."""

import html.parser
import re

import numpy as np
import pytest

from vlae_tf.reporting import charts, page

_NASTY = '<script>alert("&\')</script>'


class _Reader(html.parser.HTMLParser):
  """Collects tags with their attributes, and checks that they are closed."""

  def __init__(self, text):
    super().__init__()
    self.found, self.open, self.text = [], [], ''
    self.feed(text)
    assert not self.open, self.open

  def handle_starttag(self, tag, attrs):
    self.found.append((tag, dict(attrs)))
    if tag not in ('meta', 'link', 'img', 'input'):
      self.open.append(tag)

  def handle_startendtag(self, tag, attrs):
    self.found.append((tag, dict(attrs)))

  def handle_endtag(self, tag):
    assert self.open.pop() == tag, (tag, self.getpos())

  def handle_data(self, data):
    self.text += data

  def all(self, tag):
    return [attrs for name, attrs in self.found if name == tag]


def _page(word='word'):
  picture = page.picture(np.zeros([4, 6, 3], np.uint8), word, word)
  chart = charts.lines([charts.Series(word, [(0, 1), (1, 2)])], word, word)
  table = page.Table((word, word), ((word, '1.5'), (word, word)), word)
  every = (
    page.Text((word,)),
    page.Listing((word, word)),
    table,
    page.Table((word,), ((word,),), word, folded=True),
    chart,
    picture,
    page.Chooser('slide', word, ('a', word), ((picture,), (table,)), True),
    page.Chooser('press', word, ('a', word), ((picture,), (table,))),
    page.Columns((word, word), ((picture,), (table,))),
    page.Columns((), ((chart,), (picture, table))),
  )
  return page.Page(word, word, (page.Section('all', word, every),))


def test_it_is_well_formed_and_shows_every_kind_of_block():
  read = _Reader(page.render(_page()))
  kinds = {b.__name__ for b in page.Block.__args__}
  shown = {type(b).__name__ for b in _page().sections[0].blocks}
  assert shown == kinds
  for tag, num in (('table', 8), ('img', 7), ('pre', 1)):
    assert len(read.all(tag)) == num, tag


def test_it_asks_for_nothing():
  read = _Reader(page.render(_page()))
  for _, attrs in read.found:
    for name in ('src', 'href', 'xlink:href', 'action', 'srcset', 'data'):
      assert (attrs.get(name) or '#').startswith(('#', 'data:')), attrs
  styles = (page._FOLDER / 'page.css').read_text()
  scripts = (page._FOLDER / 'page.js').read_text()
  assert not re.search(r'url\(|@import|https?:', styles)
  assert not re.search(r'fetch|XMLHttp|import\b|https?:|eval', scripts)


def test_texts_are_texts_wherever_they_stand():
  plain, nasty = (_Reader(page.render(_page(w))) for w in ('word', _NASTY))
  assert [tag for tag, _ in plain.found] == [tag for tag, _ in nasty.found]
  assert len(nasty.all('script')) == 1
  assert all(not any(k.startswith('on') for k in a) for _, a in nasty.found)


def test_ids_are_there_once_and_links_lead_to_them():
  read = _Reader(page.render(_page()))
  ids = [attrs['id'] for _, attrs in read.found if 'id' in attrs]
  assert len(ids) == len(set(ids))
  for attrs in (a for tag, a in read.found if tag == 'a'):
    assert attrs['href'][1:] in ids
  for label in (a for a in read.all('label') if 'for' in a):
    assert label['for'] in ids


def test_whoever_does_not_see_pictures_is_told():
  read = _Reader(page.render(_page()))
  assert all(a['alt'] for a in read.all('img'))
  assert read.all('html')[0]['lang'] == 'en'
  # A table that scrolls can be reached by keys.
  scrolled = [a for a in read.all('div') if a.get('class') == 'scroll']
  assert scrolled and all(a['tabindex'] == '0' for a in scrolled)


def test_of_one_part_there_are_no_columns():
  text = page.Text(('a',))
  assert page.side_by_side(['x'], [[text]]) == [text]
  (both,) = page.side_by_side(['x', 'y'], [[text], [text]])
  assert both.heads == ('x', 'y')
  (one,) = page.side_by_side(['x', 'y'], [[], [text]])
  assert one.heads == ('y',)
  assert page.side_by_side(['x', 'y'], [[], []]) == []


def test_a_page_that_is_too_large_is_not_written(tmp_path, monkeypatch):
  monkeypatch.setattr(page, 'MOST_BYTES', 1000)
  with pytest.raises(ValueError, match='`out` must be at most 1,000 bytes'):
    page.write(_page(), tmp_path / 'a.html')
  assert not any(tmp_path.iterdir())


def _luminance(rgb):
  linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
  return linear @ [0.2126, 0.7152, 0.0722]


def _inverted(colour):
  """The filter of charts on a dark page: invert(1) hue-rotate(180deg)."""
  # The matrix of the SVG specification for feColorMatrix's hueRotate.
  luminance = np.array([0.213, 0.715, 0.072])
  turned = 2 * np.tile(luminance, (3, 1)) - np.eye(3)
  return np.clip(turned @ (1 - colour), 0, 1)


def _rgb(colour):
  return np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_letters_and_lines_stand_out(scheme):
  """4.5 for letters and 3 for lines, as WCAG 2.1 asks (1.4.3 and 1.4.11)."""
  text = (page._FOLDER / 'page.css').read_text()
  pairs = re.findall(r'--(\w+): light-dark\((#\w{6}), (#\w{6})\)', text)
  colours = {name: _rgb(pair[scheme == 'dark']) for name, *pair in pairs}
  assert {'paper', 'panel', 'ink', 'faint', 'accent'} <= colours.keys()
  of_charts = [_rgb(c) for c in (*charts.COLOURS, charts.INK)]
  assert 'invert(1) hue-rotate(180deg)' in text
  if scheme == 'dark':
    of_charts = [_inverted(c) for c in of_charts]
  of_page = [
    v for k, v in colours.items() if k not in ('paper', 'panel', 'line')
  ]
  for grounds, shown in (
    (('paper', 'panel'), of_page),
    (('paper',), of_charts),
  ):
    for ground in grounds:
      for colour in shown:
        levels = _luminance(colours[ground]), _luminance(colour)
        dark, bright = sorted(levels)
        assert (bright + 0.05) / (dark + 0.05) >= 4.5, colour
