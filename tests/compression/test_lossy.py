"""Latents of lossy files: coded exactly, chosen well, and drawn from."""

import fractions
import math

import numpy as np
import pytest
import tensorflow as tf
import toys
from scipy import stats

from vlae_tf import compression, data
from vlae_tf.compression import (
  exact_model,
  lattice,
  lossy,
  rate_distortion,
)
from vlae_tf.evaluation import latents

pytestmark = pytest.mark.usefixtures('all_eagerly')

_SHAPE = (6, 5, 1)
_BETWEEN = (0.75, 1.5, 3.0, 6.0)


@pytest.fixture(scope='module')
def flow_model():
  return toys.small_model(_SHAPE)


@pytest.fixture(scope='module')
def gaussian_model():
  return toys.small_model(_SHAPE, prior='gaussian', encoder_widths='4')


def _bits_of_gaussian(noise, step):
  """Oracle: masses of a standard normal, by SciPy."""
  ends = [stats.norm.cdf(np.abs(noise) + s * step / 2) for s in (-1, 1)]
  return -np.log2(ends[1] - ends[0]).sum(-1)


@pytest.mark.parametrize('step', _BETWEEN)
def test_shifts_have_no_ties_between_powers_of_two(step):
  """Oracle: whole numbers; a relative error of 1e-13 changes nothing."""
  grid = np.arange(-9 * 1024, 9 * 1024 + 1)
  half, unit = fractions.Fraction(1, 2), fractions.Fraction(step)
  most = math.floor(lattice.MAX_SHIFT / step)
  wanted = [math.floor(int(n) / 1024 / unit + half) for n in grid]
  wanted = np.clip(wanted, -most, most) * step
  on_points = lattice._OnPoints(step)
  for error in (0.0, 1e-13, -1e-13):
    x = tf.constant(grid / 1024 * (1 + error), tf.float64)
    np.testing.assert_array_equal(on_points(x), wanted)


@pytest.mark.usefixtures('compiled')
@pytest.mark.parametrize(
  'step', [1.5, pytest.param(4.0, marks=pytest.mark.exhaustive('another step'))]
)
def test_messages_are_as_long_as_the_mass_of_the_prior_says(
  gaussian_model, step
):
  chunks = compression.LossyChunks(exact_model.ExactModel(gaussian_model), step)
  rng = np.random.default_rng(0)
  points = np.rint(rng.standard_normal([70, 4]) * 1.5 / step).astype(np.int16)
  encoded = chunks.encode(points)
  bits = _bits_of_gaussian(points * step, step).sum()
  assert encoded.net_bits == pytest.approx(bits, rel=1e-3)
  # A checksum, the length of the head, and what is filled up.
  assert bits / 8 <= len(encoded.data) <= bits / 8 + 4 + 5
  np.testing.assert_array_equal(chunks.decode(encoded.data, 70), points)


