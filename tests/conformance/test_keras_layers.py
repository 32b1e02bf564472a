"""Every public layer passes the test that Keras's own layers pass.

`run_layer_test` of Keras's test suite, which is in its wheel: config and back,
weights made by `build` alone, symbolic and eager calls, a compiled step of
training, and mixed precision.
"""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.testing import test_case

from conformance import test_coverage
from vlae_tf import nn
from vlae_tf.nn.causal import convolution as conv
from vlae_tf.utils import serialization

# Of a generator of batches that Keras's test makes.
pytestmark = pytest.mark.filterwarnings('ignore:`shuffle=True` was passed')

_MAPS = (2, 4, 3, 2)
_SMALL = (2, 2, 2, 2)
_PYRAMID = dict(widths=(2, 2), blocks=(1, 1))
_IMAGE = dict(image_size=(4, 3), maps=2)

# Layers of one input: arguments, its shape, that of the output.
_OF_ONE = {
  nn.MADE: (dict(event_size=3, hidden=(4,)), (2, 3), (2, 3)),
  nn.WeightNormDense: (dict(units=3), (2, 4), (2, 3)),
  nn.WeightNormConv2D: (dict(units=3, size=3, strides=2), _MAPS, (2, 2, 2, 3)),
  nn.WeightNormConv2DTranspose: (
    dict(units=3, size=3, output_size=(7, 6)),
    _MAPS,
    (2, 7, 6, 3),
  ),
  conv.CausalConv2D: (
    dict(units=3, size=(2, 2), origin=(-2, -1), dilation=2),
    _MAPS,
    (2, 4, 3, 3),
  ),
  conv.MaskedConv2D: (
    dict(units=3, size=3, mask=conv.raster_mask(2, 1, include_center=False)),
    _MAPS,
    (2, 4, 3, 3),
  ),
  conv.Pointwise: (dict(units=3), _MAPS, (2, 4, 3, 3)),
  nn.ResidualBlock: (dict(units=3), _MAPS, (2, 4, 3, 3)),
  nn.DenseBlock: (dict(growth=1), _MAPS, (2, 4, 3, 5)),
  nn.Encoder: (dict(widths=(2,), units=3), _MAPS, (2, 3)),
  nn.Generator: (_IMAGE | dict(widths=(2,), units=3), (2, 3), _MAPS),
  nn.SpatialEncoder: (_PYRAMID, _MAPS, _SMALL),
  nn.SpatialGenerator: (_IMAGE | _PYRAMID, _SMALL, _MAPS),
  nn.DenseNetEncoder: (_PYRAMID, _MAPS, (2, 2, 2, 4)),
  nn.DenseNetGenerator: (_IMAGE | _PYRAMID, _SMALL, _MAPS),
}
# Networks of an image and features: arguments, maps of both.
_STACK = dict(outputs=3, units=2, depth=2)
_OF_TWO = {
  nn.PixelCNN: (_STACK | dict(depth=3), (1, 2)),
  nn.GatedPixelCNN: (_STACK, (1, 2)),
  nn.PixelCNNPlusPlus: (_STACK | dict(window=(4, 2), depth=1), (1, 2)),
  nn.GreyPixelCNNPlusPlus: (_STACK | dict(window=(3, 2), depth=1), (3, 2)),
  nn.PointwiseCNN: (_STACK, (1, 2)),
  nn.WindowCNN: (_STACK | dict(window=(3, 1)), (1, 2)),
  nn.DownsampledWindowCNN: (_STACK | dict(window=(2, 1), factor=2), (1, 2)),
  nn.ShiftCNN: (dict(hidden=(3,)), (2, 0)),
  nn.ChannelwiseShiftCNN: (dict(hidden=(3,)), (2, 0)),
}
# What layers can be beside: as much code again, at the same cost.
_VARIANTS_OF_ONE = [
  (nn.WeightNormDense, dict(units=2, mask=np.eye(2)), (2, 3, 2), (2, 3, 2)),
  (nn.WeightNormConv2D, dict(units=3, size=1), _MAPS, (2, 4, 3, 3)),
  (
    conv.MaskedConv2D,
    dict(
      units=conv.MaskedConv2D.CROP_FROM_UNITS,
      size=3,
      mask=conv.raster_mask(2, 2, include_center=True),
    ),
    _MAPS,
    (2, 4, 3, conv.MaskedConv2D.CROP_FROM_UNITS),
  ),
  (nn.ResidualBlock, dict(units=2), _MAPS, _MAPS),
  (nn.ResidualBlock, dict(units=3, strides=2), _MAPS, (2, 2, 2, 3)),
  (
    nn.ResidualBlock,
    dict(units=3, strides=2, output_size=(3, 4)),
    _SMALL,
    (2, 3, 4, 3),
  ),
  (nn.Encoder, dict(widths=(2, 3), units=3), _MAPS, (2, 3)),
  (nn.Generator, _IMAGE | dict(widths=(2, 3), units=3), _SMALL, _MAPS),
]
_VARIANTS_OF_TWO = [
  (nn.PixelCNN, _STACK | dict(depth=3, tied=True), (3, 0)),
  (nn.GatedPixelCNN, _STACK | dict(vertical_filter=5), (3, 0)),
  (nn.PixelCNNPlusPlus, _STACK | dict(window=(5, 3)), (3, 0)),
  (nn.WindowCNN, _STACK | dict(window=(1, 1), tied=True), (3, 0)),
  (nn.DownsampledWindowCNN, _STACK | dict(window=(1, 1), factor=2), (3, 0)),
]


