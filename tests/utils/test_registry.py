"""Registries keep every name once, and say what is wrong with others."""

import doctest

import pytest

from vlae_tf.utils import registry


def _fruit():
  fruit = registry.Registry('fruit')
  fruit.register('apple', 'red')(str.upper)
  fruit.register('pear', 'green')(str.lower)
  return fruit


def test_example_in_the_docstring_holds():
  assert not doctest.testmod(registry).failed


def test_is_a_mapping_in_the_order_of_registration():
  fruit = _fruit()
  assert list(fruit) == ['apple', 'pear'] and len(fruit) == 2
  assert fruit['apple']('a') == 'A'
  assert 'pear' in fruit and 'plum' not in fruit
  assert fruit.help() == 'apple: red; pear: green'


def test_a_name_is_registered_once():
  with pytest.raises(ValueError, match="`fruit` 'pear' is registered already"):
    _fruit().register('pear', 'yellow')


def test_an_unknown_name_is_answered_with_the_nearest():
  with pytest.raises(ValueError, match=r"got 'aple'\. Did you mean 'apple'"):
    _fruit()['aple']
  with pytest.raises(ValueError, match='`--food` must be one of apple, pear'):
    _fruit().check('xyz', '--food')