@pytest.mark.usefixtures('compiled')
def test_a_flow_is_undone_and_damage_is_found(flow_model):
  step = 0.75
  chunks = compression.LossyChunks(exact_model.ExactModel(flow_model), step)
  points = np.random.default_rng(1).integers(-4, 5, [70, 4]).astype(np.int16)
  encoded = chunks.encode(points)
  np.testing.assert_array_equal(chunks.decode(encoded.data, 70), points)
  plain = _bits_of_gaussian(points * step, step).sum()
  assert abs(encoded.net_bits - plain) > 1  # The flow is no identity.
  damaged = bytearray(encoded.data)
  damaged[len(damaged) // 2] ^= 4
  with pytest.raises(ValueError):
    chunks.decode(bytes(damaged), 70)
  for wrong in (points.astype(int), points + np.int16(99)):
    with pytest.raises(ValueError, match='`values` must be of dtype int16'):
      chunks.encode(wrong)


def _cost(model, points, images, step):
  """Oracle: bits of codes and of pixels, of a standard normal prior."""
  z = np.float32(points * step)
  distortion = -model.likelihood(z).log_prob(images).numpy() / np.log(2)
  return _bits_of_gaussian(points * step, step) + distortion


def test_the_search_ends_where_no_neighbour_is_better(gaussian_model):
  step, images = 1.5, toys.binary_images(24, _SHAPE)
  first = lossy.find_points(gaussian_model, images, step, moves=0)
  mean = gaussian_model.posterior(images).mean().numpy()
  np.testing.assert_array_equal(first, np.rint(mean / step))
  found = lossy.find_points(gaussian_model, images, step, moves=8)
  cost = _cost(gaussian_model, found, images, step)
  assert (cost < _cost(gaussian_model, first, images, step) - 0.01).any()
  for move in np.concatenate([np.eye(4), -np.eye(4)]).astype(int):
    other = _cost(gaussian_model, found + move, images, step)
    assert (other > cost - 0.01).all()
  # Few trials find most of it, as they are ranked.
  few = lossy.find_points(gaussian_model, images, step, moves=2)
  gain = _cost(gaussian_model, first, images, step).mean() - cost.mean()
  lost = _cost(gaussian_model, few, images, step).mean() - cost.mean()
  assert lost < 0.3 * gain
  with pytest.raises(ValueError, match='`step` must be one of'):
    lossy.find_points(gaussian_model, images, 1.25)


def test_noise_is_matched_with_the_numbers_it_makes(flow_model):
  """Oracle: the flow itself, with shifts of zero."""
  z = tf.constant([[1.0, 2.0, 3.0, 4.0]])
  order = tf.argsort(latents.places_in_noise(flow_model.prior(), (4,)))
  weights = [w.numpy() for w in flow_model.prior.trainable_variables]
  try:
    for weight in flow_model.prior.trainable_variables:
      weight.assign(tf.zeros_like(weight))
    noise = flow_model.prior().bijector.inverse(tf.identity(z))
    np.testing.assert_array_equal(noise, tf.gather(z, order, axis=1))
  finally:
    for weight, value in zip(flow_model.prior.trainable_variables, weights):
      weight.assign(value)


def test_the_likeliest_image_is_that_of_a_naive_loop(flow_model):
  z = np.random.default_rng(2).standard_normal([5, 4]).astype(np.float32)
  distribution = flow_model.likelihood(z)
  wanted = np.zeros([5, *_SHAPE], np.float32)
  for row in range(_SHAPE[0]):
    for column in range(_SHAPE[1]):
      ones = wanted.copy()
      ones[:, row, column] = 1.0
      # Later pixels have the same distribution in both only if left out.
      at = distribution.conditionals(wanted)
      p = [at.log_prob(x)[:, row, column].numpy() for x in (wanted, ones)]
      wanted[:, row, column, 0] = p[1] > p[0]
  found = lossy.likeliest(flow_model, z)
  np.testing.assert_array_equal(found, wanted)
  assert 0 < found.mean() < 1


def test_draws_are_a_function_of_codes_and_a_seed(flow_model):
  z = np.random.default_rng(2).standard_normal([3, 4]).astype(np.float32)
  one = lossy.draw(flow_model, z, 400, seed=3)
  np.testing.assert_array_equal(one, lossy.draw(flow_model, z, 400, seed=3))
  assert (one != lossy.draw(flow_model, z, 400, seed=4)).any()
  # The first pixel depends on the code alone.
  distribution = flow_model.likelihood(z).conditionals(
    np.zeros([3, *_SHAPE], 'float32')
  )
  np.testing.assert_allclose(
    one[:, :, 0, 0, 0].mean(0), distribution.mean()[:, 0, 0, 0], atol=0.1
  )
  with pytest.raises(ValueError, match='`z` must'):
    lossy.draw(flow_model, z[:, :2])


def test_rows_are_what_the_codes_cost_and_leave(gaussian_model):
  rng = np.random.default_rng(0)
  images = rng.integers(0, 2, (44, *_SHAPE)).astype(bool)
  labels = images[:, 2, 2, 0].astype(int)  # What a linear probe sees.
  parts = {'train': slice(0, 30), 'validation': slice(30, 34)}
  parts['test'] = slice(34, 44)
  of_parts = {name: images[part] for name, part in parts.items()}
  of_labels = {name: labels[part] for name, part in parts.items()}
  mine = data.ImageData('mine', **of_parts, labels=of_labels)
  measurer = rate_distortion.Measurer(gaussian_model, mine, 8, seed=5)
  ways = []
  report = measurer([4.0], ways.append)
  assert len(ways) == len(report.rows) == rate_distortion.num_rows([4.0])
  nearest, search, posterior, prior = report.rows
  assert [r.way for r in (nearest, search)] == ['nearest', 'search']
  x = images[34:42]
  for row, moves in ((nearest, 0), (search, 8)):
    points = lossy.find_points(gaussian_model, np.float32(x), 4.0, moves)
    bits = _bits_of_gaussian(points * 4.0, 4.0).mean()
    assert row.bits == pytest.approx(bits, abs=0.01) and row.step == 4.0
    assert row.bits < row.gross_bits < row.bits + 9
    cost = _cost(gaussian_model, points, np.float32(x), 4.0).mean()
    assert row.bits + row.distortion == pytest.approx(cost, abs=0.02)
  distribution = gaussian_model.posterior(np.float32(x))
  kl = distribution.kl_divergence(
    gaussian_model.prior()
  ).numpy().mean() / np.log(2)
  assert posterior.bits == pytest.approx(kl, rel=0.2) and prior.bits == 0
  for k, row in enumerate(report.rows):
    for images_of, wrong in (
      (report.draws[k], row.hamming_draw),
      (report.likeliest[k], row.hamming_likeliest),
    ):
      assert wrong == pytest.approx((images_of != x).sum() / 8)
  assert report.hamming_blank == pytest.approx(x.sum() / 8)
  assert report.accuracy > 0.6
  assert all(0 <= r.accuracy_draw <= 1 for r in report.rows)
