"""Mixtures of logistics in integers: a law, near the one in floats."""

import decimal
import hashlib

import numpy as np
import pytest
import tensorflow as tf
import toys

from vlae_tf import compression
from vlae_tf.compression import symbols as symbols_lib
from vlae_tf.distributions.logistic_mixture import LogisticMixturePixel

_TOTAL = 2**24
_VALUES = np.arange(256) / 255
_SYMBOLS = compression.LogisticMixtureSymbols(4)

_KINDS = ['fresh', 'wide', 'narrow', 'narrowest', 'wild']
each_kind = pytest.mark.parametrize('kind', _KINDS)


def _each_case(kinds):
  """Kinds of parameters of three channels, and the first of them of one."""
  first, *others = kinds
  one = [
    pytest.param(kind, 1, marks=pytest.mark.exhaustive('the whole product'))
    for kind in others
  ]
  three = [(kind, 3) for kind in kinds]
  return pytest.mark.parametrize('kind, channels', [*three, (first, 1), *one])


def _intervals(params, pixels):
  return symbols_lib.pixel_intervals(_SYMBOLS, params, pixels)


# Compiled once for all tests.
_LOCATE = {
  False: _SYMBOLS.locate,
  True: tf.function(_SYMBOLS.locate, jit_compile=True),
}
_COMPILED = tf.function(_intervals, jit_compile=True)


def _params(kind, num, channels, components=4, seed=0):
  """Parameters of some pixels, float64 on the grid of networks."""
  rng = np.random.default_rng(seed)
  size = LogisticMixturePixel(components).num_params(channels)
  params = rng.normal(size=(num, size))
  log_scales = params[:, (1 + channels) * components :][
    :, : channels * components
  ]
  log_scales += dict(wide=4, narrow=-4, narrowest=-8).get(kind, 0)
  if kind == 'wild':
    params *= rng.choice([0, 1e3, 1e6, 1e30], params.shape)
  return np.floor(params * 2**10 + 0.5) / 2**10


def _pixels(num, channels, seed=1):
  """Random ones, a quarter of the channels at an edge."""
  rng = np.random.default_rng(seed)
  edges = rng.choice([0, 255], (num, channels))
  levels = rng.integers(0, 256, (num, channels))
  return np.where(rng.random(levels.shape) < 0.25, edges, levels) / 255


def _tables(params, pixels, components=4):
  """Starts and widths of all levels, `[channels, 256, num]` each."""
  symbols = compression.LogisticMixtureSymbols(components)
  before = tf.unstack(tf.constant(pixels), axis=-1)
  rows = []
  for c in range(len(before)):
    channel = symbols.of_next(tf.constant(params), before[:c])
    filled = tf.tile(_VALUES[:, None], [1, len(params)])
    channel = tf.tile(channel[None], [256, 1, 1])
    rows.append(symbols.intervals(channel, filled))
  return tuple(np.stack(x) for x in zip(*rows))


@_each_case(_KINDS)
def test_levels_are_a_law(kind, channels):
  """Each has a place in its order, and together they have all of them."""
  params, pixels = _params(kind, 60, channels), _pixels(60, channels)
  starts, widths = _tables(params, pixels)
  assert widths.shape == (channels, 256, 60)
  assert widths.min() >= 1
  np.testing.assert_array_equal(starts[:, 0], 0)
  np.testing.assert_array_equal(starts[:, 1:], (starts + widths)[:, :-1])
  np.testing.assert_array_equal((starts + widths)[:, -1], _TOTAL)


@_each_case(_KINDS)
@pytest.mark.parametrize(
  'jit_compile',
  [False, pytest.param(True, marks=pytest.mark.exhaustive('by XLA'))],
)
def test_levels_are_found_where_they_are(kind, channels, jit_compile):
  num = 8
  params, pixels = _params(kind, num, channels), _pixels(num, channels)
  starts, widths = _tables(params, pixels)
  before = tf.unstack(tf.constant(pixels), axis=-1)
  for c in range(channels):
    channel = _SYMBOLS.of_next(tf.constant(params), before[:c])
    channel = tf.tile(channel[None], [256, 1, 1])
    for slots in (starts[c], starts[c] + widths[c] - 1):
      found, interval = _LOCATE[jit_compile](channel, tf.constant(slots))
      assert found.dtype == tf.float64
      expected = np.tile(_VALUES[:, None], [1, num])
      np.testing.assert_array_equal(found, expected)
      np.testing.assert_array_equal(interval.start, starts[c])
      np.testing.assert_array_equal(interval.width, widths[c])


@_each_case(['fresh', 'wide', 'narrow', 'narrowest'])
def test_levels_cost_what_the_law_says(kind, channels):
  """Of draws, which the channels after these are to follow."""
  params = _params(kind, 100, channels)
  law = LogisticMixturePixel(4)
  pixels = law.distribution(tf.constant(params)).sample(seed=2).numpy()
  log_probs = law.conditionals(tf.constant(params), pixels).numpy()
  _, widths = _tables(params, np.rint(pixels * 255) / 255)
  coded = np.moveaxis(np.log(widths / _TOTAL), -1, 0)
  divergence = (np.exp(log_probs) * (log_probs - coded)).sum(-1)
  # 256 parts of 2**24 are 1.5e-5; of logits, 1 / 512 nats are lost.
  assert -1e-9 < divergence.min()
  assert divergence.max() < 1e-4
  assert divergence.mean() < 3e-5


