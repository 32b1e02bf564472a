"""An exported model gives the results of the Python model."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import toys

from exporting import bare, exports
from vlae_tf.evaluation import latents, likelihood, sampling
from vlae_tf.exporting import saved_model
from vlae_tf.utils import random

pytestmark = pytest.mark.usefixtures('all_eagerly')

_HERE = pathlib.Path(__file__).parent
_SEED = 5
_DRAWN = ('decode/', 'sample/', 'reconstruct/', 'complete/')


@pytest.fixture(scope='module')
def paper(tmp_path_factory):
  """An export of the paper's model, small."""
  return exports.make('paper', tmp_path_factory.mktemp('paper'))


@pytest.fixture(scope='module')
def loaded(paper):
  """Its signatures."""
  return tf.saved_model.load(str(paper.directory)).signatures


def _of_python(export):
  """The results of `bare.answers` from the functions for Python."""
  model, found = export.model, {}
  for n in export.sizes:
    x = export.images[:n]

    def note(name, values, n=n):
      found.update(
        {f'{name}/{n}/{k}': np.asarray(v) for k, v in values.items()}
      )

    note('encode', latents.encode(model, tf.constant(x))._asdict())
    pixels = model.likelihood(tf.constant(export.codes[:n]))
    images = pixels.sample(seed=random.stream_seed(_SEED, 'sample', 1))
    means = pixels.conditionals(images).mean()
    note('decode', dict(images=images, pixel_means=means))

    def estimate(index, num, seed, x=x):
      return likelihood.estimate_in_groups(model, x, index, num, seed)

    each = estimate(tf.range(n), 1, _SEED)._asdict()
    note('elbo', {k: each[k] for k in ('elbo', 'rate', 'distortion')})
    many = estimate(tf.range(n), 300 if n < 10 else 30, _SEED)
    note('log_prob', dict(log_prob=many.log_prob))
    alike = estimate(tf.zeros(n, tf.int32), 16, 0).log_prob
    bits = -alike / np.log(2) / np.prod(model.image_shape)
    note('score', dict(bits_per_dim=bits))
    note('sample', dict(images=sampling.sample_prior(model, n, _SEED)))
    again = sampling.decompress(model, x, 1, _SEED)[0]
    note('reconstruct', dict(images=again))
    given = int(export.mask.sum())
    if n < 10:
      rest = sampling.complete(model, x, given, 1, _SEED)
    else:  # Image by image it would take a minute.
      draw = tf.function(sampling.completions)
      rest = draw(model, tf.constant(x), export.mask, 1, _SEED)
    note('complete', dict(images=rest[0]))
  return found


def _of_bare_process(export, folder, threads):
  """The results of `bare.answers` in a separate process."""
  given, out = folder / 'given.npz', folder / f'out_{threads}.npz'
  np.savez(
    given,
    images=export.images,
    codes=export.codes,
    mask=export.mask,
    sizes=export.sizes,
  )
  environment = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
  command = [sys.executable, _HERE / 'bare.py', export.directory, given, out]
  subprocess.run(
    [*command, str(threads)], check=True, env=environment, cwd=folder
  )
  return dict(np.load(out))


def _assert_same(found, expected):
  assert found.keys() == expected.keys()
  for name, value in expected.items():
    assert found[name].shape == value.shape, name
    if name.startswith(_DRAWN) and name.endswith('/images'):
      np.testing.assert_array_equal(found[name], value, err_msg=name)
    else:
      np.testing.assert_allclose(
        found[name], value, rtol=1e-5, atol=1e-5, err_msg=name
      )


def test_it_answers_as_in_python(paper, loaded):
  few = dataclasses.replace(paper, sizes=(3,))
  found = bare.answers(loaded, few.images, few.codes, few.mask, few.sizes)
  _assert_same(found, _of_python(few))


@pytest.mark.exhaustive('large batches, in processes of their own')
def test_it_answers_as_in_python_on_one_and_two_threads(paper, tmp_path):
  expected = _of_python(paper)
  for threads in (1, 2):
    _assert_same(_of_bare_process(paper, tmp_path, threads), expected)


