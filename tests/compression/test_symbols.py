"""Integer probabilities of pixels: a distribution, near the exact one."""

import decimal

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import scipy.special
import tensorflow as tf
from hypothesis import example, given
from hypothesis import strategies as st

from vlae_tf import compression
from vlae_tf.compression import symbols as symbols_lib
from vlae_tf.distributions import pixel_distributions

_TOTAL = 2**24


def _rows(symbols, params, values):
  """Starts and widths of all values, `[num, ...]` from `params` `[..., k]`."""
  values, params = _grid(values, params)
  return tuple(x.numpy() for x in symbols.intervals(params, values))


def _grid(values, params):
  """Values, `[num, ...]`, each with all of the parameters."""
  num, shape = len(values), params.shape[:-1]
  values = np.reshape(values, [num, *len(shape) * [1]])
  values = np.broadcast_to(values, [num, *shape])
  params = tf.broadcast_to(params, [num, *params.shape])
  return tf.constant(values, params.dtype), params


def _assert_is_a_distribution(starts, widths):
  """Every value has a place, and together they have all of them."""
  assert widths.min() >= 1
  np.testing.assert_array_equal(widths.sum(0), _TOTAL)
  order = np.argsort(starts, 0)
  starts, widths = (np.take_along_axis(x, order, 0) for x in (starts, widths))
  ends = np.cumsum(widths, 0)
  np.testing.assert_array_equal(starts[0], 0)
  np.testing.assert_array_equal(starts[1:], ends[:-1])


