"""Parts of one's own, and models whose parts are replaced."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import toys

from vlae_tf import distributions, models, nn
from vlae_tf.evaluation import latents
from vlae_tf.models import vlae as vlae_lib
from vlae_tf.utils import serialization

tfb = tfp.bijectors
tfd = tfp.distributions

_SHAPE = (6, 5, 1)
pytestmark = pytest.mark.usefixtures('all_eagerly')


@serialization.register
class WidePrior(models.Prior):
  """A Gaussian whose scale is learned."""

  def build(self, input_shape=None):
    self.scale = self.add_weight(
      name='scale', shape=self.event_shape, initializer='ones'
    )

  def call(self):
    mean = tf.zeros(self.event_shape)
    return tfd.MultivariateNormalDiag(mean, tf.nn.softplus(self.scale))


@serialization.register
class MatrixPosterior(models.Posterior):
  """A Gaussian whose mean is linear in the image."""

  def build(self, input_shape):
    size = int(np.prod(input_shape[1:]))
    self.weight = self.add_weight(
      name='weight', shape=(size, *self.event_shape)
    )

  def call(self, image):
    mean = tf.reshape(image, [tf.shape(image)[0], -1]) @ self.weight
    return tfd.MultivariateNormalDiag(mean, tf.ones_like(mean))


@serialization.register
class FlatLikelihood(models.Likelihood):
  """Independent pixels, all alike."""

  def build(self, input_shape):
    self.weight = self.add_weight(name='weight', shape=(input_shape[-1], 1))

  def call(self, z):
    logits = tf.tensordot(z, self.weight, 1)[..., None, None]
    logits += tf.zeros(_SHAPE)
    return tfd.Independent(tfd.Bernoulli(logits=logits, dtype=tf.float32), 3)


class KerasPrior(keras.layers.Layer):
  """What Keras cannot call."""

  def call(self):
    return distributions.standard_gaussian((4,))


def _own():
  return vlae_lib.VLAE(MatrixPosterior(4), WidePrior(4), FlatLikelihood())


def test_a_model_of_ones_own_parts_trains_and_is_saved(tmp_path):
  vlae = _own()
  vlae.build((None, *_SHAPE))
  assert {v.path for v in vlae.trainable_variables} == {
    'vlae/posterior/weight',
    'vlae/prior/scale',
    'vlae/likelihood/weight',
  }
  before = [w.numpy() for w in vlae.trainable_variables]
  vlae.compile(keras.optimizers.Adamax(0.01))
  images = toys.binary_images(8)
  vlae.fit(images, batch_size=4, verbose=0)
  for old, new in zip(before, vlae.trainable_variables):
    assert (old != new.numpy()).any()
  vlae.save(tmp_path / 'm.keras')
  again = keras.saving.load_model(tmp_path / 'm.keras')
  for a, b in zip(vlae(images), again(images)):
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
  'parts, message',
  [
    (dict(prior=KerasPrior()), r'derive it from `models\.Prior`, got <Ker'),
    (dict(prior=None), r'derive it from `models\.Prior`, got None'),
    (
      dict(posterior=keras.layers.Dense(4)),
      r'`posterior` must .*derive it from `models\.Posterior`, got <Dense',
    ),
    (dict(likelihood=3), r'derive it from `models\.Likelihood`, got 3'),
    (
      dict(prior=models.GaussianPrior(5)),
      r'`prior` must have the event shape of `posterior`, \(4,\), got \(5,',
    ),
  ],
)
def test_what_cannot_be_a_part_is_refused(parts, message):
  given = dict(
    posterior=MatrixPosterior(4),
    prior=WidePrior(4),
    likelihood=FlatLikelihood(),
  )
  with pytest.raises(ValueError, match=message):
    vlae_lib.VLAE(**(given | parts))


def test_a_part_builds_itself_where_it_is_used_alone():
  prior = models.AutoregressiveFlowPrior(3, 2, (4,))
  z = prior().sample(2, seed=1)
  assert prior().log_prob(z).shape == [2]
  flow = models.AutoregressiveFlowPrior(3, 2, (4,)).bijector()
  assert flow.forward(tf.zeros([2, 3])).shape == [2, 3]
  made = nn.MADE(3, (4,))
  assert made.unroll(tf.zeros([2, 3]), tf.add).shape == [2, 3]
  posterior = models.DiagonalGaussianPosterior(3, nn.Encoder((4,), 5))
  assert posterior(tf.zeros([2, *_SHAPE])).event_shape == [3]
  decoder = models.AutoregressiveDecoder(
    1,
    nn.Generator(_SHAPE[:2], 1, (4,), 5),
    nn.PixelCNN(1, 4, 2),
    distributions.BernoulliPixel(),
  )
  assert decoder(z).sample(seed=1).shape == [2, *_SHAPE]


@pytest.mark.parametrize('name', ['posterior', 'prior', 'likelihood'])
def test_a_part_of_a_built_model_is_not_replaced(name):
  vlae = _own()
  setattr(vlae, name, getattr(vlae, name))
  vlae.build((None, *_SHAPE))
  setattr(vlae, name, getattr(vlae, name))
  other = getattr(_own(), name)
  with pytest.raises(ValueError, match=rf'`{name}` of a built .*with_parts\('):
    setattr(vlae, name, other)
  assert getattr(vlae, name) is not other


def test_the_objective_of_a_built_model_is_not_replaced():
  vlae = toys.small_model()
  with pytest.raises(ValueError, match=r'with_parts\(objective=\.\.\.\)'):
    vlae.objective = models.NegativeELBO()


def test_a_model_with_another_part_shares_the_others(tmp_path):
  vlae = toys.small_model()
  objective = models.Beta(0.5)
  other = vlae.with_parts(prior=WidePrior(4), objective=objective)
  assert other.objective is objective
  paths = {v.path: v for v in other.trainable_variables}
  assert 'vlae/prior/scale' in paths
  shared = [v for v in vlae.trainable_variables if '/prior/' not in v.path]
  assert all(paths[v.path] is v for v in shared)
  assert len(paths) == len(shared) + 1
  images = toys.binary_images(3)
  noise = np.ones((3, 4), 'float32')
  before = vlae(images, noise).distortion.numpy()
  np.testing.assert_array_equal(other(images, noise).distortion, before)
  other.compile(keras.optimizers.Adamax(0.01))
  other.fit(images, verbose=0)
  after = vlae(images, noise).distortion.numpy()
  assert (after != before).all()
  np.testing.assert_array_equal(other(images, noise).distortion, after)
  other.save(tmp_path / 'm.keras')
  again = keras.saving.load_model(tmp_path / 'm.keras')
  assert [v.path for v in again.variables] == [v.path for v in other.variables]
  for a, b in zip(other(images, noise), again(images, noise)):
    np.testing.assert_array_equal(a, b)


def test_rates_of_dimensions_are_those_of_the_prior_that_there_is():
  vlae = _own()
  vlae.build((None, *_SHAPE))
  vlae.prior.scale.assign([0.2, 1.0, 3.0, 9.0])
  image, noise = toys.binary_images(3), np.ones((3, 4), 'float32')
  code = distributions.draw(vlae.posterior(image), tf.constant(noise))

  def rates(prior):
    return latents.rates_per_dimension(vlae.posterior(image), prior, code.value)

  total = tf.reduce_sum(rates(vlae.prior()), 1)
  np.testing.assert_allclose(total, vlae.terms(code, image).rate, rtol=1e-4)
  # Of what has no term for each number there is nothing to say.
  stretched = tfd.TransformedDistribution(vlae.prior(), tfb.Scale(2.0))
  mixed = tfd.MultivariateNormalTriL(
    scale_tril=tf.linalg.band_part(tf.ones([4, 4]), -1, 0)
  )
  assert rates(stretched) is None
  assert rates(mixed) is None


def test_parts_of_other_images_are_refused():
  vlae, larger = toys.small_model(), toys.small_model((8, 8, 1))
  with pytest.raises(ValueError, match=r'images of `likelihood`, \(8, 8, 1\)'):
    vlae.with_parts(likelihood=larger.likelihood)
