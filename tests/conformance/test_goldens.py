"""Everything registered computes the numbers that it computed before.

Who changes them on purpose runs `python tests/update_goldens.py` and says why.
"""

import numpy as np
import pytest

from conformance import cases, goldens

_CASES = goldens.all_cases()
pytestmark = pytest.mark.usefixtures('all_eagerly')
_AGAIN = 'run: python tests/update_goldens.py'


@pytest.mark.parametrize('key', _CASES)
def test_numbers_are_those_recorded(key):
  found = goldens.compute(*_CASES[key])
  recorded = goldens.recorded().get(key)
  assert recorded is not None, _AGAIN
  np.testing.assert_allclose(
    found, recorded, rtol=1e-5, atol=2e-6, err_msg=_AGAIN
  )


def test_everything_registered_has_numbers():
  for field, names in cases.registries().items():
    with_numbers = {
      getattr(case, field) for of, case in _CASES.values() if of == field
    }
    assert with_numbers == set(names), field


def test_nothing_is_recorded_that_is_not_there():
  assert goldens.recorded().keys() == _CASES.keys(), _AGAIN


def test_numbers_say_something():
  # Neither none, nor all alike, but for the rate of a constant schedule.
  for key, numbers in goldens.recorded().items():
    assert len(numbers) > 4
    assert np.ptp(numbers) > 1e-4 or 'schedule=' in key, key
