"""Keras's `fit` trains on the objective, on one device or many."""

import functools

import fitted
import keras
import numpy as np
import pytest
import tensorflow as tf
import toys
from training import processes

from vlae_tf.models import objectives
from vlae_tf.models import vlae as model_lib

# Nats of the floor, between the mean rates of the replicas' first images.
_FLOOR = 0.05
OBJECTIVES = {
  'floor': dict(free_bits=_FLOOR / 16),
  'soft': dict(objective='soft_free_bits', free_bits=10.0),
  'iwae': dict(objective='iwae', importance_samples=3),
}


@pytest.fixture(scope='module')
def results(tmp_path_factory):
  """What one device gave, and what two replicas gave, of an objective."""

  @functools.cache
  def of(name, eagerly):
    folder, given = tmp_path_factory.mktemp(name), {name: OBJECTIVES[name]}
    paths = [folder / f'{replicas}.npz' for replicas in (1, 2)]
    runs = [
      processes.Running(
        (fitted.record, (path, given, n, eagerly)), folder / str(n)
      )
      for n, path in enumerate(paths, 1)
    ]
    for run in runs:
      result = run.finish()
      assert result.status == 0, result.stderr
    return [dict(np.load(path)) for path in paths]

  return of


def _objectives_and_ways():
  """Those that couple replicas, eagerly; all in graphs in the other tier."""
  mark = pytest.mark.exhaustive('two processes each, all objectives, in graphs')
  return pytest.mark.parametrize(
    'name, eagerly',
    [
      ('floor', True),
      pytest.param('soft', True, marks=mark),
      *(pytest.param(name, False, marks=mark) for name in OBJECTIVES),
    ],
  )


@_objectives_and_ways()
def test_two_replicas_fit_as_one_device(results, name, eagerly):
  one, two = results(name, eagerly)
  assert one.keys() == two.keys()
  assert len(one) > 20
  for key in one:
    np.testing.assert_allclose(
      two[key], one[key], rtol=1e-5, atol=1e-5, err_msg=key
    )


def test_what_couples_the_replicas_is_at_work(results):
  rates = results('floor', True)[0]['floor/first_rates']
  assert rates[:3].mean() > _FLOOR > rates.mean()
  assert 0.5 < results('soft', True)[0]['soft/gamma'] < 0.9


def _fixed_draws(monkeypatch):
  """Lets models draw the same codes always."""

  def draw_terms(vlae, image, num_samples=()):
    shape = (*num_samples, image.shape[0] or 5, *vlae.event_shape)
    noise = np.random.default_rng(0).standard_normal(shape)
    return vlae._terms_of(image, tf.constant(noise, tf.float32))

  monkeypatch.setattr(model_lib.VLAE, 'draw_terms', draw_terms)


@pytest.mark.usefixtures('eagerly')
def test_fit_takes_the_gradient_of_the_importance_weighted_bound(monkeypatch):
  _fixed_draws(monkeypatch)
  vlae = toys.small_model(objective='iwae', importance_samples=7)
  images = tf.constant(toys.binary_images(5))
  with tf.GradientTape() as tape:
    elbo = vlae.draw_terms(images, (7,)).elbo
    loss = -tf.reduce_mean(tf.reduce_logsumexp(elbo, 0) - np.log(7.0))
  gradients = tape.gradient(loss, vlae.trainable_variables)
  expected = [
    w.numpy() - 0.01 * g for w, g in zip(vlae.trainable_variables, gradients)
  ]
  vlae.compile(keras.optimizers.SGD(0.01))
  history = vlae.fit(images, batch_size=5, shuffle=False, verbose=0).history
  assert history['loss'][0] == pytest.approx(float(loss), rel=1e-5)
  parts = history['distortion_nats'][0] + history['rate_nats'][0]
  assert parts == pytest.approx(float(loss), rel=1e-5)
  for weight, value in zip(vlae.trainable_variables, expected):
    np.testing.assert_allclose(weight, value, rtol=1e-3, atol=2e-5)


def test_evaluate_reports_the_importance_weighted_bound():
  toy = toys.LinearGaussian()
  images = np.random.default_rng(0).random((20, *toy.image_shape), np.float32)
  exact = -toy.log_prob(images).mean()
  laws = toy.model()
  losses = []
  for num_samples in (1, 2000):
    vlae = laws.with_parts(objective=objectives.ImportanceWeighted(num_samples))
    vlae.compile()
    losses.append(vlae.evaluate(images, verbose=0, return_dict=True)['loss'])
  assert losses[0] > exact + 0.15
  assert losses[1] == pytest.approx(exact, abs=0.05)
  assert vlae(images).rate.shape == [20]  # A call still draws one code.


@pytest.mark.usefixtures('eagerly')
def test_only_training_moves_the_objective():
  vlae = toys.small_model(objective='soft_free_bits', free_bits=5.0)
  vlae.compile(keras.optimizers.SGD(0.0))
  images = toys.binary_images(8)
  for _ in range(2):
    vlae.evaluate(images, batch_size=4, verbose=0)
  vlae.objective.loss(vlae(images))
  assert float(vlae.objective.gamma.value) == 1.0
  vlae.fit(images, batch_size=4, epochs=1, validation_data=(images,), verbose=0)
  # Two steps of rates below the target; validation has none.
  assert float(vlae.objective.gamma.value) == pytest.approx(1.1**-2)


def test_images_are_not_weighed():
  vlae = toys.small_model()
  vlae.compile()
  images = toys.binary_images(4)
  with pytest.raises(ValueError, match='`sample_weight` must be None'):
    vlae.fit(images, images, sample_weight=np.ones(4), verbose=0)
