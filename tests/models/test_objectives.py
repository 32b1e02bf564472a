"""Each objective against its closed form."""

import numpy as np
import pytest
import tensorflow as tf
import toys

from vlae_tf import models
from vlae_tf.models import objectives, vlae

DISTORTION, RATE = [80.0, 90.0, 70.0], [9.0, 11.0, 7.0]  # Means 80 and 9.


def _loss_and_weights(objective, step=0, scale=1.0):
  """The loss, and its gradients by every distortion and rate."""
  distortion = tf.constant(DISTORTION)
  rate = scale * tf.constant(RATE)
  with tf.GradientTape() as tape:
    tape.watch([distortion, rate])
    loss = objective.loss(vlae.Terms(distortion, rate), step)
  return float(loss), *tape.gradient(loss, [distortion, rate])


def test_negative_elbo():
  loss, by_distortion, by_rate = _loss_and_weights(objectives.NegativeELBO())
  assert loss == 89.0
  np.testing.assert_allclose(by_distortion, [1 / 3] * 3)
  np.testing.assert_allclose(by_rate, [1 / 3] * 3)


@pytest.mark.parametrize('floor, weight', [(8.0, 1.0), (10.0, 0.0)])
def test_free_bits_give_no_gradient_under_the_floor(floor, weight):
  loss, by_distortion, by_rate = _loss_and_weights(objectives.FreeBits(floor))
  assert loss == 80.0 + max(9.0, floor)
  np.testing.assert_allclose(by_distortion, [1 / 3] * 3)
  np.testing.assert_allclose(by_rate, [weight / 3] * 3)


def test_beta_weights_the_rate():
  loss, _, by_rate = _loss_and_weights(objectives.Beta(0.25))
  assert loss == 80.0 + 9.0 / 4
  np.testing.assert_allclose(by_rate, [0.25 / 3] * 3)


@pytest.mark.parametrize('step, part', [(0, 0.0), (5, 0.5), (10, 1), (99, 1)])
def test_warm_up_grows_the_price_of_the_rate(step, part):
  objective = objectives.WarmUp(objectives.FreeBits(10.0), 10)
  loss, _, by_rate = _loss_and_weights(objective, step, scale=2.0)
  assert loss == pytest.approx(80.0 + 18.0 * part)
  np.testing.assert_allclose(by_rate, [part / 3] * 3)


def test_soft_free_bits_move_by_ten_percent():
  objective = objectives.SoftFreeBits(10.0)
  seen = []
  # Below the target; above it by less than 5 %; above it by more, twice.
  for rate in (9.0, 9.0, 10.4, 10.6, 12.0, 12.0, float('nan')):
    objective.update(tf.constant(rate))
    seen.append(float(objective.gamma.value))
  expected = [1 / 1.1, 1 / 1.21, 1 / 1.21, 1 / 1.1, 1.0, 1.0, 1.0]
  np.testing.assert_allclose(seen, expected, rtol=1e-6)


def test_soft_free_bits_weight_the_rate_with_gamma():
  objective = objectives.SoftFreeBits(10.0)
  objective.gamma.assign(0.5)
  loss, _, by_rate = _loss_and_weights(objective)
  assert loss == 80.0 + 4.5
  np.testing.assert_allclose(by_rate, [0.5 / 3] * 3)


def _codes(num_samples=5, batch=3, seed=0):
  rng = np.random.default_rng(seed)
  shape = (num_samples, batch)
  return [tf.constant(rng.normal(size=shape), tf.float32) for _ in range(2)]


def test_importance_weighted_bound_and_its_gradient():
  terms = _codes()
  objective = objectives.ImportanceWeighted(5)

  def exact(distortion, rate):
    log_mean = tf.reduce_logsumexp(-distortion - rate, 0) - np.log(5.0)
    return -tf.reduce_mean(log_mean)

  results = []
  for loss in (exact, lambda *t: objective.loss(vlae.Terms(*t))):
    with tf.GradientTape() as tape:
      tape.watch(terms)
      value = loss(*terms)
    results.append([value, *tape.gradient(value, terms)])
  for a, b in zip(*results):
    np.testing.assert_allclose(a, b, rtol=1e-5)


def test_the_negative_elbo_of_several_codes_is_their_mean():
  terms = vlae.Terms(*_codes())
  objective = objectives.NegativeELBO()
  parts = [t.numpy().mean(0) for t in terms]
  for found, wanted in zip(objective.parts(terms), parts):
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
  np.testing.assert_allclose(objective.bound(terms), -sum(parts), rtol=1e-5)
  loss = objective.loss(terms)
  np.testing.assert_allclose(loss, sum(parts).mean(), rtol=1e-5)


