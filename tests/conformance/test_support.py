"""Values that pixels cannot have are refused, or have no probability."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from conformance import cases
from vlae_tf.evaluation import latents, likelihood, sampling

pytestmark = pytest.mark.usefixtures('all_eagerly')

_EACH = cases.each(
  cases.of_each('pixel_distribution', prior='gaussian', decoder='factorised')
)
# Grey, not of 256 levels; those of 8 bits; beyond; no number.
_OTHERS = (0.3, 255.0, -1.0, np.nan)


def changed(case, value):
  """Images of a case of which one pixel has another value."""
  images = cases.images(case, 2, *cases.IMAGE_SHAPE)
  images[1, 1, 2, 0] = value
  return images


@_EACH
@pytest.mark.parametrize('value', _OTHERS)
def test_other_values_have_no_probability(case, value):
  model = cases.shared_model(case)
  law = model.likelihood(tf.zeros([2, *model.event_shape]))
  log_prob = law.log_prob(changed(case, value)).numpy()
  assert np.isfinite(log_prob[0])
  assert log_prob[1] == -np.inf


@_EACH
@pytest.mark.parametrize('value', _OTHERS)
def test_models_refuse_other_values(case, value):
  model = cases.shared_model(case)
  model.compile(keras.optimizers.SGD(0.0), jit_compile=False)
  images = changed(case, value)
  batches = tf.data.Dataset.from_tensors(images)
  code = latents.reparameterized.draw(
    model.posterior(images), tf.zeros([2, *model.event_shape])
  )
  for call in (
    lambda: model(images),
    lambda: model(tf.constant(images)),
    lambda: model.terms(code, images),
    lambda: model.initialize(images),
    lambda: model.fit(images, verbose=0),
    lambda: model.fit(batches, verbose=0),
    lambda: model.evaluate(images, verbose=0),
    lambda: model.predict(images, verbose=0),
    lambda: model.train_on_batch(images),
    lambda: model.test_on_batch(images),
    lambda: likelihood.Evaluator(model).estimate(images, np.arange(2)),
    lambda: sampling.pixel_nats(model, images),
    lambda: sampling.decompress(model, images),
  ):
    with pytest.raises(ValueError, match=r'^`(x|image|images)` must have valu'):
      call()


@_EACH
def test_values_of_images_are_accepted(case):
  model = cases.shared_model(case)
  values = cases.values(cases.pixel_distribution(case))
  images = np.resize(values, (len(values), *cases.IMAGE_SHAPE))
  for dtype in ('float32', 'float64'):
    assert np.isfinite(model(images.astype(dtype)).elbo).all()
