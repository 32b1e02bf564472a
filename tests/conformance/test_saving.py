"""What is saved comes back to the same bits, and as what it was."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

from conformance import cases
from vlae_tf import data
from vlae_tf.models import objectives, schedules
from vlae_tf.runs import loading, pretrained
from vlae_tf.training import trainer as trainer_lib


def _few_models():
  """A model of each pixel law; all models in the exhaustive tier."""
  mark = pytest.mark.exhaustive('all models, whose Keras file is checked')
  chosen, laws = [], set()
  for case in cases.model_configs():
    is_new = case.pixel_distribution not in laws
    chosen.append(case if is_new else pytest.param(case, marks=mark))
    laws.add(case.pixel_distribution)
  return pytest.mark.parametrize('case', chosen, ids=cases.label)


def image_data(case):
  """A few images of what the pixel law of a config is a law of."""
  kind = cases.pixel_distribution(case).kinds[-1]
  images = np.random.default_rng(0).integers(0, 256, (8, *cases.IMAGE_SHAPE))
  images = images > 127 if kind == 'binary' else images.astype('uint8')
  return data.ImageData('toy', images, images[:2], images[:2], kind=kind)


def check_same(model, other, case):
  """Checks that two models have the same variables and give the same bits."""
  assert other is not model
  for a, b in zip(model.variables, other.variables, strict=True):
    assert a.path == b.path
    np.testing.assert_array_equal(a, b)
  image = cases.images(case, 2, *cases.IMAGE_SHAPE)
  # Of the noise that is next in the model, which is saved as well.
  for a, b in zip(model(image), other(image)):
    np.testing.assert_array_equal(a, b)


@cases.each_model
def test_a_model_comes_back_from_a_file_of_keras(case, tmp_path):
  model = cases.shared_model(case)
  model.save(tmp_path / 'model.keras')
  again = keras.saving.load_model(tmp_path / 'model.keras')
  check_same(model, again, case)
  assert again.get_config() == model.get_config()


@pytest.mark.usefixtures('eagerly')
@_few_models()
def test_a_model_comes_back_from_the_directory_of_its_run(case, tmp_path):
  first = trainer_lib.Limits(max_steps=0)
  trainer = trainer_lib.Trainer(case, image_data(case), tmp_path, limits=first)
  for average in trainer.averages.trainable_variables:
    average.assign(average + 0.1)
  trainer.run()
  run = loading.restore(tmp_path)
  assert (run.config, run.step) == (case, 0)
  check_same(trainer.averages, run.model, case)


@_few_models()
def test_a_model_comes_back_from_the_folder_that_it_is_shared_in(
  case, tmp_path
):
  model = cases.shared_model(case)
  model.save_pretrained(tmp_path / 'shared')
  again = pretrained.from_pretrained(tmp_path / 'shared')
  assert again.config == case
  check_same(model, again, case)


@cases.each_network
def test_variables_have_the_same_paths_whenever_a_network_is_built(case):
  first, second = (
    cases.fresh_network(case, build=toys.build_untrained) for _ in range(2)
  )
  assert all(layer.built for layer in first._flatten_layers())
  paths = [v.path for v in first.variables]
  assert len(set(paths)) == len(paths)
  # But for the network's own name, which its model gives it.
  tails = [path.removeprefix(f'{first.name}/') for path in paths]
  assert [v.path for v in second.variables] == [
    f'{second.name}/{tail}' for tail in tails
  ]


def restored(thing):
  """What Keras makes of what it writes of a thing."""
  config = keras.saving.serialize_keras_object(thing)
  return keras.saving.deserialize_keras_object(config)


@cases.each(cases.of_each('pixel_distribution'))
def test_a_pixel_law_comes_back_equal(case):
  law = cases.pixel_distribution(case)
  assert restored(law) == law
  assert hash(restored(law)) == hash(law)


@cases.each(
  cases.of_each('objective') + cases.of_each('objective', kl_warmup_steps=9)
)
def test_an_objective_comes_back(case):
  objective = objectives.create(case, cases.IMAGE_SHAPE)
  again = restored(objective)
  assert type(again) is type(objective)
  assert again.get_config() == objective.get_config()
  assert again.num_samples == objective.num_samples
  for rate in (tf.constant(0.01), tf.constant(3.0)):
    assert again.rate_loss(rate, 2) == objective.rate_loss(rate, 2)


@cases.each(cases.of_each('learning_rate_schedule'))
def test_a_schedule_comes_back(case):
  schedule = schedules.create(case, 100)
  if not callable(schedule):
    pytest.skip('a number')
  again = restored(schedule)
  assert type(again) is type(schedule)
  assert again.get_config() == schedule.get_config()
  assert [again(step) for step in (0, 70)] == [schedule(s) for s in (0, 70)]
