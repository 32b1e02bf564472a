"""A weight that nothing depends on is named and left alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

from vlae_tf import data as data_lib
from vlae_tf.models import builder, priors
from vlae_tf.training import state as training_state
from vlae_tf.training import step as train_step

pytestmark = pytest.mark.usefixtures('all_eagerly')


class Wasteful(priors.GaussianPrior):
  """A prior with a weight that it does not use."""

  def build(self, input_shape=None):
    self.waste = self.add_weight(name='waste', shape=(3,), initializer='ones')


def _build(config, image_shape):
  vlae = builder.build_model(config, image_shape)
  return vlae.with_parts(prior=Wasteful(4))


@pytest.mark.parametrize('microbatch', [0, 4])
def test_the_training_loop_says_so_once(capfd, microbatch):
  config = toys.small_config(prior='gaussian', encoder_widths='4')
  images = toys.image_data().train
  batches = data_lib.training_batches(images, config.batch_size, config.seed)
  state = training_state.TrainingState(config, (8, 8, 1), 10, _build)
  step = train_step.TrainStep(
    tf.distribute.get_strategy(),
    state,
    config,
    train_step.Execution(xla='none', microbatch=microbatch),
  )
  before = [w.numpy() for w in state.model.trainable_variables]
  capfd.readouterr()
  metrics = step(iter(batches), 2)
  assert float(metrics['skipped']) == 0
  warnings = [
    line
    for line in capfd.readouterr().err.splitlines()
    if line.startswith('warning: ')
  ]
  assert len(warnings) == 1
  assert 'does not depend on vlae/prior/waste: not trained' in warnings[0]
  for old, new in zip(before, state.model.trainable_variables):
    assert np.array_equal(old, new) == new.path.endswith('/waste'), new.path


def test_fit_goes_on():
  config = toys.small_config(prior='gaussian', encoder_widths='4')
  vlae = _build(config, (6, 5, 1))
  vlae.compile(keras.optimizers.Adamax(0.01))
  with pytest.warns(UserWarning, match='Gradients do not exist .*waste'):
    vlae.fit(toys.binary_images(4), verbose=0)
  np.testing.assert_array_equal(vlae.prior.waste, 1.0)
