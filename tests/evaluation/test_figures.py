"""Grids, captions, PNG files and charts."""

import io
import os

import numpy as np
import pytest
from PIL import Image

from vlae_tf.evaluation import figures
from vlae_tf.utils import files


def test_grid_puts_images_in_reading_order():
  images = np.zeros([5, 4, 3, 1])
  images[3] = 1.0
  picture = figures.grid(images, columns=2)
  assert picture.shape == (3 * 6, 2 * 5, 3)
  white = np.argwhere((picture == 255).all(-1))
  # Image 3 is the second of the second row, inside its margin.
  np.testing.assert_array_equal(white.min(0), [7, 6])
  np.testing.assert_array_equal(white.max(0), [10, 8])


def test_draws_stand_right_of_their_original():
  originals = np.zeros([2, 4, 4, 1])
  draws = np.stack([originals, originals])
  draws[1, 0] = 1.0
  picture = figures.beside(originals, draws, groups=1)
  white = np.argwhere((picture == 255).all(-1))
  np.testing.assert_array_equal(white.min(0), [1, 13])
  np.testing.assert_array_equal(white.max(0), [4, 16])


def test_rows_frame_the_columns_that_are_originals():
  images = np.random.default_rng(0).integers(0, 2, (2, 4, 3, 5, 1))
  picture = figures.rows(images, (0, -1))
  assert picture.shape == (2 * 5, 4 * 7, 3)
  for i in range(2):
    for j in range(4):
      tile = picture[5 * i : 5 * i + 5, 7 * j : 7 * j + 7]
      shown = np.broadcast_to(255 * images[i, j], (3, 5, 3))
      np.testing.assert_array_equal(tile[1:-1, 1:-1], shown)
      coloured = len(set(tile[0, 0].tolist())) > 1  # The rest is grey.
      assert coloured == (j in (0, 3))


def test_png_keeps_every_pixel():
  picture = np.random.default_rng(0).integers(0, 256, (5, 4, 3)).astype('uint8')
  decoded = Image.open(io.BytesIO(figures.encode_png(picture)))
  np.testing.assert_array_equal(np.asarray(decoded), picture)


def _ink(strip):
  return (strip < 128).all(-1)


@pytest.mark.parametrize('width', [1, 60, 119, 500])
def test_a_caption_is_whole_below_the_picture(width):
  picture = np.full([20, width, 3], 200, np.uint8)
  text = 'a_run_with_a_long_name_' * 3 + ', step 14,607 (best): 64 samples'
  whole = figures.captioned(picture, text, scale=2)
  np.testing.assert_array_equal(
    whole[:40, : 2 * width], picture.repeat(2, 0).repeat(2, 1)
  )
  strip = whole[40:]
  assert strip.shape[1] == max(2 * width, 240)
  # Nothing touches the edges: no letter is cut off.
  ink = _ink(strip)
  assert not ink[[0, -1]].any() and not ink[:, [0, -1]].any()
  # As much ink as on one line, where all fits.
  line = _ink(figures.text_strip(text, 3000))
  assert abs(int(ink.sum()) - int(line.sum())) <= 0.1 * line.sum()


def test_words_the_font_lacks_do_not_fail():
  strip = figures.text_strip('läuf_実験 \u202e', 300)
  assert _ink(strip).any()


@pytest.mark.parametrize('text', ['plain, seed 0', 'läuf', '実験'])
def test_a_png_says_what_it_shows(text):
  picture = np.zeros([2, 2, 3], np.uint8)
  image = Image.open(io.BytesIO(figures.encode_png(picture, text=text)))
  assert image.text == {'Description': text}


@pytest.mark.parametrize('path', ['a.jpg', '/proc/a/b.png'])
def test_a_path_that_cannot_be_is_named_as_out(path):
  with pytest.raises(ValueError, match=rf'`out` must .*{path}'):
    files.check_new_file(path, True, '.png')


def test_two_channels_have_no_colour():
  with pytest.raises(ValueError, match='1 or 3 channels'):
    figures.grid(np.zeros([1, 2, 2, 2]))


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
  path = tmp_path / 'file'
  files.write_text(path, 'old')

  def fail(*_):
    raise OSError('no space left')

  monkeypatch.setattr(os, 'fsync', fail)
  with pytest.raises(ValueError, match='no space left'):
    files.write_text(path, 'new')
  assert path.read_text() == 'old'
  assert os.listdir(tmp_path) == ['file']


def test_a_directory_is_no_file_to_write(tmp_path):
  with pytest.raises(ValueError, match='it is a directory'):
    files.check_writable(tmp_path)


_PLACES = [(0.0, 3.5), (10.0, 5.5)]


@pytest.mark.parametrize('from_zero', [True, False])
def test_y_begins_where_it_should(from_zero):
  series = {'a': _PLACES[:1], 'b': _PLACES}
  image = figures.chart(series, 'y', 'x', from_zero=from_zero)
  assert image.shape == (340, 560, 3)
  inside = image[:, :470]  # Without the legend.
  rows = np.flatnonzero((inside == (0xFF, 0x7F, 0x0E)).all(-1).any(1))
  top, bottom = rows.min() + 4, rows.max() - 4  # Centres of the points.
  axis = np.flatnonzero((inside < 60).all(-1).sum(1) > 200).max()
  lowest = 3.5 - (axis - bottom) / (bottom - top) * 2
  # At zero, or a twentieth of the range below the lowest point.
  assert lowest == pytest.approx(0.0 if from_zero else 3.4, abs=0.2)


def test_a_chart_needs_a_point():
  with pytest.raises(ValueError, match='`series` must have a point'):
    figures.chart({'a': []}, 'y', 'x')