def _given(table, variants):
  """Cases of a table, and variants of them in the exhaustive tier."""
  mark = pytest.mark.exhaustive('other arguments of layers that are tested')
  usual = [
    pytest.param(kind, *row, id=kind.__name__) for kind, row in table.items()
  ]
  return usual + [
    pytest.param(kind, *row, id=f'{kind.__name__},{k}', marks=mark)
    for k, (kind, *row) in enumerate(variants)
  ]


each_of_one = pytest.mark.parametrize(
  'kind, arguments, shape, output_shape', _given(_OF_ONE, _VARIANTS_OF_ONE)
)
each_of_two = pytest.mark.parametrize(
  'kind, arguments, maps', _given(_OF_TWO, _VARIANTS_OF_TWO)
)


@serialization.register
class SideBySide(keras.layers.Layer):
  """A layer of two inputs, given the maps of both side by side.

  Keras trains a layer of one input alone in its test.
  """

  def __init__(self, kind, arguments, maps, **kwargs):
    super().__init__(**kwargs)
    self._maps = list(maps)
    self._layer = getattr(nn, kind)(**arguments, dtype=self.dtype_policy)

  def build(self, input_shape):
    # As Keras builds it, from what it is called with.
    self._layer(
      *(keras.KerasTensor((*input_shape[:-1], n)) for n in self._maps)
    )

  def call(self, x):
    return self._layer(x[..., : self._maps[0]], x[..., self._maps[0] :])


def run(kind, arguments, **kwargs):
  """Keras's test of a layer, whose weights are all trainable."""
  keras.utils.set_random_seed(0)
  test_case.TestCase().run_layer_test(
    kind,
    arguments,
    expected_num_non_trainable_variables=0,
    expected_num_losses=0,
    **kwargs,
  )


def pair(maps):
  """Shapes of two inputs, by what `build` calls them."""
  return dict(image_shape=(2, 4, 3, maps[0]), features_shape=(2, 4, 3, maps[1]))


@each_of_one
def test_layers_of_one_input(kind, arguments, shape, output_shape):
  run(kind, arguments, input_shape=shape, expected_output_shape=output_shape)


@each_of_two
def test_networks_of_an_image_and_features(kind, arguments, maps):
  # Keras's step of training hands its inputs over as one dictionary.
  run(kind, arguments, input_shape=pair(maps), run_training_check=False)


# Each as good a test of the others' training; all are in the larger tier.
_QUICK_TO_COMPILE = (nn.PixelCNN, nn.ShiftCNN, nn.ChannelwiseShiftCNN)


def side_by_side():
  """Layers of two inputs: names, arguments, numbers of maps, other axes."""
  mark = pytest.mark.exhaustive('XLA compiles the training of large networks')
  made = dict(event_size=3, hidden=(4,), context_size=2)
  found = [pytest.param('MADE', made, (3, 2), (2,), id='MADE')]
  for kind, row in _OF_TWO.items():
    marks = () if kind in _QUICK_TO_COMPILE else mark
    name = kind.__name__
    found.append(pytest.param(name, *row, (2, 4, 3), marks=marks, id=name))
  return found


