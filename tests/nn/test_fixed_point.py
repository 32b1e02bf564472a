"""Numbers of the grid are what exact arithmetic makes of them, anywhere."""

import decimal
import fractions
import functools
import math

import numpy as np
import pytest
import tensorflow as tf

from vlae_tf.nn import fixed_point, weight_norm

_GRID = 2**fixed_point.FRACTION_BITS
# Beyond, what is not linear is farther from every tie than here: its rest is
# below a half step, and falls.
_FAR = 20
_DIGITS = decimal.Context(prec=40)


def _exp(x):
  return _DIGITS.exp(x)


def _sigmoid(x):
  return _DIGITS.divide(1, 1 + _exp(-x))


# In forty digits. `tanh(x) = 2 sigmoid(2 x) - 1`.
_ORACLES = {
  'elu': lambda x: x if x > 0 else _DIGITS.subtract(_exp(x), 1),
  'tanh': lambda x: _DIGITS.subtract(2 * _sigmoid(2 * x), 1),
  'sigmoid': _sigmoid,
}
# By the name of the oracle.
_FUNCTIONS = {
  'elu': [fixed_point.elu, fixed_point.compiled_elu],
  'tanh': [lambda x: fixed_point.rounded(tf.tanh(x))],
  'sigmoid': [lambda x: fixed_point.rounded(tf.sigmoid(x))],
}
each_oracle = pytest.mark.parametrize('name', _ORACLES)


def _numbers():
  """All numbers of the grid that matter, in steps."""
  return range(-_FAR * _GRID, _FAR * _GRID + 1)


@functools.cache
def _true_steps(name):
  """The oracle's values at all of these, in steps, not rounded."""
  oracle = _ORACLES[name]
  return [oracle(decimal.Decimal(n) / _GRID) * _GRID for n in _numbers()]


def _compiled(fn):
  return tf.function(fn, jit_compile=True, autograph=False)


def _in_graph(fn):
  return tf.function(fn, autograph=False)


_MODES = {'eager': lambda fn: fn, 'graph': _in_graph, 'compiled': _compiled}
each_mode = pytest.mark.parametrize('mode', _MODES)


def _exactly(fn, *args, mode='eager'):
  """What a function gives inside `exact`, an array."""
  with fixed_point.exact():
    return _MODES[mode](fn)(*args).numpy()


@each_oracle
def test_no_value_is_near_a_tie(name):
  """Not nearer than a million times the error of any library, 1e-13 steps."""
  half = decimal.Decimal('0.5')
  distances = [
    abs((y + half) - (y + half).to_integral_value()) for y in _true_steps(name)
  ]
  assert min(distances) > decimal.Decimal('1e-7')


@each_oracle
@each_mode
def test_values_are_the_nearest_of_the_grid(name, mode):
  nearest = [
    int((y + decimal.Decimal('0.5')).to_integral_value(decimal.ROUND_FLOOR))
    for y in _true_steps(name)
  ]
  x = tf.constant(np.array(_numbers()) / _GRID)
  for fn in _FUNCTIONS[name]:
    # One by one, vectors, and what is left of them.
    for part in (x, x[:-3], x[7:8]):
      found = _exactly(fn, part, mode=mode) * _GRID
      expected = nearest[7:8] if len(part) == 1 else nearest[: len(part)]
      np.testing.assert_array_equal(found, expected)


@each_oracle
def test_what_is_farther_is_the_limit(name):
  limits = {'elu': (-1, fixed_point.MAX), 'tanh': (-1, 1), 'sigmoid': (0, 1)}
  ends = [-(2.0**30), -fixed_point.MAX, fixed_point.MAX, 2.0**30]
  low, high = limits[name]
  for fn in _FUNCTIONS[name]:
    found = _exactly(fn, tf.constant(ends, tf.float64))
    np.testing.assert_array_equal(found, [low, low, high, high])


@each_mode
def test_gates_are_products_of_integers(mode):
  """Oracle: rounding in rational numbers, whose ties are ties."""
  rng = np.random.default_rng(0)
  places = rng.integers(-9 * _GRID, 9 * _GRID, (2, 4000))
  found = _exactly(fixed_point.gated, *tf.constant(places / _GRID), mode=mode)
  for a, b, product in zip(*places.tolist(), found.tolist()):
    tanh, sigmoid = (
      round(_true_steps(name)[n + _FAR * _GRID])
      for name, n in (('tanh', a), ('sigmoid', b))
    )
    exact = fractions.Fraction(tanh * sigmoid, _GRID)
    assert product * _GRID == math.floor(exact + fractions.Fraction(1, 2))


def _largest(rng, inputs, units):
  """Inputs and kernels, in steps, at the very bounds of what is allowed."""
  most = int(fixed_point.MAX * _GRID)
  x = rng.integers(-most, most + 1, (5, inputs))
  x[0], x[1] = most, -most
  total = int(fixed_point.MAX_WEIGHT * 2**fixed_point.KERNEL_BITS) - 1
  shares = rng.dirichlet(np.ones(inputs + 1), units).T
  kernel = np.floor(shares * total).astype(np.int64)
  kernel[0] += total - kernel.sum(0)
  signs = rng.choice([-1, 1], kernel.shape)
  signs[:, 0] = 1  # One whose partial sums are the largest.
  return x, kernel * signs


def _python_sums(x, kernel):
  """Rounded sums of products in Python's integers, the last row the bias."""
  rows = []
  for row in x.tolist():
    row = [*row, _GRID]
    rows.append([])
    for column in kernel.T.tolist():
      exact = fractions.Fraction(sum(a * b for a, b in zip(row, column)))
      exact /= 2**fixed_point.KERNEL_BITS
      rows[-1].append(math.floor(exact + fractions.Fraction(1, 2)))
  return np.array(rows, object)


