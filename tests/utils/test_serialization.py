"""Registered classes come back from what they were constructed with."""

import copy
import dataclasses
import json
import pickle

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from vlae_tf.utils import serialization


@serialization.register
class Scale(keras.layers.Layer):
  """Multiplies the last axis by weights that a mask cuts."""

  def __init__(self, mask, start=2.0, **kwargs):
    super().__init__(**kwargs)
    self._mask = np.asarray(mask, 'float32')
    self._start = start

  def build(self, input_shape):
    self.weight = self.add_weight(
      shape=(input_shape[-1],),
      initializer=keras.initializers.Constant(self._start),
      name='weight',
    )

  def call(self, x):
    return x * self.weight * self._mask


@serialization.register
@dataclasses.dataclass(frozen=True)
class Power:
  """A plain object that is compared by value."""

  exponents: tuple
  base: object = None

  def __call__(self, x):
    return sum(x**e for e in self.exponents)


@serialization.register
class Chain(keras.Model):
  """Layers one after the other, then a function."""

  def __init__(self, layers, function, names=None, name='chain', **kwargs):
    super().__init__(name=name, **kwargs)
    self._chain = list(layers)
    self.function = function
    self.names = names

  def build(self, input_shape):
    for layer in self._chain:
      if not layer.built:
        layer.build(input_shape)

  def call(self, x):
    for layer in self._chain:
      x = layer(x)
    return self.function(x)


def _chain(**kwargs):
  """A model of two layers with weights of its own."""
  mask = np.array([1, 0, 1], bool)
  layers = (Scale(mask, name='a'), Scale([1, 1, 0], start=3.0, name='b'))
  model = Chain(layers, Power((1, 2), Power((3,))), **kwargs)
  model.build((None, 3))
  for i, weight in enumerate(model.weights):
    weight.assign([0.5 + i, 2.0, -1.0])
  return model


def _again(instance):
  """What comes back from the config, by way of JSON."""
  config = json.loads(json.dumps(instance.get_config()))
  return type(instance).from_config(config)


@pytest.mark.parametrize(
  'value',
  [
    7,
    0.1,
    'text',
    None,
    True,
    (1, 2),
    [1, (2, [3])],
    {'a': (1,), 'b': {'c': None}},
    ((), [], {}),
    Power((1,), Power((2,))),
    (Power((1,)), [Power((2,))]),
  ],
  ids=repr,
)
def test_arguments_come_back_equal_and_of_the_same_type(value):
  base = _again(Power((1,), value)).base
  assert base == value
  assert repr(base) == repr(value)


@pytest.mark.parametrize('dtype', ['float32', 'float64', 'int8', 'bool'])
def test_arrays_come_back_to_the_bit(dtype):
  array = (9 * np.random.default_rng(0).standard_normal((3, 2))).astype(dtype)
  base = _again(Power((1,), [array])).base[0]
  assert base.dtype == array.dtype
  np.testing.assert_array_equal(base, array)


def test_defaults_are_part_of_the_config():
  # With another default in a later version, it is still the same object.
  assert Power((1,)).get_config()['base'] is None
  assert Scale([1]).get_config()['start'] == 2.0


def test_what_the_caller_changes_later_is_not_saved():
  mask, names = np.ones(3), ['a']
  model = Chain([Scale(mask)], Power((1,)), names=names)
  mask[:] = 0
  names.append('b')
  again = _again(model)
  assert again.names == ['a']
  np.testing.assert_array_equal(again(np.ones([1, 3], 'float32')), [[2, 2, 2]])


def test_a_saved_model_is_the_same_function(tmp_path):
  model = _chain(trainable=False)
  model.save(tmp_path / 'chain.keras')
  again = keras.saving.load_model(tmp_path / 'chain.keras')
  x = np.random.default_rng(0).standard_normal((4, 3)).astype('float32')
  np.testing.assert_array_equal(again(x), model(x))
  assert type(again) is Chain
  assert again.function == model.function
  assert not again.trainable
  assert [v.path for v in again.variables] == [v.path for v in model.variables]


def test_a_layer_that_is_used_twice_stays_one(tmp_path):
  layer = Scale([1, 1, 1], name='a')
  model = Chain([layer, layer], Power((1,)))
  model.build((None, 3))
  model.weights[0].assign([1.0, 2.0, 3.0])
  model.save(tmp_path / 'chain.keras')
  again = keras.saving.load_model(tmp_path / 'chain.keras')
  assert len(again.weights) == 1
  np.testing.assert_array_equal(again(np.ones([1, 3], 'float32')), [[1, 4, 9]])


