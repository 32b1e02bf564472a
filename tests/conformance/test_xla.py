"""Compiled by XLA, everything gives what it gives operation by operation."""

import numpy as np
import pytest
import tensorflow as tf
import toys

from conformance import cases
from vlae_tf.distributions import reparameterized
from vlae_tf.models import objectives, schedules
from vlae_tf.models import vlae as model_lib


def compiled(fn):
  """A function, compiled by XLA as a whole."""
  return tf.function(fn, jit_compile=True, autograph=False)


def check_same(fn, *args):
  """Checks that a function gives the same compiled."""
  for a, b in zip(
    tf.nest.flatten(fn(*args)), tf.nest.flatten(compiled(fn)(*args))
  ):
    assert np.isfinite(a).all()
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def each_of(configs, *quick):
  """A test for the configs of these numbers; for all in the exhaustive tier."""
  mark = pytest.mark.exhaustive('all that is registered, compiled by XLA')
  chosen = [
    case if k in quick else pytest.param(case, marks=mark)
    for k, case in enumerate(dict.fromkeys(configs))
  ]
  return pytest.mark.parametrize('case', chosen, ids=cases.label)


@each_of(cases.model_configs()[:-1], 0)
def test_images_have_the_same_probability_and_draws(case):
  network = cases.shared_network(case)
  uniforms = toys.uniforms(
    2, 3, 4, cases.pixel_distribution(case).num_uniforms(1)
  )

  def evaluate(features, image, uniforms):
    law = cases.image_law(case, network, features)
    return law.log_prob(image), law.sample_from_uniforms(uniforms)

  image = cases.images(case, 2, *cases.IMAGE_SHAPE)
  check_same(evaluate, cases.features(case, 2, 3, 4), image, uniforms)


@each_of(cases.of_each('prior', 'posterior'), 0)
def test_codes_have_the_same_rate(case):
  model = cases.shared_model(case)

  def evaluate(image, noise):
    code = reparameterized.draw(model.posterior(image), noise)
    return code, model.prior().log_prob(code.value)

  image = cases.images(case, 2, *cases.IMAGE_SHAPE)
  check_same(evaluate, image, cases.noise(model, 2))


@cases.each(cases.of_each('objective'))
def test_objectives_are_the_same(case):
  objective = objectives.create(case, cases.IMAGE_SHAPE)
  rng = np.random.default_rng(0)
  shape = (objective.num_samples, 4)[objective.num_samples == 1 :]
  distortion, rate = rng.normal(5, 1, (2, *shape)).astype('float32')

  def evaluate(distortion, rate):
    terms = model_lib.Terms(distortion, rate)
    return objective.parts(terms), objective.bound(terms), objective.loss(terms)

  check_same(evaluate, distortion, rate)


@cases.each(cases.of_each('learning_rate_schedule'))
def test_learning_rates_are_the_same(case):
  schedule = schedules.create(case, 100)
  if callable(schedule):
    check_same(schedule, tf.constant(70))
