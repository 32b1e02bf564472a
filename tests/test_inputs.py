"""Images, codes and noise that do not fit a model are refused in words."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

from vlae_tf import data
from vlae_tf.distributions import reparameterized
from vlae_tf.evaluation import latents, likelihood
from vlae_tf.nn import weight_norm

_SHAPE = (6, 5, 1)
_NAN = np.full((2, *_SHAPE), np.nan, 'float32')
# What is wrong with images by what a shape and a dtype say, ...
_STATIC = {
  'rank': (np.zeros((2, 6, 5), 'float32'), r'\[batch, 6, 5, 1\], got \(2, 6'),
  'size': (np.zeros((2, 7, 5, 1), 'f'), r'\[batch, 6, 5, 1\], got \(2, 7, 5'),
  'channels': (np.zeros((2, 6, 5, 3), 'f'), r'got \(2, 6, 5, 3\)'),
  'uint8': (np.zeros((2, *_SHAPE), 'uint8'), 'float dtype .* got uint8'),
  'bool': (np.zeros((2, *_SHAPE), 'bool'), 'float dtype .* got bool'),
  'tensor': (tf.zeros((2, *_SHAPE), tf.int32), 'float dtype .* got int32'),
}
# ... and by what they hold.
_VALUES = {
  'nan': (_NAN, r'in \[0, 1\] and no NaN, got values from nan'),
  'one nan': (np.where(np.arange(2)[:, None, None, None], 0, _NAN), 'nan'),
  'beyond': (np.full((2, *_SHAPE), 255.0), r'got values from 255.0 to 255.0'),
  'below': (-np.ones((2, *_SHAPE), 'f'), r'got values from -1.0 to -1.0'),
  'none': (np.zeros((0, *_SHAPE), 'f'), r'be empty'),
}

each_static = pytest.mark.parametrize('bad', _STATIC)
each_bad = pytest.mark.parametrize('bad', [*_STATIC, *_VALUES])


@pytest.fixture(scope='module')
def vlae():
  model = toys.small_model(prior='gaussian', encoder_widths='4')
  # XLA takes seconds for each kind of data.
  model.compile(keras.optimizers.SGD(0.0), jit_compile=False)
  return model


def refused(name, bad):
  """Expects a `ValueError` of an argument and of bad images."""
  _, message = (_STATIC | _VALUES)[bad]
  return pytest.raises(ValueError, match=f'^`{name}` must .*{message}')


def images(bad):
  return (_STATIC | _VALUES)[bad][0]


@each_static
def test_calls(vlae, bad):
  noise = tf.zeros([2, 4])
  code = reparameterized.Draw(noise, tf.zeros([2]))
  in_graph = tf.function(vlae, autograph=False)
  for call in (
    vlae,
    vlae.posterior,
    lambda image: vlae(image, noise),
    lambda image: vlae.terms(code, image),
    # While it is traced, before anything is computed.
    lambda image: in_graph.get_concrete_function(tf.convert_to_tensor(image)),
  ):
    with refused('image', bad):
      call(images(bad))


@each_bad
def test_initialisation(vlae, bad):
  before = [w.numpy() for w in vlae.weights]
  with refused('image', bad):
    vlae.initialize(images(bad))
  for old, new in zip(before, vlae.weights):
    np.testing.assert_array_equal(old, new)
  # Nothing is left half done.
  with weight_norm.data_dependent_initialization():
    pass


@each_bad
def test_fit_and_evaluate(vlae, bad):
  good = toys.binary_images(2)
  with refused('x', bad):
    vlae.fit(images(bad), verbose=0)
  with refused('x', bad):
    vlae.evaluate(images(bad), verbose=0)
  with refused('validation_data', bad):
    vlae.fit(good, validation_data=(images(bad),), verbose=0)
  if len(images(bad)):
    batches = tf.data.Dataset.from_tensors(images(bad))
    with refused('x', bad):
      vlae.fit(batches, verbose=0)


def test_an_unbatched_data_set_is_refused(vlae):
  with pytest.raises(ValueError, match=r'`x` must .*, got \(6, 5, 1\)'):
    vlae.fit(tf.data.Dataset.from_tensor_slices(toys.binary_images(3)))


def test_all_that_keras_takes_is_fitted(vlae):
  good = toys.binary_images(3)
  batches = tf.data.Dataset.from_tensor_slices(good).batch(2)
  for x in (good, good.astype('float64'), tf.constant(good), batches):
    vlae.fit(x, batch_size=3, verbose=0)
  vlae.fit(batches.map(lambda image: (image,)), verbose=0)


def test_images_of_a_list_are_refused(vlae):
  with pytest.raises(ValueError, match=r'`image` must be an array .* got list'):
    vlae([[[[0.0]]]])
  for x, kind in [([[[[0.0]]]], 'list'), (None, 'NoneType'), ('a', 'str')]:
    for method in (vlae.fit, vlae.predict, vlae.evaluate, vlae.train_on_batch):
      with pytest.raises(ValueError, match=f'`x` must be an .* got {kind}'):
        method(x)


@pytest.mark.parametrize('shape', [(2, 3), (2, 1), (1, 4), (4,), (3, 2, 4)])
def test_noise_of_another_shape_is_refused(vlae, shape):
  with pytest.raises(ValueError, match=r'`noise` must have shape \[2, 4\], go'):
    vlae(toys.binary_images(2), noise=np.zeros(shape, 'float32'))


def test_codes_of_another_shape_are_refused(vlae):
  image = toys.binary_images(2)
  with pytest.raises(ValueError, match=r'`z` must .*\[\.\.\., 4\], got \(2, 3'):
    vlae.likelihood(tf.zeros([2, 3]))
  with pytest.raises(ValueError, match='`z` must be of a float dtype'):
    vlae.likelihood(tf.zeros([2, 4], tf.int32))
  for shape in [(2, 3), (3, 4), (4,)]:
    code = reparameterized.Draw(tf.zeros(shape), tf.zeros([2]))
    with pytest.raises(ValueError, match=r'`code\.value` must .*\[\.\.\., 2, '):
      vlae.terms(code, image)


def test_laws_of_images_refuse_others(vlae):
  law = vlae.likelihood(tf.zeros([2, 4]))
  for bad, name in (('size', '7, 5, 1'), ('uint8', 'uint8'), ('bool', 'bool')):
    with pytest.raises(ValueError, match=f'`value` must .*got .*{name}'):
      law.log_prob(images(bad))
    with pytest.raises(ValueError, match=f'`given` must .*got .*{name}'):
      law.complete(images(bad), np.ones(_SHAPE[:2], bool))
  for mask in (np.ones(_SHAPE[:2]), np.ones((5, 6), bool)):
    with pytest.raises(ValueError, match='`given_mask` must be boolean, of'):
      law.complete(toys.binary_images(2), mask)


@pytest.mark.parametrize('seed', [-1, 2**31 - 1, 'a', 1.0])
def test_what_is_no_seed_is_refused(vlae, seed):
  for create in (likelihood.Evaluator, latents.CodeProbe):
    with pytest.raises(ValueError, match='`seed` must be'):
      create(vlae, seed=seed)
  with pytest.raises(ValueError, match='`seed` must be'):
    type(vlae)(vlae.posterior, vlae.prior, vlae.likelihood, seed=seed)


@pytest.mark.parametrize('ask', [likelihood.Evaluator, latents.CodeProbe])
@pytest.mark.parametrize(
  'given, kind, message',
  [
    (np.zeros((2, 8, 8, 1), bool), None, r'\(6, 5, 1\), got \(8, 8, 1\)'),
    (np.zeros((6, 5, 1), bool), None, r'`images` must be an array of shape'),
    (_NAN, None, r'`images` must have values in \[0, 1\]'),
    (np.zeros((2, *_SHAPE), 'uint8'), 'levels', "images of kind 'levels'"),
    (np.zeros((2, *_SHAPE), bool), 'grey', "`kind` must .* 'binary', got 'gre"),
  ],
)
def test_images_of_another_model_are_not_analysed(
  vlae, ask, given, kind, message
):
  with pytest.raises(ValueError, match=message):
    ask(vlae)(given, kind=kind)


def test_a_model_without_variables_is_not_analysed():
  empty = toys.LinearGaussian().model()
  with pytest.raises(ValueError, match='`model` must be built'):
    likelihood.Evaluator(empty)(np.zeros((2, 3, 2, 1), bool))


def test_numbers_of_images_are_as_many_as_these(vlae):
  evaluator = likelihood.Evaluator(vlae)
  for index in (np.arange(3), np.zeros(2), np.zeros((2, 1), int)):
    with pytest.raises(ValueError, match='`index` must be integers of shape'):
      evaluator.estimate(toys.binary_images(2), index)


def test_what_a_data_set_gives_is_what_a_model_takes(vlae):
  images = data.fixed_binarization(toys.binary_images(4) > 0, 'train')
  assert vlae(images).elbo.shape == [4]
