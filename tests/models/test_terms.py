"""An objective is whatever has what `Objective` has."""

import pytest
import tensorflow as tf

from vlae_tf import models
from vlae_tf.models import config, objectives, terms, vlae


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


_MEMBERS = [n for n in vars(terms.Objective) if not n.startswith('_')]


def _model(objective):
  # As no image comes, any law will do.
  posterior, prior = models.NoPosterior(), models.GaussianPrior(0)
  return vlae.VLAE(posterior, prior, models.Likelihood(), objective)


@pytest.mark.parametrize('warmup', [0, 3])
@pytest.mark.parametrize('name', list(objectives.OBJECTIVES))
def test_every_objective_of_a_config_is_one(name, warmup):
  asked = config.Config(objective=name, kl_warmup_steps=warmup)
  objective = objectives.create(asked, (8, 8, 1))
  assert isinstance(objective, terms.Objective)


def test_a_model_takes_one_without_the_base_class():
  objective = Halved()
  assert _model(objective).objective is objective


@pytest.mark.parametrize('member', _MEMBERS)
def test_a_model_refuses_what_lacks_something(member):
  rest = {n: v for n, v in vars(Halved).items() if n != member}
  lacking = type('Lacking', (), rest)()
  with pytest.raises(ValueError, match=r'`objective` must have .*Lacking'):
    _model(lacking)
