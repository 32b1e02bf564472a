"""A model of one's own is trained, resumed and restored like the config's."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import toys

from vlae_tf.distributions import pixel_distributions, reparameterized
from vlae_tf.evaluation import latents, likelihood, sampling
from vlae_tf.models import decoders, posteriors, priors
from vlae_tf.models import vlae as vlae_lib
from vlae_tf.nn import residual
from vlae_tf.nn.pixel import pixel_cnn
from vlae_tf.runs import loading
from vlae_tf.training import step as train_step
from vlae_tf.training import trainer as trainer_lib

pytestmark = pytest.mark.usefixtures('all_eagerly')

tfb = tfp.bijectors
tfd = tfp.distributions

CODE = (2, 1, 3)


class SkewPosterior(posteriors.DiagonalGaussianPosterior):
  """A law whose dimensions depend on each other: each pushes the next."""

  def call(self, image):
    push = tf.linalg.band_part(tf.ones([3, 3]), -1, 0)
    # Of the last axis of codes, the channels of a place.
    base = super().call(image)
    mixed = tfb.ScaleMatvecTriL(push)
    return tfd.TransformedDistribution(base, mixed)


def spatial_model(config, image_shape, posterior=SkewPosterior):
  """Codes of three axes, a flow prior, the paper's decoder."""
  vlae = vlae_lib.VLAE(
    posterior(CODE, residual.Encoder((4,), 8, name='encoder')),
    priors.AutoregressiveFlowPrior(CODE, 2, (8, 8)),
    decoders.AutoregressiveDecoder(
      image_shape[-1],
      residual.Generator(image_shape[:2], 2, (4,), 8, name='generator'),
      pixel_cnn.PixelCNN(1, 4, 2, name='network'),
      pixel_distributions.BernoulliPixel(),
    ),
    seed=config.seed,
  )
  vlae.build((None, *image_shape))
  return vlae


def _trainer(folder, max_steps, **kwargs):
  return trainer_lib.Trainer(
    toys.small_config(),
    toys.image_data(),
    folder,
    limits=trainer_lib.Limits(max_steps=max_steps),
    execution=train_step.Execution(xla='none', **kwargs),
    build=spatial_model,
  )


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """A trainer after two steps, its directory, and one that resumed it."""
  folder = tmp_path_factory.mktemp('run')
  trainer = _trainer(folder, 2)
  trainer.run()
  return trainer, folder


def test_resumes_and_restores(trained):
  trainer, folder = trained
  again = _trainer(folder, 2)
  assert again.resumed_from == 2
  restored = loading.restore(folder, build=spatial_model)
  for a, b, c in zip(
    trainer.averages.weights, restored.model.weights, again.averages.weights
  ):
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(a, c)


def test_is_not_restored_as_the_configs_model(trained):
  with pytest.raises(ValueError, match='Cannot use checkpoint'):
    loading.restore(trained[1])


def test_parts_and_microbatches_give_the_same_step(tmp_path, trained):
  trainer, _ = trained
  for k, how in enumerate([dict(parts=2), dict(microbatch=4)]):
    other = _trainer(tmp_path / str(k), 2, **how)
    other.run()
    for a, b in zip(trainer.model.weights, other.model.weights):
      np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def test_is_evaluated_sampled_and_probed(trained):
  vlae = trained[0].averages
  images = toys.image_data().test
  estimates = likelihood.Evaluator(vlae, 3)(images, 'test')
  np.testing.assert_allclose(
    estimates.elbo, -estimates.rate - estimates.distortion, rtol=1e-5
  )
  assert sampling.sample_prior(vlae, 2).shape == (2, *images.shape[1:])
  draws = sampling.complete(vlae, np.round(images[:1]), 9, draws=2, proposals=4)
  assert draws.shape == (2, 1, *images.shape[1:])
  use = latents.CodeProbe(vlae)(images)
  assert use.variances.shape == (6,)
  assert use.rates is None  # The numbers of a code depend on each other.


def test_rates_of_a_spatial_codes_numbers_sum_to_the_rate():
  vlae = spatial_model(
    toys.small_config(), (8, 8, 1), posteriors.DiagonalGaussianPosterior
  )
  rng = np.random.default_rng(0)
  for weight in vlae.trainable_variables:
    weight.assign(weight + 0.3 * rng.standard_normal(weight.shape))
  images = np.round(toys.image_data().test)
  q = vlae.posterior(images)
  code = reparameterized.draw(
    q, tf.random.stateless_normal([16, *CODE], [0, 1])
  )
  rates = latents.rates_per_dimension(q, vlae.prior(), code.value)
  assert rates.shape == (16, 6)
  total = vlae.terms(code, images).rate
  np.testing.assert_allclose(tf.reduce_sum(rates, 1), total, rtol=1e-3)


def test_bound_of_a_laplace_posterior_is_exact():
  """Against quadrature: `z ~ N(0, 1)`, `x ~ N(z, 0.5^2)`, `q = Laplace`."""

  class Of:
    event_shape = (1,)

    def __init__(self, fn):
      self.fn, self.build = fn, lambda *_: None

    def __call__(self, *args):
      return self.fn(*args)

  def q(image):
    return tfd.Independent(tfd.Laplace(0.7 * image[:, 0, 0], 0.4), 1)

  def likelihood_of(z):
    return tfd.Independent(tfd.Normal(z[..., None, None, :], 0.5), 3)

  vlae = vlae_lib.VLAE(
    Of(q),
    Of(lambda: reparameterized.standard_gaussian((1,))),
    Of(likelihood_of),
  )
  image = np.full([1, 1, 1, 1], 0.8, 'float32')
  num = 4000
  middles = (np.arange(num) + 0.5) / num
  noise = tfd.Normal(np.float64(0), 1.0).quantile(middles)
  noise = tf.cast(noise, tf.float32)[:, None, None]
  code = reparameterized.draw(vlae.posterior(image), noise)
  bound = tf.reduce_mean(vlae.terms(code, image).elbo)
  z = np.linspace(-15, 15, 300_001)
  density = np.exp(-np.abs(z - 0.56) / 0.4) / 0.8
  normal = 0.5 * np.log(2 * np.pi)
  value = (
    -0.5 * ((0.8 - z) / 0.5) ** 2 - np.log(0.5) - normal - 0.5 * z**2 - normal
  )
  expected = np.trapezoid(density * (value - np.log(density)), z)
  np.testing.assert_allclose(bound, expected, atol=2e-3)
