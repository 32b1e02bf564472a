"""Bad sizes are refused."""

import pytest
import tensorflow as tf
import toys

from vlae_tf.nn.pixel import pixel_cnn, window_cnn


def test_network_that_sees_nothing_is_an_error():
  with pytest.raises(ValueError, match='`features_shape` must have at least'):
    toys.make_network('factorised', maps=0)


@pytest.mark.parametrize(
  'make, message',
  [
    (lambda: pixel_cnn.PixelCNN(1, depth=1), '`depth` must be at least 2'),
    (
      lambda: pixel_cnn.GatedPixelCNN(1, vertical_filter=4),
      '`vertical_filter` must be odd and at least 3, got 4',
    ),
    (
      lambda: pixel_cnn.GatedPixelCNN(1, horizontal_filter=1),
      '`horizontal_filter` must be odd and at least 3, got 1',
    ),
    (lambda: pixel_cnn.GatedPixelCNN(1, depth=0), '`depth` must be at'),
    (lambda: window_cnn.WindowCNN(1, (0, 2)), '`window` must be a width'),
    (
      lambda: window_cnn.DownsampledWindowCNN(1, (1, 1), 1),
      '`factor` must be at least 2, got 1',
    ),
  ],
)
def test_bad_sizes_are_errors(make, message):
  with pytest.raises(ValueError, match=message):
    make()


def test_a_window_that_no_image_fills_is_an_error():
  shapes = (None, 4, 5, 1), (None, 4, 5, 2)
  # The last pixel of a row sees the first, and the first of the next the last.
  window_cnn.WindowCNN(1, (9, 4)).build(*shapes)
  with pytest.raises(ValueError, match=r'`window` must be at most 9x4.*5x4'):
    window_cnn.WindowCNN(1, (10, 1)).build(*shapes)
  with pytest.raises(ValueError, match=r'must be at most 9x4.*got 2x6'):
    window_cnn.DownsampledWindowCNN(1, (1, 3), 2).build(*shapes)


def test_features_of_the_wrong_size_are_an_error():
  network = toys.make_network('pixelcnn')
  with pytest.raises(ValueError, match='`features` must have 2 channels'):
    network(tf.zeros([1, 3, 3, 1]), tf.zeros([1, 3, 3, 4]))
  with pytest.raises(ValueError, match='`features` must be as high and wide'):
    network(tf.zeros([1, 3, 3, 1]), tf.zeros([1, 3, 4, 2]))
