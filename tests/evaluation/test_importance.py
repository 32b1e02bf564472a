"""Importance sampling as a computation on tensors."""

import numpy as np
import pytest
import tensorflow as tf
import toys

from vlae_tf.evaluation import importance, likelihood

pytestmark = pytest.mark.usefixtures('all_eagerly')


def test_chunks_are_the_largest_divisors_that_fit():
  for num in [*range(1, 60), 255, 256, 257, 300, 509, 1000, 4096, 65536]:
    size = importance.block_size(num)
    divisors = [n for n in range(1, num + 1) if num % n == 0]
    assert size == max(n for n in divisors if n <= importance.BLOCK)
    assert int(importance.block_size(tf.constant(num))) == size


_MORE = pytest.mark.exhaustive('more sizes')


@pytest.mark.parametrize(
  'num_images, num_samples',
  [(1, 300), *(pytest.param(*x, marks=_MORE) for x in ((5, 7), (9, 1)))],
)
def test_tensors_give_what_integers_give(num_images, num_samples):
  model = toys.LinearGaussian().model()
  images = tf.constant(toys.LinearGaussian().sample(num_images))
  index = tf.range(num_images)
  evaluator = likelihood.Evaluator(model, num_samples, seed=3)
  expected = evaluator.estimate(images, index)
  compute = tf.function(
    lambda *args: importance.estimate_in_groups(model, images, index, *args)
  )
  found = compute(tf.constant(num_samples), tf.constant(3))
  for name in importance.Estimate._fields:
    np.testing.assert_allclose(
      getattr(found, name), getattr(expected, name), rtol=1e-5, atol=1e-5
    )


def test_no_more_codes_than_lanes_are_decoded_at_once(monkeypatch):
  """However many images and samples there are."""
  toy, seen = toys.LinearGaussian(), []
  model = toy.model()
  inner = model.likelihood
  model.likelihood = lambda z: seen.append(z.shape[:-1]) or inner(z)
  monkeypatch.setattr(importance, 'LANES', 8)
  images = tf.constant(toy.sample(11))
  for num_samples in (1, 9, 24):
    found = importance.estimate_in_groups(
      model, images, tf.range(11), num_samples
    )
    assert found.log_prob.shape == (11,)
  assert max(shape.num_elements() for shape in seen) <= 8
