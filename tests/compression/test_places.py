"""What places cost."""

import fractions
import math

import numpy as np
import pytest
import scipy.optimize

from vlae_tf.compression import places

_SIZES = [1, 2, 3, 8, 100, 2**12]


@pytest.mark.parametrize('num_samples', _SIZES)
@pytest.mark.parametrize('exponent', [0.0, 0.7, 1.0, 1.3, 5.0])
def test_zipf_bits_are_those_of_a_law(num_samples, exponent):
  bits = places.zipf_bits(np.arange(num_samples), exponent, num_samples)
  assert math.fsum(2.0**-bits) == pytest.approx(1)
  # The law is a power of the rank.
  ranks = np.arange(1, num_samples + 1)
  np.testing.assert_allclose(
    bits - bits[0], exponent * np.log2(ranks), atol=1e-9
  )


@pytest.mark.parametrize('num_samples', [3, 100, 2**12])
@pytest.mark.parametrize('share', [0.05, 0.3, 0.6, 0.8])
def test_exponent_is_the_cheapest(num_samples, share):
  """Oracle: SciPy's minimum of the mean cost."""
  mean = share * math.log2(num_samples)

  def cost(exponent):
    total = sum(k**-exponent for k in range(1, num_samples + 1))
    return exponent * mean + math.log2(total)

  found = scipy.optimize.minimize_scalar(
    cost, bounds=(0, 32), method='bounded', options={'xatol': 1e-9}
  )
  exponent = places.zipf_exponent(mean, num_samples)
  assert cost(exponent) <= found.fun + 1e-9
  assert exponent == pytest.approx(found.x, abs=1e-3)


@pytest.mark.parametrize('mean', [1.0, 4.0, 8.0])
def test_exponent_is_no_dearer_than_the_closed_form(mean):
  num_samples = 2**14

  def cost(exponent):
    zipf = places.zipf_bits(0, exponent, num_samples)
    return exponent * mean + float(zipf)

  assert cost(places.zipf_exponent(mean, num_samples)) < cost(
    1 + 1 / (mean + 1)
  )


def test_exponent_at_the_ends():
  assert places.zipf_exponent(0, 1000) == pytest.approx(32)
  assert places.zipf_exponent(math.log2(1000), 1000) == pytest.approx(0)


@pytest.mark.parametrize('mean', [-0.1, 10.1, math.nan])
def test_mean_that_cannot_be_is_refused(mean):
  with pytest.raises(ValueError, match=rf'`mean_log2_rank`.* 10, got {mean}'):
    places.zipf_exponent(mean, 1024)


def test_octaves_are_the_lengths_of_binary_numbers():
  index = np.r_[0:1100, 2**52 - 1, 2**52]
  octave, rest = places.octave_of(index)
  for i, o, r in zip(index.tolist(), octave.tolist(), rest.tolist()):
    digits = bin(i)[2:] if i else ''
    assert o == len(digits)
    assert r == int(digits[1:] or '0', 2)
  np.testing.assert_array_equal(places.join_octave(octave, rest), index)


@pytest.mark.parametrize('num_samples', _SIZES)
def test_there_is_an_octave_for_each_place(num_samples):
  octave, _ = places.octave_of(np.arange(num_samples))
  assert set(octave.tolist()) == set(range(places.num_octaves(num_samples)))


@pytest.mark.parametrize('num_samples', _SIZES)
@pytest.mark.parametrize('exponent', [0.0, 1.1, 30.0])
def test_frequencies_are_the_law_in_integers(num_samples, exponent):
  found = places.octave_frequencies(exponent, num_samples)
  assert found.dtype == np.int64 and found.min() >= 1
  assert found.sum() == 2**16
  shares = [0.0] * len(found)
  for index in range(num_samples):
    shares[index.bit_length()] += (index + 1) ** -exponent
  exact = 2**16 * np.array(shares) / sum(shares)
  assert np.abs(found - exact).max() < 2 * len(found)


def test_frequencies_need_room():
  assert places.octave_frequencies(1.0, 2**7, 3).tolist() == [1] * 8
  with pytest.raises(ValueError, match=r'`precision`.*8 octaves.*got 2'):
    places.octave_frequencies(1.0, 2**7, 2)


@pytest.mark.parametrize('num_samples', [2, 8, 2**12])
def test_octaves_cost_bits_of_a_law(num_samples):
  frequencies = places.octave_frequencies(1.1, num_samples)
  bits = places.octave_bits(np.arange(num_samples), frequencies)
  assert math.fsum(2.0**-bits) == pytest.approx(1)
  for index in (0, 1, num_samples - 1):
    length = index.bit_length()
    share = fractions.Fraction(int(frequencies[length]), 2**16)
    expected = max(length - 1, 0) - math.log2(share)
    assert bits[index] == pytest.approx(expected)


@pytest.mark.parametrize('exponent', [0.9, 1.1, 1.3])
def test_octaves_cost_little_more_than_the_law_itself(exponent):
  num_samples = 2**16
  bits = places.zipf_bits(np.arange(num_samples), exponent, num_samples)
  frequencies = places.octave_frequencies(exponent, num_samples)
  by_octave = places.octave_bits(np.arange(num_samples), frequencies)
  excess = 2.0**-bits @ (by_octave - bits)
  assert 0 < excess < 0.05


def _elias_delta(number):
  """Elias's delta code as he writes it: gamma of the length, then the rest."""
  digits = bin(number)[2:]
  length = bin(len(digits))[2:]
  return '0' * (len(length) - 1) + length + digits[1:]


def test_elias_delta_bits_are_those_of_its_words():
  index = np.r_[0:70, 2**17 - 2, 2**17 - 1, 2**18 - 1]
  expected = [len(_elias_delta(i + 1)) for i in index.tolist()]
  assert places.elias_delta_bits(index).tolist() == expected
