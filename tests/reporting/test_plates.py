"""Pictures show pixels where they are."""

import numpy as np

from vlae_tf.evaluation import receptive_field
from vlae_tf.reporting import plates

_OFFSETS = ((-1, -1), (-1, 0), (-1, 1), (0, -1))


def _cells(picture):
  """The colour in the middle of each cell."""
  return picture[5::10, 5::10].astype(int)


def test_the_pixels_seen_are_blue_and_the_pixel_itself_is_orange():
  image = np.zeros([6, 8, 1])
  image[2, 3] = 1
  cells = _cells(plates.field(image, receptive_field.ReceptiveField(_OFFSETS)))
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
    plates.field(np.zeros([5, 5, 3]), receptive_field.ReceptiveField(()))
  )
  assert np.argwhere((cells == [255, 140, 0]).all(-1)).tolist() == [[2, 2]]


def test_more_nats_are_brighter():
  nats = np.array([[0.0, 1.0], [2.0, 4.0]])
  picture = plates.heat(nats).astype(float)
  assert picture.shape == (2, 2, 3)
  brightness = (picture @ [0.2126, 0.7152, 0.0722]).ravel()
  assert (np.diff(brightness) > 0).all()
  np.testing.assert_array_equal(plates.heat(nats, 4.0), picture)
  np.testing.assert_array_equal(
    plates.heat(np.zeros([2, 2]))[0, 0], picture[0, 0]
  )
