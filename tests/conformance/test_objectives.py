"""What training minimises comes in parts that any division of a batch leaves.

Replicas and microbatches sum the parts and weight the rate's gradient by
`rate_weight`: that is the gradient of the loss only if all of this holds.
"""

import numpy as np
import pytest
import tensorflow as tf

from conformance import cases
from vlae_tf.models import objectives, vlae

_WARM_UP = 10
each_objective = cases.each(
  cases.of_each('objective')
  + cases.of_each('objective', kl_warmup_steps=_WARM_UP)
)
# Below every floor and target, and above.
each_rate = pytest.mark.parametrize('rate', [0.01, 3.0])


def create(case):
  """The objective of a config after some steps of low rates."""
  objective = objectives.create(case, cases.IMAGE_SHAPE)
  for _ in range(3):
    objective.update(tf.constant(0.01))
  return objective


def random_terms(objective, mean_rate=3.0):
  """Terms of six images, as many codes as the objective wants."""
  rng = np.random.default_rng(0)
  shape = (objective.num_samples, 6)[objective.num_samples == 1 :]
  distortion = tf.constant(rng.normal(5.0, 1.0, shape), tf.float32)
  spread = rng.normal(size=shape)
  rate = mean_rate * (1 + 0.1 * (spread - spread.mean()))
  return vlae.Terms(distortion, tf.constant(rate, tf.float32))


def gradients(fn, terms):
  """The value of a function of terms, and its gradients by both."""
  with tf.GradientTape() as tape:
    tape.watch(terms)
    value = fn(terms)
  return [value, *tape.gradient(value, list(terms))]


def assert_close(a, b):
  for x, y in zip(a, b, strict=True):
    np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6)


@each_objective
@each_rate
def test_the_rates_weight_is_the_derivative_of_its_loss(case, rate):
  objective = create(case)
  for step in (0, 3, _WARM_UP + 1):
    rate = tf.constant(rate)
    with tf.GradientTape() as tape:
      tape.watch(rate)
      loss = objective.rate_loss(rate, step)
    expected = tape.gradient(loss, rate)
    weight = objective.rate_weight(rate, step)
    np.testing.assert_allclose(weight, 0.0 if expected is None else expected)


@each_objective
@each_rate
def test_the_loss_has_the_value_and_the_gradient_of_the_means(case, rate):
  objective = create(case)
  terms = random_terms(objective, rate)

  def of_means(terms):
    means = [tf.reduce_mean(p) for p in objective.parts(terms)]
    return objective.value(*means, 3)

  expected = gradients(of_means, terms)
  found = gradients(lambda terms: objective.loss(terms, 3), terms)
  assert_close(found, expected)


@each_objective
def test_the_parts_make_the_bound_and_its_gradient(case):
  objective = create(case)
  terms = random_terms(objective)
  parts = gradients(lambda t: -tf.add_n(objective.parts(t)), terms)
  bound = gradients(objective.bound, terms)
  assert parts[0].shape == [6]
  assert_close(parts, bound)


@each_objective
def test_halves_of_a_batch_have_the_parts_of_the_whole(case):
  objective = create(case)
  terms = random_terms(objective)
  halves = zip(*(tf.split(t, 2, axis=-1) for t in terms))
  parts = [objective.parts(vlae.Terms(*half)) for half in halves]
  whole = [tf.concat(both, 0) for both in zip(*parts)]
  assert_close(whole, objective.parts(terms))


@each_objective
def test_the_price_of_the_rate_is_never_negative(case):
  objective = create(case)
  for rate in (0.01, 1.0, 30.0):
    for step in (0, 3, _WARM_UP + 1):
      assert objective.rate_weight(tf.constant(rate), step) >= 0


@each_objective
def test_updates_keep_the_state_finite(case):
  objective = create(case)
  for rate in (float('nan'), 0.0, 1e6, -1.0):
    objective.update(tf.constant(rate))
  assert all(np.isfinite(v.value).all() for v in objective.variables)
