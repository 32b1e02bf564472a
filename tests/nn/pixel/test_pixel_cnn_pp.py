"""PixelCNN++ sees exactly its window, of colour or of luminance."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
import toys

from vlae_tf.nn.causal import convolution
from vlae_tf.nn.pixel import pixel_cnn_pp

_KINDS = (pixel_cnn_pp.PixelCNNPlusPlus, pixel_cnn_pp.GreyPixelCNNPlusPlus)
_SIZE = (6, 7)
# By hand, of the published configurations: layers that look up and sideways.
_LAYERS = {(4, 2): (1, 2), (5, 3): (2, 2), (7, 4): (3, 3)}


def _built(kind, window, **sizes):
  return toys.build_network(kind(2, window, 6, **sizes), channels=3)


def _each_kind_and_window():
  """Each window of colour, and one of luminance; all in the other tier."""
  mark = pytest.mark.exhaustive('all windows of luminance, and more of colour')
  windows = [*_LAYERS, (3, 2), (6, 3)]
  quick = {(_KINDS[0], window) for window in _LAYERS} | {(_KINDS[1], (3, 2))}
  return pytest.mark.parametrize(
    'kind, window',
    [
      pytest.param(*pair, marks=() if pair in quick else mark)
      for pair in itertools.product(_KINDS, windows)
    ],
  )


@_each_kind_and_window()
def test_window_is_exact_however_many_blocks(kind, window):
  expected = toys.expected_pairs(toys.window(*window), _SIZE)
  for depth in (1, 3):
    network = _built(kind, window, depth=depth)
    seen = toys.seen_pairs(network, _SIZE)
    np.testing.assert_array_equal(seen, expected)
  toys.take_steps(network, _SIZE, channels=3)
  seen = toys.seen_pairs(network, _SIZE)
  np.testing.assert_array_equal(seen, expected)


@pytest.mark.parametrize('window', _LAYERS)
def test_layers_are_those_of_the_paper(window):
  paths = [w.path for w in _built(_KINDS[0], window).trainable_variables]
  for stack, number in zip(('vertical', 'horizontal'), _LAYERS[window]):
    layers = {p.split('/')[2] for p in paths if f'block_0/{stack}' in p}
    assert len(layers) == number


def _with_equal_luminance(rng, *shape):
  """Two images of 256 levels that differ in colour alone, to the last bit."""
  red, green, blue = 299, 587, 114
  # Steps of levels that leave the sum of the three as it is.
  steps = [
    (r, g, b)
    for r in range(-60, 61)
    for g in range(-60, 61)
    for b in [-(red * r + green * g) // blue]
    if red * r + green * g + blue * b == 0 and 0 < abs(b) < 120
  ]
  image = rng.integers(120, 136, [*shape, 3])
  step = np.array(steps)[rng.integers(len(steps), size=shape)]
  weights = [red, green, blue]
  np.testing.assert_array_equal((image + step) @ weights, image @ weights)
  return [(x / 255).astype('float32') for x in (image, image + step)]


def test_the_grey_window_is_blind_to_colour():
  one, other = _with_equal_luminance(np.random.default_rng(0), 2, 6, 7)
  assert np.abs(one - other).mean() > 0.05
  features = toys.features(2, 6, 7)
  grey, colour = (_built(kind, (4, 2)) for kind in reversed(_KINDS))
  blind = grey(one, features) - grey(other, features)
  assert np.abs(blind).max() < 1e-4
  seen = colour(one, features) - colour(other, features)
  assert np.abs(seen).max() > 1e-2


def test_the_grey_window_sees_luminance():
  features = toys.features(1, 6, 7)
  image = toys.uniforms(1, 6, 7, 3)
  network = _built(_KINDS[1], (4, 2))
  change = network(image, features) - network(0.5 * image, features)
  assert np.abs(change).max() > 1e-2


def test_luminance_is_that_of_its_definition():
  image = toys.uniforms(2, 3, 4, 3)
  found = convolution.luminance()(image)[..., 0]
  red, green, blue = np.moveaxis(np.asarray(image, 'float64'), -1, 0)
  expected = 0.299 * red + 0.587 * green + 0.114 * blue
  np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_blocks_know_the_code_everywhere():
  network = _built(_KINDS[0], (4, 2), depth=2)
  image, features = toys.uniforms(1, 4, 4, 3), toys.features(1, 4, 4)
  with tf.GradientTape() as tape:
    tape.watch(features)
    params = network(image, features)[0, 2, 1]
  gradient = tape.gradient(params, features).numpy()
  # Its own pixel's, and by way of the layers those that the window is of.
  assert (gradient[0, 2, 1] != 0).all()
  assert (gradient[0, 3] == 0).all()


@pytest.mark.parametrize('window', [(1, 1), (2, 1), (4, 3), (8, 3), (5, 5)])
def test_a_window_that_no_layers_see_is_an_error(window):
  with pytest.raises(ValueError, match='`window` must be 2 height - 1 or'):
    pixel_cnn_pp.PixelCNNPlusPlus(1, window)


def test_other_bad_sizes_are_errors():
  with pytest.raises(ValueError, match='`depth` must be at least 1, got 0'):
    pixel_cnn_pp.PixelCNNPlusPlus(1, (4, 2), depth=0)
  network = pixel_cnn_pp.GreyPixelCNNPlusPlus(1, (4, 2))
  with pytest.raises(ValueError, match=r'must have 3 channels.*got 2'):
    network.build((None, 4, 4, 2), (None, 4, 4, 2))