@pytest.mark.parametrize(
  'name',
  [
    'without a code',
    *(
      pytest.param(name, marks=pytest.mark.exhaustive('larger exports'))
      for name in ('three channels of levels', 'colours of levels')
    ),
  ],
)
def test_other_models_answer_as_in_python(name, tmp_path):
  export = exports.make(name, tmp_path, ['decode', 'encode', 'elbo', 'score'])
  loaded = tf.saved_model.load(str(export.directory)).signatures
  model, x = export.model, tf.constant(export.images[:3])
  codes, seed = tf.constant(export.codes[:3]), tf.constant(_SEED)
  drawn = loaded['decode'](codes=codes, seed=seed)['images']
  expected = model.likelihood(codes).sample(
    seed=random.stream_seed(_SEED, 'sample', 1)
  )
  np.testing.assert_array_equal(drawn, expected)
  estimate = likelihood.estimate_in_groups(model, x, tf.range(3), 1, _SEED)
  found = loaded['elbo'](images=x, seed=seed)
  for key in ('elbo', 'rate', 'distortion'):
    np.testing.assert_allclose(
      found[key], getattr(estimate, key), rtol=1e-5, atol=1e-5
    )
  codes_of = loaded['encode'](images=x)
  for key, value in latents.encode(model, x)._asdict().items():
    np.testing.assert_allclose(codes_of[key], value, rtol=1e-5, atol=1e-5)
  assert set(loaded) == {'decode', 'encode', 'elbo', 'score', 'serving_default'}
  alike = likelihood.estimate_in_groups(model, x, tf.zeros(3, tf.int32), 16)
  bits = -alike.log_prob / np.log(2) / np.prod(model.image_shape)
  np.testing.assert_allclose(
    loaded['score'](images=x)['bits_per_dim'], bits, rtol=1e-5
  )


def test_signatures_that_are_not_there_are_refused(paper, tmp_path):
  for names in (['encod'], []):
    with pytest.raises(ValueError, match='`names` must be some of encode, dec'):
      saved_model.write(paper.model, tmp_path / 'a', names=names)
  assert not list(tmp_path.iterdir())


def test_kernels_are_computed_once_and_for_all(paper, loaded):
  """A call neither normalises weights nor applies masks."""
  graph = loaded['encode'].graph.as_graph_def()
  functions = graph.library.function
  nodes = [*graph.node, *(n for f in functions for n in f.node_def)]
  assert not {n.name for n in nodes if n.op == 'Rsqrt'}
  assert {n.op for n in nodes} >= {'MatMul', 'Conv2D'}
  # The parameters of the kernels are left out.
  path = paper.directory / 'variables' / 'variables'
  shapes = tf.train.load_checkpoint(str(path)).get_variable_to_shape_map()
  stored = sum(int(np.prod(s)) for k, s in shapes.items() if 'weights' in k)
  assert stored <= sum(int(np.prod(v.shape)) for v in paper.model.variables)


@pytest.mark.exhaustive('many images')
def test_more_images_than_are_drawn_at_once(paper, loaded):
  """Parts have seeds of their own, here as in Python."""
  num = sampling.AT_ONCE + 3
  drawn = loaded['sample'](num=tf.constant(num), seed=tf.constant(2))['images']
  expected = sampling.sample_prior(paper.model, num, 2)
  np.testing.assert_array_equal(drawn, expected)
  assert (expected[: sampling.AT_ONCE][:3] != expected[-3:]).any()


def test_a_score_is_of_the_image_alone(paper, loaded):
  x = tf.constant(paper.images[:5])
  together = loaded['score'](images=x)['bits_per_dim'].numpy()
  alone = loaded['score'](images=x[3:4])['bits_per_dim'].numpy()
  np.testing.assert_allclose(together[3:4], alone, rtol=1e-6)
  equal = tf.repeat(x[:1], 3, 0)
  same = loaded['score'](images=equal)['bits_per_dim'].numpy()
  np.testing.assert_allclose(same, same[:1].repeat(3), rtol=1e-6)