@pytest.mark.parametrize('inputs', [1, 7, 700])
@each_mode
def test_sums_are_those_of_integers_in_any_order(inputs, mode):
  rng = np.random.default_rng(inputs)
  x, kernel = _largest(rng, inputs, 3)
  expected = _python_sums(x, kernel)
  layer = weight_norm.WeightNormDense(3, dtype='float64')
  layer.build((None, inputs))
  layer.bias.assign(kernel[-1] / 2**fixed_point.KERNEL_BITS)
  for _ in range(3):
    order = rng.permutation(inputs)
    weights = tf.constant(kernel[order] / 2**fixed_point.KERNEL_BITS)
    with weight_norm.given_kernels([layer], [weights]):
      found = _exactly(layer, tf.constant(x[:, order] / _GRID), mode=mode)
    assert (found * _GRID).astype(int).tolist() == expected.tolist()


def test_three_more_bits_of_inputs_are_not_too_many():
  """As a residual stream has that is read without a bound."""
  rng = np.random.default_rng(0)
  x, kernel = _largest(rng, 100, 3)
  x = 8 * x
  sums = (x / _GRID) @ (kernel[:-1] / 2**fixed_point.KERNEL_BITS)
  exact = [
    [
      fractions.Fraction(sum(map(int, row * column)))
      for column in kernel[:-1].T
    ]
    for row in x.astype(object)
  ]
  steps = _GRID * 2**fixed_point.KERNEL_BITS
  assert [[fractions.Fraction(s) * steps for s in row] for row in sums] == exact


@pytest.mark.parametrize('size', [(1, 1), (3, 4), (7, 5), (28, 28)])
@each_mode
def test_means_are_rounded_alike_and_have_no_ties(size, mode):
  """Oracle: rational numbers, a quarter of a step up, as it says."""
  rng = np.random.default_rng(0)
  most = int(fixed_point.MAX * _GRID)
  pixels = math.prod(size)
  x = rng.integers(-most, most + 1, (3, *size, 500))
  x[0] = most
  # Sums that would be ties of the mean, which some divisions miss.
  x[1] = rng.integers(-most, most, 500)
  x[1, 0, 0] += pixels // 2
  found = _exactly(fixed_point.spatial_mean, tf.constant(x / _GRID), mode=mode)
  sums = x.astype(object).sum((1, 2))
  for total, mean in zip(sums.flat, (found * _GRID).flat, strict=True):
    raised = (total + fractions.Fraction(1, 4)) / pixels
    raised += fractions.Fraction(1, 2)
    # The division is off by far less than this.
    assert abs(raised - round(raised)) >= fractions.Fraction(1, 4 * pixels)
    assert mean == math.floor(raised)


def test_factors_are_rounded_to_the_grid_of_kernels():
  x = tf.constant(np.arange(-3000, 3000) / _GRID)
  found = _exactly(lambda x: fixed_point.scaled(x, 0.1), x) * _GRID
  factor = fractions.Fraction(round(0.1 * 2**16), 2**16)
  for n, y in zip(range(-3000, 3000), found):
    assert y == math.floor(n * factor + fractions.Fraction(1, 2))


def test_kernels_are_the_nearest_multiples():
  kernel = np.random.default_rng(0).normal(size=1000).astype('float32')
  found = fixed_point.quantized(kernel)
  assert found.dtype == np.float64
  for w, q in zip(kernel.tolist(), found.tolist()):
    exact = fractions.Fraction(w) * 2**16
    assert q * 2**16 == math.floor(exact + fractions.Fraction(1, 2))


def test_bounds_hold():
  x = tf.constant([-1e9, -3.0, 3.0, 1e9], tf.float64)
  most = fixed_point.MAX
  np.testing.assert_array_equal(
    _exactly(fixed_point.bounded, x), [-most, -3, 3, most]
  )
  np.testing.assert_array_equal(_exactly(fixed_point.relu, x), [0, 0, 3, most])


# What networks computed before there was a grid.
_PLAIN = {
  'rounded': lambda x: x,
  'bounded': lambda x: x,
  'relu': tf.nn.relu,
  'elu': tf.nn.elu,
  'compiled_elu': lambda x: tf.where(
    x > 0, x, tf.exp(tf.minimum(x, 0.0)) - 1.0
  ),
  'scaled': lambda x: x * 0.1,
  'gated': lambda x: tf.tanh(x) * tf.sigmoid(-x),
  'spatial_mean': lambda x: tf.reduce_mean(x, [1, 2]),
}
_MORE = {'scaled': lambda x: (0.1,), 'gated': lambda x: (-x,)}


@pytest.mark.parametrize('name', _PLAIN)
@pytest.mark.parametrize('dtype', ['float32', 'float64', 'bfloat16'])
def test_outside_all_is_as_without_a_grid(name, dtype):
  rng = np.random.default_rng(0)
  x = tf.cast(1000 * rng.normal(size=(2, 5, 7, 3)) ** 3, dtype)
  more = _MORE.get(name, lambda x: ())(x)
  found = getattr(fixed_point, name)(x, *more)
  expected = _PLAIN[name](x)
  assert found.dtype == expected.dtype
  np.testing.assert_array_equal(
    tf.bitcast(found, _integers(found)), tf.bitcast(expected, _integers(found))
  )


def _integers(x):
  return {2: tf.int16, 4: tf.int32, 8: tf.int64}[x.dtype.size]


def test_scopes_nest_and_end():
  assert not fixed_point.is_exact()
  with fixed_point.exact():
    with fixed_point.exact():
      pass
    assert fixed_point.is_exact()
  with pytest.raises(KeyError), fixed_point.exact():
    raise KeyError
  assert not fixed_point.is_exact()