@pytest.mark.parametrize('kind, arguments, maps, axes', side_by_side())
def test_layers_of_two_inputs_train(kind, arguments, maps, axes):
  run(
    SideBySide,
    dict(kind=kind, arguments=arguments, maps=maps),
    input_shape=(*axes, sum(maps)),
    # Of MADE with a context: the others have the test above.
    run_mixed_precision_check=kind == 'MADE',
  )


def built_in_sixteen_bits():
  """All layers of the tables, of a mixed policy."""
  for kind, (arguments, shape, _) in _OF_ONE.items():
    layer = kind(**arguments, dtype='mixed_bfloat16')
    layer.build(shape)
    yield layer
  for kind, (arguments, maps) in _OF_TWO.items():
    layer = kind(**arguments, dtype='mixed_bfloat16')
    layer.build(**pair(maps))
    yield layer


def test_parts_of_a_layer_are_of_its_precision():
  """So a network that is saved in sixteen bits comes back in sixteen."""
  for layer in built_in_sixteen_bits():
    parts = layer._flatten_layers()
    assert {part.compute_dtype for part in parts} == {'bfloat16'}, layer
    assert {weight.dtype for weight in layer.weights} == {'float32'}, layer


@pytest.mark.parametrize('policy', ['mixed_bfloat16', 'mixed_float16'])
def test_unrolled_networks_of_sixteen_bits_are_those_that_are_called(policy):
  x, context = np.ones([2, 3], 'float32'), np.ones([2, 2], 'float32')
  features = np.ones([2, 4, 3, 2], 'float32')
  made = nn.MADE(3, (4,), context_size=2, output_scale=1.0, dtype=policy)
  made.build(x.shape)
  z = made.unroll(tf.constant(x), tf.add, tf.constant(context))
  close = functools.partial(np.testing.assert_allclose, atol=0.03)
  close(z, x + tf.cast(made(z, context), 'float32'))
  network = nn.PixelCNN(1, units=2, depth=3, dtype=policy)
  network.build(**pair((1, 2)))
  z, _ = network.unroll(
    features, x_of(features), sampling_step, jit_compile=False
  )
  close(z, x_of(features) + tf.cast(network(z, features), 'float32'))


def x_of(features):
  """Noise of one map."""
  return features[..., :1]


def sampling_step(noise, params, state, wavefront):
  """Decides pixels: the noise, shifted."""
  del wavefront
  return noise + params, state


@pytest.mark.parametrize('given', ['list', 'dictionary', 'image alone'])
def test_networks_refuse_what_is_not_two_tensors(given):
  image, features = np.zeros([2, 4, 3, 1]), np.zeros([2, 4, 3, 2])
  inputs = {
    'list': [image, features],
    'dictionary': dict(image=image, features=features),
    'image alone': image,
  }[given]
  for kind, (arguments, _) in _OF_TWO.items():
    with pytest.raises(TypeError, match=r"^missing .* argument: 'features'"):
      kind(**arguments)(inputs)


# What the others are made of: no layers by themselves.
_BASES = {nn.WeightNorm: dict(units=2), nn.CausalNetwork: {}}


@pytest.mark.parametrize('kind', _BASES)
def test_bases_are_no_layers_by_themselves(kind):
  layer = kind(**_BASES[kind])
  inputs = pair((1, 1)) if kind is nn.CausalNetwork else dict(input_shape=_MAPS)
  with pytest.raises(NotImplementedError):
    layer.build(**inputs)


def test_every_public_layer_is_tested():
  found = {
    kind
    for kind in test_coverage.public_layers()
    if kind.__module__.startswith('vlae_tf.nn.')
  }
  named = {getattr(nn, name) for name in nn.__all__}
  layers = {
    thing
    for thing in named
    if isinstance(thing, type) and issubclass(thing, keras.layers.Layer)
  }
  assert layers <= found
  assert found == {*_OF_ONE, *_OF_TWO, *_BASES}
