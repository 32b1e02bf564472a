"""Networks of spatial codes have the sizes of the paper, mirrored."""

import numpy as np
import pytest
import tensorflow as tf

from vlae_tf import nn
from vlae_tf.nn import residual, weight_norm

_PAIRS = {
  'residual': (nn.SpatialEncoder, nn.SpatialGenerator),
  'dense': (nn.DenseNetEncoder, nn.DenseNetGenerator),
}
each_pair = pytest.mark.parametrize('pair', _PAIRS.values(), ids=list(_PAIRS))


def _images(*shape, seed=0):
  rng = np.random.default_rng(seed)
  return tf.constant(rng.uniform(size=shape).astype('float32'))


def _convolutions(network):
  return [type(layer).__name__ for layer in weight_norm.layers_of(network)]


@each_pair
@pytest.mark.parametrize('size', [(32, 32), (6, 9)])
def test_codes_have_a_quarter_of_the_size_and_come_back(pair, size):
  encoder = pair[0]((4, 6, 8), (2, 1, 2))
  features = encoder(_images(3, *size, 3))
  quarter = tuple(-(-n // 4) for n in size)
  assert features.shape[1:3] == quarter
  assert features.shape == encoder.compute_output_shape((3, *size, 3))
  generator = pair[1](size, 5, (4, 6, 8), (2, 1, 2))
  assert generator(_images(3, *quarter, 7)).shape == (3, *size, 5)


def test_the_paper_has_so_many_layers():
  encoder = nn.SpatialEncoder()
  encoder.build((None, 32, 32, 3))
  generator = nn.SpatialGenerator((32, 32))
  generator.build((None, 8, 8, 16))
  blocks = 2 + 2 + 3
  assert len(weight_norm.layers_of(encoder)) == 1 + 2 + 2 * blocks
  # One more convolution makes the features of the decoder.
  assert len(weight_norm.layers_of(generator)) == 1 + 2 + 2 * blocks + 1
  assert encoder.compute_output_shape((None, 32, 32, 3)) == (None, 8, 8, 96)


def test_dense_stages_are_slightly_wider():
  for widths in ((48, 96, 96), (24, 48, 48)):
    encoder = nn.DenseNetEncoder(widths)
    shape = (None, 32, 32, encoder.entry(0))
    for level, width in enumerate(widths):
      shape = (*shape[:-1], encoder.entry(level))
      for block in encoder.stage(level):
        shape = block.compute_output_shape(shape)
      assert width < shape[-1] <= 1.2 * width


def test_a_dense_block_keeps_what_it_is_given():
  block = residual.DenseBlock(growth=2, steps=3)
  x = _images(1, 4, 4, 5)
  y = block(x)
  assert y.shape == block.compute_output_shape(x.shape) == (1, 4, 4, 11)
  np.testing.assert_array_equal(y[..., :5], x)


def test_each_step_of_a_dense_block_sees_all_before():
  block = residual.DenseBlock(growth=2, steps=3)
  x = _images(1, 1, 1, 5)
  with tf.GradientTape(persistent=True) as tape:
    tape.watch(x)
    y = block(x)
    ends = [y[..., 5 + 2 * k] for k in range(3)]
  kernels = [layer.v for layer in weight_norm.layers_of(block)]
  for k, end in enumerate(ends):
    gradients = tape.gradient(end, kernels)
    reached = [
      g is not None and bool((g != 0).numpy().any()) for g in gradients
    ]
    assert reached == [n <= k for n in range(3)]
  # By hand: the second step is a convolution of the activations of both.
  first, second, _ = weight_norm.layers_of(block)
  elu = tf.nn.elu
  by_hand = second(tf.concat([elu(x), elu(first(elu(x)))], -1))
  np.testing.assert_allclose(y[..., 7:9], by_hand, rtol=1e-6)


@each_pair
def test_every_pixel_and_every_place_counts(pair):
  encoder, size = pair[0]((4, 4, 4), (1, 1, 1)), (8, 8)
  image = _images(1, *size, 3)
  with tf.GradientTape() as tape:
    tape.watch(image)
    end = tf.reduce_sum(encoder(image) ** 2)
  assert (tape.gradient(end, image).numpy() != 0).any(-1).all()
  generator = pair[1](size, 2, (4, 4, 4), (1, 1, 1))
  code = _images(1, 2, 2, 3)
  with tf.GradientTape() as tape:
    tape.watch(code)
    end = tf.reduce_sum(generator(code) ** 2)
  assert (tape.gradient(end, code).numpy() != 0).all()


@pytest.mark.parametrize('blocks', [(), (1,), (1, 2, 3)])
def test_stages_without_their_number_of_blocks_are_errors(blocks):
  with pytest.raises(ValueError, match='`blocks` must be a number for each'):
    nn.SpatialEncoder((4, 4), blocks)


def test_codes_of_another_size_are_an_error():
  generator = nn.SpatialGenerator((8, 8), 2, (4, 4), (1, 1))
  with pytest.raises(ValueError, match='`input_shape`'):
    generator.build((None, 3, 4, 2))