_BAD = [
  ('encode', dict(images=np.full((2, 6, 5, 1), 2.0)), r'\[batch, 6, 5, 1\]'),
  (
    'score',
    dict(images=np.full((2, 6, 5, 1), np.nan)),
    'with values 0 or 1',
  ),
  (
    'elbo',
    dict(images=np.full((1, 6, 5, 1), 0.3), seed=0),
    'with values 0 or 1',
  ),
  ('elbo', dict(images=np.zeros((1, 6, 5, 1)), seed=-1), '`seed` must be in'),
  ('sample', dict(num=0, seed=0), r'`num` must be in \[1, '),
  ('sample', dict(num=2**30, seed=0), r'`num` must be in \[1, '),
  (
    'log_prob',
    dict(images=np.zeros((1, 6, 5, 1)), num_samples=0, seed=0),
    r'`num_samples` must be in \[1, ',
  ),
  ('decode', dict(codes=np.full((1, 4), np.inf), seed=0), '`codes` must be'),
]


@pytest.mark.parametrize('name, inputs, message', _BAD)
def test_inputs_out_of_bounds_are_refused(loaded, name, inputs, message):
  function = loaded[name]
  specs = function.structured_input_signature[1]
  tensors = {k: tf.constant(v, specs[k].dtype) for k, v in inputs.items()}
  with pytest.raises(tf.errors.InvalidArgumentError, match=message):
    function(**tensors)


def test_pixels_that_are_not_given_may_have_any_value(loaded):
  image = tf.fill([1, 6, 5, 1], 0.3)
  given = dict(images=image, seed=tf.constant(0))
  loaded['complete'](mask=tf.zeros([6, 5], tf.bool), **given)
  with pytest.raises(tf.errors.InvalidArgumentError, match='values 0 or 1'):
    loaded['complete'](mask=tf.ones([6, 5], tf.bool), **given)


_OF_IMAGES = [
  n for n, s in saved_model.SIGNATURES.items() if 'images' in s.inputs
]


@pytest.mark.parametrize('name', _OF_IMAGES)
def test_images_of_another_size_are_refused_with_the_size_wanted(loaded, name):
  function = loaded[name]
  specs = function.structured_input_signature[1]
  others = {
    k: tf.ones(s.shape, s.dtype) for k, s in specs.items() if k != 'images'
  }
  wanted = r'expected shape \[\?,6,5,1\]'
  for shape in ([2, 5, 6, 1], [2, 6, 5, 3], [0, 30], [6, 5, 1]):
    with pytest.raises(tf.errors.InvalidArgumentError, match=wanted):
      function(images=tf.zeros(shape), **others)
  with pytest.raises(tf.errors.InvalidArgumentError, match='float'):
    function(images=tf.zeros([2, 6, 5, 1], tf.uint8), **others)


def test_what_it_says_of_itself_is_so(paper, loaded):
  path = paper.directory / 'assets.extra' / 'signatures.json'
  told = json.loads(path.read_text())
  assert told['about'] == {'run': 'paper'}
  assert set(told['signatures']) == set(loaded) - {'serving_default'}
  readme = (paper.directory / 'README.md').read_text()
  for name, signature in told['signatures'].items():
    specs = {
      'inputs': loaded[name].structured_input_signature[1],
      'outputs': loaded[name].structured_outputs,
    }
    for side, of_side in specs.items():
      assert set(signature[side]) == set(of_side)
      for key, spec in of_side.items():
        field = signature[side][key]
        assert field['shape'] == spec.shape.as_list()
        assert field['dtype'] == spec.dtype.name
        assert f'| `{key}` | {field["dtype"]} |' in readme


def test_a_model_in_sixteen_bits_is_exported(tmp_path):
  model = toys.small_model(precision='mixed_bfloat16')
  saved_model.write(model, tmp_path / 'export', names=['encode'])
  loaded = tf.saved_model.load(str(tmp_path / 'export')).signatures
  x = tf.constant(toys.binary_images(3))
  found = loaded['encode'](images=x)['mean']
  expected = latents.encode(model, x).mean
  np.testing.assert_allclose(found, expected, rtol=0.02, atol=0.02)


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
  def full(*args, **kwargs):
    raise OSError(28, 'No space left on device')

  model = toys.random_model(toys.small_config(**toys.SMALLEST), (6, 5, 1))
  monkeypatch.setattr(tf.saved_model, 'save', full)
  with pytest.raises(ValueError, match='No space left'):
    saved_model.write(model, tmp_path / 'export', names=['encode'])
  assert not list(tmp_path.iterdir())