def test_what_comes_before_counts():
  """Or a law of independent channels would do."""
  params = _params('narrow', 1, 3)
  tables = [_tables(params, np.array([[r, 0.5, 0]]))[1] for r in (0.2, 0.8)]
  np.testing.assert_array_equal(tables[0][0], tables[1][0])
  for c in (1, 2):
    assert np.abs(tables[0][c] - tables[1][c]).sum() > _TOTAL // 10


def _bytes(params, pixels):
  starts, widths = _tables(params, pixels)
  return np.stack([starts, widths]).astype('<i8').tobytes()


@each_kind
def test_integers_are_the_same_compiled_and_in_any_batch(kind):
  params, pixels = _params(kind, 20, 3), _pixels(20, 3)
  expected = np.stack(_intervals(params, pixels))
  np.testing.assert_array_equal(np.stack(_COMPILED(params, pixels)), expected)
  back = np.stack(_COMPILED(params[::-1], pixels[::-1]))[:, ::-1]
  np.testing.assert_array_equal(back, expected)
  for n in (0, 7):
    alone = np.stack(_COMPILED(params[n : n + 1], pixels[n : n + 1]))
    np.testing.assert_array_equal(alone[:, 0], expected[:, n])


def test_integers_do_not_feel_the_last_bits_of_floats():
  params, pixels = _params('narrow', 20, 3), _pixels(20, 3)
  noise = np.random.default_rng(2).uniform(-0.49, 0.49, params.shape) / 2**10
  assert _bytes(params + noise, pixels) == _bytes(params, pixels)
  # A step of the grid is felt.
  assert _bytes(params + 2.0**-10, pixels) != _bytes(params, pixels)


def test_integers_are_those_of_files_that_were_written():
  """Whoever changes them makes files unreadable: raise `ARITHMETIC`."""
  params = np.round(np.sin(np.arange(1200).reshape(30, 40)) * 2**11) / 2**10
  found = _bytes(params, np.arange(90).reshape(30, 3) * 2.0 / 255)
  assert hashlib.sha256(found).hexdigest()[:16] == '895845342045556f'


def _exact_inverse(n):
  return 2 * (7 - n / decimal.Decimal(1024)).exp() / 255


def _exact_tanh(n):
  double = 2 * (n / decimal.Decimal(1024) - 8)
  return (double.exp() - 1) / (double.exp() + 1)


def _exact_sigmoid(n):
  return 1 / (1 + (24 - n / decimal.Decimal(256)).exp())


@pytest.mark.parametrize(
  'name, scale, exact',
  [
    ('_INVERSE_SCALES', 2**24, _exact_inverse),
    ('_LOG_WIDTHS', 2**10, lambda n: (1 - (-_exact_inverse(n)).exp()).ln()),
    ('_SLOPES', 2**16, _exact_tanh),
    ('_SIGMOIDS', 2**28, _exact_sigmoid),
    ('_SOFT', 2**10, lambda n: (1 + (-n / decimal.Decimal(256)).exp()).ln()),
  ],
)
def test_tables_are_of_integers_that_no_library_rounds_otherwise(
  name, scale, exact
):
  """Oracle: 40 digits. An error of an `exp` is 1e-7 of these at the most."""
  with decimal.localcontext(prec=40):
    half = decimal.Decimal('0.5')
    for n, integer in enumerate(getattr(symbols_lib, name).tolist()):
      value = scale * exact(decimal.Decimal(n)) + half
      floor = value.to_integral_value(decimal.ROUND_FLOOR)
      assert integer == int(floor)
      distance = abs(value - value.to_integral_value())
      assert distance > decimal.Decimal('1e-6'), n


def test_sums_have_room():
  """Weights of 2**20 times sigmoids of 2**38, of 31 components; then 2**24."""
  symbols = compression.LogisticMixtureSymbols(31)
  params = np.zeros([1, 31 * 3])
  params[:, 31:62] = -1e6  # All mass is on the first level.
  starts, widths = _tables(params, np.zeros([1, 1]), 31)
  assert symbols.components * 2**58 < 2**63
  assert widths[0, 0, 0] == _TOTAL - 255
  np.testing.assert_array_equal(widths[0, 1:], 1)
  assert starts.min() == 0


@pytest.mark.parametrize('components', [0, 32])
def test_numbers_of_components_are_checked(components):
  message = rf'`components` must be from 1 to 31, got {components}'
  with pytest.raises(ValueError, match=message):
    compression.LogisticMixtureSymbols(components)


def test_colour_images_come_back_at_the_cost_of_their_law():
  """By a network whose receiver goes pixel by pixel, three numbers each."""
  changes = dict(
    pixel_distribution='logistic_mixture', decoder='gated_pixelcnn'
  )
  config = toys.small_config(**(toys.SMALLEST | changes))
  exact = compression.ExactModel(toys.random_model(config, (2, 3, 3)))
  images = tf.constant(_pixels(2 * 6, 3).reshape(2, 2, 3, 3))
  codes = tf.zeros([2, *exact.model.event_shape], tf.float64)
  with exact.scope():
    law = exact.model.likelihood(codes)
    codec = compression.codec_of(law, 1 / 16, 2)
    bits = compression.check_codec(codec, images)
    seen = tf.floor(images * 2**10 + 0.5) / 2**10
    conditionals = law.pixel_distribution.distribution(law.params(seen))
    log_prob = tf.reduce_sum(conditionals.log_prob(images))
  # No more than a thousandth of a bit a number, and what heads are rounded.
  assert bits == pytest.approx(-float(log_prob) / np.log(2), abs=0.1)