@pytest.mark.parametrize(
  'objective, num_samples, floor',
  [
    (objectives.NegativeELBO(), 1, 0.0),
    (objectives.Beta(2.0), 1, 0.0),
    (objectives.FreeBits(5.0), 1, 5.0),
    (objectives.SoftFreeBits(5.0), 1, 5.0),
    (objectives.ImportanceWeighted(3), 3, 0.0),
    (objectives.WarmUp(objectives.ImportanceWeighted(3), 9), 3, 0.0),
    (objectives.WarmUp(objectives.SoftFreeBits(5.0), 9), 1, 5.0),
  ],
)
def test_what_an_objective_asks_of_a_step(objective, num_samples, floor):
  """Codes of an image, a rate that is enforced; by itself it is at step 0."""
  assert (objective.num_samples, objective.floor) == (num_samples, floor)
  terms = vlae.Terms(*_codes(num_samples))
  assert float(objective.loss(terms)) == float(objective.loss(terms, 0))
  means = tf.constant(80.0), tf.constant(9.0)
  assert float(objective.value(*means)) == float(objective.value(*means, 0))


def test_importance_weighting_one_code_is_the_elbo():
  terms = vlae.Terms(*_codes(1))
  values = [
    o.loss(terms)
    for o in (objectives.ImportanceWeighted(1), objectives.NegativeELBO())
  ]
  np.testing.assert_allclose(*values, rtol=1e-6)


@pytest.mark.parametrize(
  'changes, kind',
  [
    ({}, objectives.FreeBits),
    ({'free_bits': 0.0}, objectives.NegativeELBO),
    ({'objective': 'soft_free_bits'}, objectives.SoftFreeBits),
    ({'objective': 'beta', 'beta': 2.0}, objectives.Beta),
    ({'objective': 'iwae'}, objectives.ImportanceWeighted),
    ({'kl_warmup_steps': 7}, objectives.WarmUp),
  ],
)
def test_configs_choose_objectives(changes, kind):
  objective = objectives.create(toys.small_config(**changes), (8, 8, 1))
  assert type(objective) is kind


@pytest.mark.parametrize(
  'create, message',
  [
    (
      lambda: objectives.FreeBits(-1.0),
      '`floor` must be at least 0 and finite, got -1',
    ),
    (lambda: objectives.SoftFreeBits(0.0), '`target` must be more than 0'),
    (lambda: objectives.Beta(float('nan')), '`beta` must be at least 0'),
    (lambda: objectives.WarmUp(None, 0), '`steps` must be at least 1, got 0'),
    (lambda: objectives.ImportanceWeighted(0), '`num_samples` must be at leas'),
  ],
)
def test_bad_arguments_are_refused(create, message):
  with pytest.raises(ValueError, match=message):
    create()


class Halved:
  """Half the negative ELBO, without a base class."""

  num_samples = 1
  floor = 0.0
  variables = ()

  def parts(self, terms):
    return terms.distortion, terms.rate

  def bound(self, terms):
    return terms.elbo

  def rate_loss(self, mean_rate, step):
    return 0.5 * mean_rate

  def rate_weight(self, mean_rate, step):
    return 0.5

  def value(self, mean_distortion, mean_rate, step=0):
    return 0.5 * mean_distortion + self.rate_loss(mean_rate, step)

  def update(self, mean_rate):
    pass

  def loss(self, terms, step=0):
    return self.value(*map(tf.reduce_mean, self.parts(terms)), step)


def _model(objective):
  # As no image comes, any likelihood will do.
  posterior, prior = models.NoPosterior(), models.GaussianPrior(0)
  return vlae.VLAE(posterior, prior, models.Likelihood(), objective)


@pytest.mark.parametrize('warmup', [0, 3])
@pytest.mark.parametrize('name', list(objectives.OBJECTIVES))
def test_every_objective_of_a_config_is_one(name, warmup):
  config = toys.small_config(objective=name, kl_warmup_steps=warmup)
  objective = objectives.create(config, (8, 8, 1))
  assert isinstance(objective, models.Objective)


def test_a_model_takes_one_without_the_base_class():
  objective = Halved()
  assert _model(objective).objective is objective


_MEMBERS = [n for n in vars(models.Objective) if not n.startswith('_')]


@pytest.mark.parametrize('member', _MEMBERS)
def test_a_model_refuses_one_without_a_member(member):
  rest = {n: v for n, v in vars(Halved).items() if n != member}
  lacking = type('Lacking', (), rest)()
  with pytest.raises(ValueError, match=r'`objective` must have .*Lacking'):
    _model(lacking)