def _assert_found(symbols, params, values, starts, widths):
  """The first, the last and a middle slot of each value are its own."""
  values, params = _grid(values, params)
  for slots in (starts, starts + widths - 1, starts + widths // 2):
    found, interval = symbols.locate(params, tf.constant(slots))
    assert found.dtype == params.dtype
    np.testing.assert_array_equal(found, values)
    np.testing.assert_array_equal(interval.start, starts)
    np.testing.assert_array_equal(interval.width, widths)


def _divergence(log_probs, widths):
  """`KL(exact || coded)` of rows along the first axis, in nats."""
  coded = np.log(widths / _TOTAL)
  return np.sum(np.exp(log_probs) * (log_probs - coded), 0)


def _assert_codes(symbols, params, values, log_probs, most):
  """All of it; the largest divergence is at most `most` nats."""
  starts, widths = _rows(symbols, params, values)
  _assert_is_a_distribution(starts, widths)
  _assert_found(symbols, params, values, starts, widths)
  divergence = _divergence(log_probs, widths)
  assert -1e-9 < divergence.min() and divergence.max() < most


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_coins_are_a_distribution_near_the_exact_one(dtype):
  """At every logit of the tables, between them, and far outside."""
  logits = np.r_[np.arange(-20 * 1024, 20 * 1024) / 1024, -1e6, 700, 1e30]
  logits = logits.astype(dtype)
  signs = np.array([[-1.0], [1.0]])
  exact = scipy.special.log_expit(signs * logits.astype('float64'))
  exact = np.maximum(exact, -700)
  params = tf.constant(logits[:, None])
  _assert_codes(compression.BernoulliSymbols(), params, [0, 1], exact, 1.1e-6)


_NUMBERS = st.floats(-30, 30) | st.sampled_from([-1e5, -1e3, 0.0, 1e3, 1e5])
_LOGITS = st.integers(2, 20).flatmap(
  lambda levels: hnp.arrays(
    'float64', st.tuples(st.integers(1, 5), st.just(levels)), elements=_NUMBERS
  )
)


@given(_LOGITS)
@example(np.zeros([1, 256]))
@example(np.outer([-30, -1, -0.1, 0.1, 1, 30], np.arange(256)))
def test_levels_are_a_distribution_near_the_exact_one(logits):
  """Oracle: SciPy's softmax."""
  levels = logits.shape[-1]
  symbols = compression.CategoricalSymbols(levels, levels - 1)
  exact = np.maximum(scipy.special.log_softmax(logits, -1).T, -700)
  values = np.arange(levels) / (levels - 1)
  # Each level has a part of 2**24, and what is below exp(-16) has no more.
  most = 2e-6 + levels * (2.0**-24 + 2.0**-22)
  _assert_codes(symbols, tf.constant(logits), values, exact, most)


_SYMBOLS = {
  compression.BernoulliSymbols(): 1,
  compression.CategoricalSymbols(5, 4): 5,
  compression.LogisticMixtureSymbols(2): 6,
  compression.GaussianSymbols(0.75): 2,
  compression.StandardGaussianSymbols(1 / 16, 40.0): 0,
}


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@given(
  st.sampled_from(list(_SYMBOLS)),
  st.lists(_NUMBERS, min_size=6, max_size=6),
  st.lists(st.integers(0, _TOTAL - 1), min_size=1, max_size=9),
)
def test_each_slot_is_in_the_interval_of_the_symbol_found(
  dtype, symbols, params, slots
):
  """Which is the interval that the sender has for this symbol."""
  slots = np.array([0, *slots, _TOTAL - 1])
  params = tf.constant(len(slots) * [params[: _SYMBOLS[symbols]]], dtype)
  found, (start, width) = symbols.locate(params, tf.constant(slots))
  assert found.dtype == dtype
  assert ((start <= slots) & (slots < start + width)).numpy().all()
  assert start[0] == 0 and start[-1] + width[-1] == _TOTAL
  sent = symbols.intervals(params, found)
  np.testing.assert_array_equal(sent.start, start)
  np.testing.assert_array_equal(sent.width, width)


def test_symbols_need_not_be_parts_of_one():
  logits = np.random.default_rng(0).normal(size=(4, 5))
  exact = scipy.special.log_softmax(logits, -1).T
  symbols = compression.CategoricalSymbols(5, 1)
  _assert_codes(symbols, tf.constant(logits), range(5), exact, 1e-5)


def test_values_are_the_same_to_the_bit_when_compiled():
  """XLA divides by 255 in a way of its own."""
  symbols = compression.CategoricalSymbols()
  params = tf.zeros([256, 256], tf.float64)
  slots = tf.constant(np.arange(256) * 2**16 + 100)
  found, _ = _compiled(symbols.locate)(params, slots)
  np.testing.assert_array_equal(found, np.arange(256) / 255)


def _compiled(fn):
  return tf.function(fn, jit_compile=True, autograph=False)


def test_a_shift_of_all_logits_changes_nothing():
  logits = np.random.default_rng(0).normal(size=(4, 7)).round(2) // 2**-10
  params = [tf.constant((logits + n) * 2**-10) for n in (0, 5, -300)]
  rows = [
    _rows(compression.CategoricalSymbols(7, 6), p, np.arange(7) / 6)
    for p in params
  ]
  for other in rows[1:]:
    np.testing.assert_array_equal(rows[0], other)


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('name', pixel_distributions.PIXEL_DISTRIBUTIONS)
def test_channels_are_read_as_the_distribution_reads_them(name, channels):
  """Oracle: the distribution's own probability of a pixel."""
  distribution = pixel_distributions.PIXEL_DISTRIBUTIONS[name]()
  symbols = symbols_lib.from_pixel_distribution(distribution)
  rng = np.random.default_rng(0)
  params = rng.normal(size=(2, 3, distribution.num_params(channels)))
  pixels = rng.integers(0, 256, (2, 3, channels)) / 255
  if 'levels' not in distribution.kinds:
    pixels = pixels.round()
  width = symbols_lib.pixel_intervals(
    symbols, tf.constant(params), tf.constant(pixels)
  ).width.numpy()
  assert width.shape == pixels.shape
  coded = np.log(width / _TOTAL).sum(-1)
  # As float32, which is what pixels are to the distribution.
  exact = distribution.distribution(tf.constant(params, tf.float32)).log_prob(
    tf.constant(pixels, tf.float32)
  )
  np.testing.assert_allclose(coded, exact, atol=0.01 * channels)


def test_levels_come_back_from_the_grid():
  distribution = pixel_distributions.CategoricalPixel()
  symbols = symbols_lib.from_pixel_distribution(distribution)
  pixels = np.arange(256) / 255
  rounded = np.floor(pixels * 2**10 + 0.5) / 2**10
  for restored in (symbols.restored, _compiled(symbols.restored)):
    np.testing.assert_array_equal(restored(tf.constant(rounded)), pixels)
  coins = compression.BernoulliSymbols()
  np.testing.assert_array_equal(coins.restored(tf.constant([0.0, 1.0])), [0, 1])


@pytest.mark.parametrize(
  'found, exact',
  [
    (
      symbols_lib._WIDTHS_OF_ONES,
      lambda n: 2**24 / (1 + ((4096 - n) / decimal.Decimal(256)).exp()),
    ),
    (symbols_lib._WEIGHTS, lambda n: 2**20 * (-n / decimal.Decimal(256)).exp()),
  ],
)
def test_tables_are_of_integers_that_no_library_rounds_otherwise(found, exact):
  """Oracle: 28 digits. An error of an `exp` is 1e-8 of these at the most."""
  half = decimal.Decimal('0.5')
  for n, integer in enumerate(found.tolist()):
    value = exact(decimal.Decimal(n)) + half
    assert integer == int(value)
    assert abs(value - value.to_integral_value()) > decimal.Decimal('1e-6')


def test_coins_that_are_on_the_grid_of_networks_have_no_rounding():
  """Multiples of 2**-10, times 256: quarters, whose ties are exact."""
  steps = np.arange(-17 * 1024, 17 * 1024)
  symbols = compression.BernoulliSymbols()
  ones = tf.ones(len(steps), tf.float64)
  width = symbols.intervals(tf.constant(steps[:, None] / 1024), ones).width
  place = np.clip((steps + 2) // 4, -16 * 256, 16 * 256) + 16 * 256
  np.testing.assert_array_equal(width, symbols_lib._WIDTHS_OF_ONES[place])


@pytest.mark.parametrize('levels', [1, 257])
def test_numbers_of_levels_are_checked(levels):
  with pytest.raises(ValueError, match=rf'`levels`.* 256, got {levels}'):
    compression.CategoricalSymbols(levels)


def test_laws_that_are_not_coded_are_refused_by_name():
  class Other(pixel_distributions.BernoulliPixel):
    """A distribution that could be anything."""

  with pytest.raises(
    ValueError, match=r'`pixel_distribution`.*BernoulliPixel.*got.*Other'
  ):
    symbols_lib.from_pixel_distribution(Other())


def test_all_registered_distributions_are_coded():
  for name in pixel_distributions.PIXEL_DISTRIBUTIONS:
    symbols = symbols_lib.from_pixel_distribution(
      pixel_distributions.PIXEL_DISTRIBUTIONS[name]()
    )
    again = symbols_lib.from_pixel_distribution(
      pixel_distributions.PIXEL_DISTRIBUTIONS[name]()
    )
    # What is compiled is shared.
    assert symbols == again and hash(symbols) == hash(again)
