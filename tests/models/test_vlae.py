"""The model: its laws, its bound, its initialisation."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import toys

from vlae_tf.models import posteriors
from vlae_tf.nn import weight_norm

tfd = tfp.distributions
tfb = tfp.bijectors
pytestmark = pytest.mark.usefixtures('all_eagerly')


def test_both_readings_of_the_bound_agree():
  # AF prior on z against IAF posterior on eps = f^-1(z) (paper, Eqs 12-14).
  vlae = toys.small_model()
  image = toys.binary_images(7)
  q = vlae.posterior(image)
  z = q.sample(seed=(0, 1))
  rate_z = q.log_prob(z) - vlae.prior().log_prob(z)
  flow = vlae.prior.bijector()
  iaf = tfd.TransformedDistribution(q, tfb.Invert(flow))
  eps = flow.inverse(tf.identity(z))
  base = tfd.MultivariateNormalDiag(tf.zeros(vlae.event_shape))
  rate_eps = iaf.log_prob(tf.identity(eps)) - base.log_prob(eps)
  np.testing.assert_allclose(rate_z, rate_eps, rtol=1e-5, atol=1e-5)
  distortion_z = vlae.likelihood(z).log_prob(image)
  distortion_eps = vlae.likelihood(flow.forward(eps)).log_prob(image)
  np.testing.assert_allclose(distortion_z, distortion_eps, rtol=1e-4)


@pytest.mark.parametrize('image_shape', [(6, 5, 1), (1, 9, 1), (8, 8, 3)])
@pytest.mark.parametrize('prior', ['flow', 'gaussian'])
def test_the_three_laws_are_distributions(image_shape, prior):
  vlae = toys.small_model(image_shape, prior=prior)
  image = toys.binary_images(4, image_shape)
  codes = tf.zeros([4, *vlae.event_shape])
  laws = vlae.posterior(image), vlae.prior(), vlae.likelihood(codes)
  (size,) = vlae.event_shape
  shapes = [([4], [size]), ([], [size]), ([4], list(image_shape))]
  for law, (batch_shape, event_shape) in zip(laws, shapes):
    assert isinstance(law, tfd.Distribution)
    assert law.batch_shape == batch_shape
    assert law.event_shape == event_shape
    sample = law.sample(2, seed=(0, 0))
    assert sample.shape == [2, *batch_shape, *event_shape]
    assert law.log_prob(sample).shape == [2, *batch_shape]


def test_laws_compose_with_tfp():
  vlae = toys.small_model()
  joint = tfd.JointDistributionSequential(
    [vlae.prior(), lambda z: vlae.likelihood(z)]
  )
  z, x = joint.sample(3, seed=(1, 2))
  expected = vlae.prior().log_prob(z) + vlae.likelihood(z).log_prob(x)
  np.testing.assert_allclose(joint.log_prob(z, x), expected, rtol=1e-5)


def test_terms_are_the_laws_log_probs():
  vlae = toys.small_model()
  image = toys.binary_images(3)
  rng = np.random.default_rng(0)
  noise = rng.standard_normal((3, *vlae.event_shape)).astype('float32')
  terms = vlae(image, noise)
  q = vlae.posterior(image)
  z = q.loc + q.scale.diag_part() * noise
  np.testing.assert_allclose(
    terms.distortion, -vlae.likelihood(z).log_prob(image), rtol=1e-5
  )
  np.testing.assert_allclose(
    terms.rate, q.log_prob(z) - vlae.prior().log_prob(z), rtol=1e-4, atol=1e-4
  )
  np.testing.assert_allclose(terms.elbo, -terms.distortion - terms.rate)


def test_all_variables_exist_once_built():
  vlae = toys.small_model()
  before = [id(v) for v in vlae.variables]
  image = toys.binary_images(2)
  vlae(image)
  vlae.likelihood(vlae.prior().sample(2, seed=(0, 0))).sample(seed=(0, 0))
  assert [id(v) for v in vlae.variables] == before


def test_fully_masked_unit_is_its_bias_alone():
  mask = np.array([[1, 0], [1, 0]])
  layer = weight_norm.WeightNormDense(2, mask=mask)
  layer.build((None, 2))
  layer.bias.assign([0.0, 3.0])
  with tf.GradientTape() as tape:
    y = layer(tf.ones([4, 2]))
    loss = tf.reduce_sum(y**2)
  np.testing.assert_array_equal(y[:, 1], 3.0)
  for gradient in tape.gradient(loss, layer.trainable_variables):
    assert np.isfinite(gradient).all()


def test_kernel_norm_is_the_gain():
  layer = weight_norm.WeightNormConv2DTranspose(3, 3, output_size=(5, 7))
  layer.build((None, 3, 4, 2))
  layer.gain.assign([1.0, 2.0, 3.0])
  norm = np.sqrt((layer.kernel.numpy() ** 2).sum((0, 1, 3)))
  np.testing.assert_allclose(norm, [1, 2, 3], rtol=1e-5)
  assert layer(tf.zeros([2, 3, 4, 2])).shape == [2, 5, 7, 3]


def test_log_scales_are_bounded():
  vlae = toys.small_model()
  vlae.posterior._log_scale.bias.assign([-1e6, -50.0, 50.0, 1e6])
  scale = vlae.posterior(toys.binary_images(2)).stddev().numpy()
  bound = np.exp(posteriors.MAX_LOG_SCALE)
  assert (scale <= bound * 1.001).all()
  assert (scale >= 0.999 / bound).all()
