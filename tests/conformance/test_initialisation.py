"""Initialisation from data gives each layer's outputs mean and scale, once."""

import numpy as np
import pytest

from conformance import cases
from vlae_tf.nn import weight_norm

_NUM = 60
pytestmark = pytest.mark.usefixtures('all_eagerly')


@pytest.fixture
def first_outputs(monkeypatch):
  """What each layer gave at its first call, by the layer's `id`."""
  outputs = {}
  call = weight_norm.WeightNorm.call

  def spy(layer, x):
    y = call(layer, x)
    outputs.setdefault(id(layer), np.array(y).reshape(-1, layer.units))
    return y

  monkeypatch.setattr(weight_norm.WeightNorm, 'call', spy)
  return outputs


def check_normalised(layers, outputs):
  """Checks every output unit's moments over the batch."""
  assert outputs.keys() == {id(layer) for layer in layers}
  normalised = 0
  for layer in layers:
    y = outputs[id(layer)]
    live = y.std(0) > 1e-4  # A unit that sees nothing is constant.
    np.testing.assert_allclose(y[:, live].std(0), layer.init_scale, rtol=1e-2)
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-3)
    normalised += live.sum()
  assert normalised > sum(layer.units for layer in layers) / 2


@cases.each_network
def test_every_layer_of_a_network_is_normalised(case, first_outputs):
  network = cases.fresh_network(case)
  image = cases.images(case, _NUM, *cases.IMAGE_SHAPE)
  with weight_norm.data_dependent_initialization():
    network(image, cases.features(case, _NUM, 3, 4))
  check_normalised(weight_norm.layers_of(network), first_outputs)


@cases.each(cases.of_each('prior', 'posterior'))
def test_every_layer_of_a_model_is_normalised_once(case, first_outputs):
  model = cases.fresh_model(case)
  image = cases.images(case, _NUM, *cases.IMAGE_SHAPE)
  model.initialize(image, cases.noise(model, _NUM))
  check_normalised(weight_norm.layers_of(model), first_outputs)
  before = [w.numpy() for w in model.trainable_variables]
  model(image[:3], cases.noise(model, 3))
  for old, new in zip(before, model.trainable_variables):
    np.testing.assert_array_equal(old, new)
