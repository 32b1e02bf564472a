"""Which pixels each network's parameters depend on: every pair of pixels."""

import numpy as np
import pytest
import toys

from vlae_tf.nn.pixel import pixel_cnn, window_cnn

_SIZE = (6, 7)


def seen_pairs(network):
  return toys.seen_pairs(network, _SIZE)


def downsampled(width, height, factor):
  """Blocks, as the union of their pixels, by walking over the blocks."""
  left = -(-(width - 1) // 2)

  def blocks(i, j):
    for row in range(height):
      bottom = i - 1 - factor * row
      for column in range(width):
        yield bottom, j - (width * factor) // 2 + factor * (column + 1) - 1
    yield from ((i, j - 1 - factor * k) for k in range(left))

  def rule(i, j):
    for bottom, right in blocks(i, j):
      # A block that ends outside the image counts as zero.
      if 0 <= bottom < _SIZE[0] and 0 <= right < _SIZE[1]:
        for k in range(bottom - factor + 1, bottom + 1):
          yield from ((k, q) for q in range(right - factor + 1, right + 1))

  return rule


@pytest.mark.parametrize('size', [(4, 2), (1, 1), (1, 3), (2, 1), (5, 3)])
def test_window_is_exact(size):
  network = toys.build_network(window_cnn.WindowCNN(1, size, 8, 3))
  expected = toys.expected_pairs(toys.window(*size), _SIZE)
  np.testing.assert_array_equal(seen_pairs(network), expected)
  toys.take_steps(network, _SIZE)
  np.testing.assert_array_equal(seen_pairs(network), expected)


@pytest.mark.parametrize('size', [(2, 1, 2), (3, 2, 2), (1, 1, 3)])
def test_downsampled_window_is_exact(size):
  width, height, factor = size
  network = toys.build_network(
    window_cnn.DownsampledWindowCNN(1, (width, height), factor, 8, 2)
  )
  expected = toys.expected_pairs(downsampled(width, height, factor), _SIZE)
  np.testing.assert_array_equal(seen_pairs(network), expected)


def test_downsampled_window_sees_only_means():
  network = toys.build_network(
    window_cnn.DownsampledWindowCNN(1, (1, 1), 2, 8, 2)
  )
  features = toys.features(1, 4, 3)
  image = np.zeros([2, 4, 3, 1], 'float32')
  # The block above pixel (3, 1), columns 0 and 1, with its pixels exchanged.
  image[0, 1:3, 0:2, 0] = [[1, 0], [0, 0]]
  image[1, 1:3, 0:2, 0] = [[0, 0], [0, 1]]
  params = [network(x[None], features)[0, 3, 1] for x in image]
  np.testing.assert_allclose(*params, rtol=1e-6)
  other = network(0.0 * image[:1], features)[0, 3, 1]
  assert abs(params[0] - other) > 1e-3


def test_gated_stack_has_no_blind_spot_and_masked_stack_has():
  order = np.arange(np.prod(_SIZE)).reshape(_SIZE)
  before = order < order[:, :, None, None]
  gated = pixel_cnn.GatedPixelCNN(1, 4, 7)
  np.testing.assert_array_equal(seen_pairs(toys.build_network(gated)), before)
  masked = pixel_cnn.PixelCNN(1, 4, 7)
  seen = seen_pairs(toys.build_network(masked))
  # Above, a masked stack goes one column to the right a row.
  assert seen[3, 2, 2, 3]
  assert before[3, 2, 2, 4]
  assert not seen[3, 2, 2, 4]


def test_factorised_sees_nothing():
  assert not seen_pairs(toys.make_network('factorised')).any()
