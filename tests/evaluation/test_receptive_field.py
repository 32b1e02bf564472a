"""The receptive-field report."""

import commands
import numpy as np
import pytest
import toys
from PIL import Image
from toys import networks

import vlae_tf
from vlae_tf.evaluation import receptive_field
from vlae_tf.nn.pixel import pixel_cnn, window_cnn

pytestmark = pytest.mark.usefixtures('all_eagerly')


def test_papers_network_sees_69_pixels_and_has_a_blind_spot():
  network = toys.build_network(pixel_cnn.PixelCNN(1))
  field = receptive_field.find(network)
  assert (field.num_pixels, field.width, field.height) == (69, 13, 7)
  # In row -k, a 3x3 stack sees k - 1 + 1 columns to the right at most.
  for k in range(1, 7):
    assert (-k, k) in field.offsets
    assert (-k, k + 1) not in field.offsets


def test_module_is_the_function():
  network = toys.build_network(window_cnn.WindowCNN(1, (4, 2), 4, 2))
  field = vlae_tf.receptive_field(network)
  above = [(i, j) for i in (-2, -1) for j in (-2, -1, 0, 1)]
  assert field.offsets == (*above, (0, -2), (0, -1))
  assert (field.width, field.height) == (4, 3)


def test_canvas_grows_with_the_field():
  network = pixel_cnn.GatedPixelCNN(1, 4, 6, 5, 5)
  field = receptive_field.find(toys.build_network(network))
  # Six layers of five rows' upper three, the first of them one row up.
  assert min(di for di, _ in field.offsets) == -13
  assert max(dj for _, dj in field.offsets) == 12
  # No blind spot: within reach, nothing before the pixel is missing.
  assert {(-1, dj) for dj in range(-12, 13)} <= set(field.offsets)


@pytest.mark.parametrize('name', sorted(networks.MAKERS))
def test_a_larger_canvas_shows_no_more(name, monkeypatch):
  network = toys.make_network(name)
  field = receptive_field.find(network)
  box = receptive_field._canvas(network)
  monkeypatch.setattr(
    receptive_field, '_canvas', lambda _: tuple(size + 9 for size in box)
  )
  assert receptive_field.find(network) == field


def test_the_canvas_is_no_larger_than_the_graph_reaches():
  network = toys.build_network(window_cnn.WindowCNN(1, (9, 4), 4, 2))
  # Four rows above, four pixels to either side, and one beyond.
  assert receptive_field._canvas(network) == (5, 5, 1, 5)


def test_a_wide_window_is_found_at_once():
  network = toys.build_network(window_cnn.WindowCNN(1, (31, 31), 2, 2))
  calls = []
  field = receptive_field.find(network, progress=calls.append)
  assert field.num_pixels == 31 * 31 + 15
  assert sum(calls) == receptive_field.num_images(network) == 2


@pytest.mark.parametrize(
  'offsets, text',
  [
    ((), '0 pixels, 0 wide, 0 high'),
    (((-1, 0),), '1 pixel, 1 wide, 1 high (1 row above)'),
    (((0, -2), (0, -1)), '2 pixels, 2 wide, 1 high (its own)'),
    (((-2, 1), (0, -1)), '2 pixels, 3 wide, 3 high (2 rows above and its own)'),
  ],
)
def test_the_rows_are_told_apart(offsets, text):
  assert (
    receptive_field.describe(receptive_field.ReceptiveField(offsets)) == text
  )


def test_factorised_network_has_an_empty_field():
  field = receptive_field.find(toys.make_network('factorised'))
  assert (field.num_pixels, field.width, field.height) == (0, 0, 0)
  assert receptive_field.draw(field).ndim == 3


def test_picture_has_a_color_for_each_kind_of_pixel():
  field = receptive_field.find(toys.build_network(pixel_cnn.PixelCNN(1, 4, 2)))
  colors = set(map(tuple, receptive_field.draw(field).reshape(-1, 3)))
  assert {(70, 130, 200), (255, 140, 0), (150, 150, 150)} <= colors


@pytest.mark.parametrize(
  'flags, numbers',
  [
    (['--decoder=pixelcnn'], '69 pixels, 13 wide, 7 high'),
    (
      ['--decoder=window', '--window=3x1'],
      '3 wide, 2 high (1 row above and its own)',
    ),
  ],
)
def test_command_draws_a_decoder(tmp_path, flags, numbers):
  out = tmp_path / 'field.png'
  result = commands.run('receptive_field', *flags, f'--out={out}')
  assert result.status == 0, result.stderr
  assert numbers in result.stdout
  assert np.asarray(Image.open(out)).ndim == 3


def test_command_says_what_is_wrong_in_one_line(tmp_path):
  result = commands.run(
    'receptive_field',
    '--decoder=window',
    '--window=4',
    f'--out={tmp_path / "field.png"}',
  )
  assert result.status != 0
  assert len(result.stderr.strip().splitlines()) == 1
  assert '--window must be a width and a height' in result.stderr