def test_arguments_are_not_tracked_and_not_saved_twice(tmp_path):
  @serialization.register
  class Outer(keras.layers.Layer):
    """Takes a layer for its size alone."""

    def __init__(self, inner, **kwargs):
      super().__init__(**kwargs)
      self.size = inner.weight.shape[0]

  inner = Scale([1, 1, 1])
  inner.build((None, 3))
  outer = Outer(inner)
  assert not outer.variables
  assert not outer._flatten_layers(include_self=False)
  model = Chain([outer], Power((1,)))
  model.build((None, 3))
  model.save_weights(tmp_path / 'm.weights.h5')
  with h5py.File(tmp_path / 'm.weights.h5') as file:
    arrays = []
    file.visititems(lambda name, item: arrays.append(name))
    assert not [name for name in arrays if name.endswith('vars/0')]


def test_config_follows_what_keras_can_change():
  layer = Scale([1], name='a')
  layer.name, layer.trainable = 'b', False
  layer.dtype_policy = keras.dtype_policies.get('mixed_bfloat16')
  again = _again(layer)
  assert (again.name, again.trainable) == ('b', False)
  assert again.compute_dtype == 'bfloat16'


class _Unregistered(Scale):
  def __init__(self, factor, **kwargs):
    super().__init__([factor], **kwargs)


class _UnregisteredPower(Power):
  pass


@pytest.mark.parametrize(
  'instance',
  [_Unregistered(3), _UnregisteredPower((1,))],
  ids=['layer', 'plain'],
)
def test_a_sub_class_does_not_pass_for_its_parent(instance):
  name = type(instance).__name__
  with pytest.raises(NotImplementedError, match=f'{name} cannot be saved'):
    instance.get_config()


def test_a_model_with_an_unregistered_part_is_not_saved(tmp_path):
  model = Chain([_Unregistered(3)], Power((1,)))
  model.build((None, 1))
  with pytest.raises(NotImplementedError, match='_Unregistered cannot be'):
    model.save(tmp_path / 'chain.keras')


def test_a_hand_written_config_is_left_alone():
  @serialization.register
  class ByHand(Scale):
    """Writes its one argument itself, beside its parent's."""

    def __init__(self, size, **kwargs):
      super().__init__(np.ones(size), **kwargs)
      self.size = size

    def get_config(self):
      return {**super().get_config(), 'written': self.size}

    @classmethod
    def from_config(cls, config):
      return cls(config['written'])

  config = ByHand(5).get_config()
  assert (config['size'], config['written']) == (5, 5)
  assert 'mask' not in config
  assert _again(ByHand(5)).size == 5


def test_a_sub_class_keeps_its_own_arguments():
  @serialization.register
  class Ones(Scale):
    """Another constructor than its parent's."""

    def __init__(self, size, **kwargs):
      super().__init__(np.ones(size), start=7.0, **kwargs)

  again = _again(Ones(2, name='ones'))
  assert type(again) is Ones
  assert again.name == 'ones'
  np.testing.assert_array_equal(again(tf.ones([1, 2])), [[7, 7]])


def test_two_classes_of_one_name_are_refused():
  def make():
    @serialization.register
    class Power:
      """Another class with the name of the one above."""

    return Power

  with pytest.raises(ValueError, match='`cls` must have a unique name'):
    make()


def test_a_class_may_be_loaded_again():
  for _ in range(2):

    @serialization.register
    class Reloaded:
      """Defined twice, as when a module is loaded again."""

  assert _again(Reloaded()) is not None


def test_registered_objects_are_copied_and_compared_as_before():
  power = Power((1, 2))
  assert power == Power((1, 2)) != Power((1, 3))
  assert hash(power) == hash(Power((1, 2)))
  copies = copy.copy(power), copy.deepcopy(power)
  copies += pickle.loads(pickle.dumps(power)), dataclasses.replace(power)
  for other in copies:
    assert other == power
    assert _again(other) == power


def test_wrong_arguments_fail_in_the_constructor():
  with pytest.raises(TypeError, match='mask'):
    Scale()
  with pytest.raises(TypeError, match='unexpected keyword'):
    Power((1,), color='red')
