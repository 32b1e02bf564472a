"""Luminance and colour preserved, against cases solved by hand."""

import math

import numpy as np
import pytest

from vlae_tf.evaluation import retention


def _images(num=40, channels=3, seed=0):
  shape = (num, 8, 8, channels)
  return np.random.default_rng(seed).uniform(size=shape)


def _found(images, made, **kwargs):
  rows = retention.measure(images, made, **kwargs)
  return {(row.what, row.blur): row for row in rows}


def _grey(images):
  """Images of the same luminance without colour."""
  return np.repeat(images @ [[0.299], [0.587], [0.114]], 3, -1)


def test_luminance_and_colour_are_those_of_bt601():
  pixel = np.array([[[10, 200, 60], [7, 7, 7]]]) / 255
  found = retention.luminance_and_colour(pixel)
  y = 0.299 * 10 + 0.587 * 200 + 0.114 * 60
  np.testing.assert_allclose(found['luminance'][0, :, 0], [y, 7])
  by_hand = [[0.5 * (60 - y) / 0.886, 0.5 * (10 - y) / 0.701], [0, 0]]
  np.testing.assert_allclose(found['colour'][0], by_hand, atol=1e-12)


def test_the_image_itself_keeps_all_and_anything_else_nothing():
  images = _images()
  for row in retention.measure(images, images[None]):
    assert row.error == 0 and row.kept == 1
  for row in retention.measure(images, _images(seed=1)[None]):
    assert abs(row.kept) < 5 * row.kept_stderr


def test_without_colour_luminance_alone_is_kept():
  images = _images()
  found = _found(images, _grey(images)[None])
  for (what, _), row in found.items():
    if what == 'luminance':
      assert row.kept == pytest.approx(1)
    else:
      # The error is the colour itself, the same for any grey image.
      assert row.kept == pytest.approx(0, abs=1e-12)


def test_the_mean_colour_outlives_the_rest():
  images = _images() * 0.3 + 0.7 * _images(seed=3)[:, :1, :1]
  flat = np.broadcast_to(images.mean((1, 2), keepdims=True), images.shape)
  found = _found(images, flat[None])
  assert found['colour', math.inf].kept == pytest.approx(1)
  kept = [found['colour', blur].kept for blur in retention.BLURS]
  # Only fine structure is lost: a wider blur hides more of the loss.
  assert kept == sorted(kept) and 0.3 < kept[0] < 0.95


def test_errors_are_in_levels():
  images = 0.5 * _images()
  found = _found(images, images[None] + 3 / 255)
  for blur in retention.BLURS:
    assert found['luminance', blur].error == pytest.approx(3)
    assert found['colour', blur].error == pytest.approx(0, abs=1e-9)


def test_a_blur_is_the_sum_by_its_definition():
  maps, blur = _images(1, 1)[0, ..., 0], 1.0
  reach = range(-4, 5)
  weights = np.array([math.exp(-(k**2) / (2 * blur**2)) for k in reach])
  weights /= weights.sum()
  # Edges are mirrored, the last pixel twice.
  padded = np.pad(maps, 4, mode='symmetric')
  by_hand = sum(
    a * b * padded[4 + i : 12 + i, 4 + j : 12 + j]
    for a, i in zip(weights, reach)
    for b, j in zip(weights, reach)
  )
  found = retention.blurred(maps[None, ..., None], blur)[0, ..., 0]
  np.testing.assert_allclose(found, by_hand, rtol=1e-9)


def test_draws_count_alike():
  images, made = _images(), np.stack([_images(seed=k) for k in (1, 2)])
  both = retention.measure(images, made)
  each = [retention.measure(images, x[None]) for x in made]
  for row, *ones in zip(both, *each):
    mean = np.mean([one.error**2 for one in ones])
    assert row.error == pytest.approx(math.sqrt(mean))


def test_the_standard_error_is_that_of_other_images():
  spread = []
  for seed in range(60):
    images = _images(30, seed=seed)
    made = 0.5 * images + 0.5 * _images(30, seed=100 + seed)
    row = _found(images, made[None], blurs=[0.0])['luminance', 0.0]
    spread.append((row.kept, row.kept_stderr))
  kept, stderrs = np.transpose(spread)
  assert np.mean(stderrs) == pytest.approx(kept.std(), rel=0.4)


def test_one_channel_is_luminance():
  images = _images(channels=1)
  rows = retention.measure(images, images[None])
  assert {row.what for row in rows} == {'luminance'}


@pytest.mark.parametrize(
  'images, made, words',
  [
    (_images(1), _images(1)[None], '`images` must be at least 2, got 1'),
    (_images(3), _images(3), '`decompressed` must be at least one draw'),
    (_images(3), _images(3)[None][:0], '`decompressed` must be at least one'),
    (_images(3, 2), _images(3, 2)[None], '`images` must have 1 or 3 channels'),
  ],
)
def test_bad_images_are_errors(images, made, words):
  with pytest.raises(ValueError, match=words):
    retention.measure(images, made)


def test_a_table_has_a_column_a_run():
  images = _images()
  rows = retention.measure(images, images[None])
  text = retention.table({'one': rows, 'another': rows})
  first, *others = text.splitlines()
  assert first.split()[-2:] == ['one', 'another']
  assert len(others) == len(rows) == 2 * len(retention.BLURS)
  assert others[-1].startswith('colour, mean') and '1.000' in others[-1]
