"""The cases are everything that is registered, and every layer there is."""

import importlib
import inspect
import pkgutil
import sys
from unittest import mock

import keras
import pytest

from conformance import cases
from vlae_tf.utils import registry

# What is no part of a model: data sets have tests of their own.
_ELSEWHERE = {'dataset'}
_ROOMS = ('nn', 'distributions', 'models')

each_field = pytest.mark.parametrize('field', cases.registries())


def modules():
  """All modules of the rooms whose parts models are made of."""
  for room in _ROOMS:
    package = importlib.import_module(f'vlae_tf.{room}')
    prefix = f'{package.__name__}.'
    for found in pkgutil.walk_packages(package.__path__, prefix):
      yield importlib.import_module(found.name)


def public_layers():
  """All Keras layers that these modules define for others."""
  return {
    thing
    for module in modules()
    for name, thing in inspect.getmembers(module, inspect.isclass)
    if thing.__module__ == module.__name__
    and issubclass(thing, keras.layers.Layer)
    and not name.startswith('_')
  }


def test_every_registry_is_a_field_of_the_config():
  assert list(modules())
  found = {
    thing.kind
    for name, module in list(sys.modules.items())
    if name.startswith('vlae_tf.')
    for thing in vars(module).values()
    if isinstance(thing, registry.Registry)
  }
  kinds = {names.kind for names in cases.registries().values()}
  assert found - _ELSEWHERE == kinds


@each_field
def test_every_name_is_in_a_model_and_a_case_of_its_own(field):
  names = set(cases.registries()[field])
  for configs in (cases.model_configs(), cases.of_each(field)):
    assert {getattr(case, field) for case in configs} == names


def test_every_decoder_is_with_and_without_what_it_allows():
  networks = cases.network_configs()
  for name in cases.registries()['decoder']:
    own = [case for case in networks if case.decoder == name]
    assert any(case.latent_size and not case.decoder_tied for case in own)
  laws = {case.pixel_distribution for case in networks}
  assert laws == set(cases.registries()['pixel_distribution'])
  assert any(case.decoder_tied for case in networks)
  assert any(not case.latent_size for case in networks)


@each_field
def test_what_is_registered_becomes_a_case(field):
  names = cases.registries()[field]
  with mock.patch.dict(names), mock.patch.dict(names._descriptions):
    names.register('newcomer', 'of this test')(names[next(iter(names))])
    test_every_name_is_in_a_model_and_a_case_of_its_own(field)
    test_every_decoder_is_with_and_without_what_it_allows()
    assert 'newcomer' in {getattr(c, field) for c in cases.model_configs()}


def test_every_public_layer_is_part_of_a_case():
  wholes = [
    *map(cases.shared_model, cases.model_configs()),
    *map(cases.shared_network, cases.network_configs()),
  ]
  layers = [layer for whole in wholes for layer in whole._flatten_layers()]
  covered = {kind for layer in layers for kind in type(layer).__mro__}
  assert len(public_layers()) > 15
  assert not public_layers() - covered
