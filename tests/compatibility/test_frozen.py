"""What earlier versions wrote is read, and means what it meant.

Compressed files are equal to the byte, pictures and drawn images to the pixel,
numbers to what threads and processors round.
"""

import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from conformance import cases

import vlae_tf
from compatibility import frozen

pytestmark = pytest.mark.usefixtures('all_eagerly')

each_kind = pytest.mark.parametrize('kind', frozen.KINDS)


def _having(name):
  """The kinds with a file of a name."""
  found = [k for k in frozen.KINDS if (frozen.FILES / k / name).exists()]
  slow = pytest.mark.exhaustive('logistic mixtures of colours take 20 s each')
  is_slow = {'colour'} if name.endswith('.vlae') else set()
  return pytest.mark.parametrize(
    'kind', [pytest.param(k, marks=[slow] * (k in is_slow)) for k in found]
  )


def _numbers(name):
  path = frozen.FILES / name / 'numbers.json'
  return json.loads(path.read_text(encoding='utf-8'))


def _assert_near(found, expected):
  np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6)


def _assert_all_near(found, expected):
  assert found.keys() == expected.keys()
  for name, value in expected.items():
    np.testing.assert_allclose(
      found[name], value, rtol=2e-5, atol=1e-5, err_msg=name
    )


@each_kind
def test_shared_models_compute_and_draw_what_they_did(kind):
  model = vlae_tf.from_pretrained(frozen.model(kind))
  expected = _numbers(kind)
  _assert_near(frozen.terms(model, frozen.images(kind)), expected['terms'])
  found = frozen.samples(model)
  _assert_near(found['latent'], expected['latent'])
  assert found['images'] == expected['images']


@_having('model.keras')
def test_keras_files_compute_what_they_did(kind):
  model = keras.saving.load_model(frozen.FILES / kind / 'model.keras')
  found = frozen.terms(model, frozen.images(kind))
  _assert_near(found, _numbers(kind)['terms'])


@_having('lossless.vlae')
def test_files_without_loss_are_decoded(kind, tmp_path):
  file, images = frozen.FILES / kind / 'lossless.vlae', frozen.images(kind)
  found = frozen.decompress(kind, file, tmp_path / 'back.npz')
  assert found.dtype == images.dtype
  np.testing.assert_array_equal(found, images)


@pytest.mark.parametrize(
  ('kind', 'name'),
  [
    pytest.param(
      kind,
      name,
      marks=()
      if kind in ('flow-pixelcnn', 'none-pixelcnn')
      else pytest.mark.exhaustive('every kind of model is coded again'),
    )
    for kind in frozen.KINDS
    for name in frozen.COMPRESSED
    if (frozen.FILES / kind / name).exists()
  ],
)
def test_images_are_compressed_to_the_same_bytes(kind, name, tmp_path):
  again = tmp_path / 'again.vlae'
  frozen.compress(kind, again, *frozen.COMPRESSED[name], '--noverify')
  assert again.read_bytes() == (frozen.FILES / kind / name).read_bytes()


@_having('lossy.vlae')
def test_files_with_loss_are_drawn_from_alike(kind, tmp_path):
  file, out = frozen.FILES / kind / 'lossy.vlae', tmp_path / 'back.npz'
  found = frozen.decompress(kind, file, out, '--seed=3')
  expected = np.load(frozen.FILES / kind / 'lossy.npz')['images']
  assert found.dtype == expected.dtype
  np.testing.assert_array_equal(found, expected)


@_having(frozen.APPENDED)
def test_files_that_were_appended_to_are_decoded(kind, tmp_path):
  file, images = frozen.FILES / kind / frozen.APPENDED, frozen.images(kind)
  found = frozen.decompress(kind, file, tmp_path / 'back.npz')
  np.testing.assert_array_equal(found, np.concatenate([images, images]))


def test_everything_registered_is_in_a_model():
  configs = [
    vlae_tf.from_pretrained(frozen.model(k)).config for k in frozen.KINDS
  ]
  for field, names in cases.registries().items():
    assert {getattr(c, field) for c in configs} == set(names), field


@pytest.fixture
def workdir(tmp_path):
  return shutil.copytree(frozen.RUN / 'workdir', tmp_path / 'run')


@pytest.fixture(params=['first format', 'second format'])
def of_each_format(workdir, request):
  """The run, with its checkpoint in one of two formats."""
  if request.param == 'first format':
    for file in frozen.FIRST_FORMAT.iterdir():
      shutil.copy(file, workdir / 'checkpoints')
  return workdir


def test_runs_score_what_they_did(of_each_format):
  found = frozen.scores(of_each_format)
  _assert_all_near(found, _numbers('run')['scores'])


def test_runs_go_on_as_they_did(of_each_format):
  found, expected = frozen.resumed_losses(of_each_format), _numbers('run')
  assert found.keys() == expected['losses'].keys()
  for step, scalars in expected['losses'].items():
    _assert_all_near(found[step], scalars)


@pytest.mark.exhaustive('traces every signature')
def test_runs_answer_as_they_did_when_exported(workdir, tmp_path):
  found = frozen.exported(workdir, tmp_path / 'exported')
  _assert_all_near(found, _numbers('run')['exported'])


def test_runs_draw_what_they_did(workdir, tmp_path):
  found = frozen.picture(workdir, tmp_path / 'samples.png')
  expected = tf.image.decode_png((frozen.RUN / 'samples.png').read_bytes())
  # Without the caption.
  rows = 30
  np.testing.assert_array_equal(found[:rows], expected[:rows])


_QUICK = ('quickstart',)


@pytest.mark.parametrize(
  'preset',
  [
    pytest.param(
      name,
      marks=()
      if name in _QUICK
      else pytest.mark.exhaustive('models of full size take long'),
    )
    for name in json.loads(frozen.LOSSES.read_text(encoding='utf-8'))
  ],
)
def test_presets_begin_as_they_did(preset, tmp_path):
  recorded = json.loads(frozen.LOSSES.read_text(encoding='utf-8'))
  found = frozen.preset_losses(preset, tmp_path)
  assert found.keys() == recorded[preset].keys()
  for step, scalars in recorded[preset].items():
    np.testing.assert_allclose(
      [found[step][name] for name in scalars],
      list(scalars.values()),
      rtol=1e-4,
      atol=1e-6,
    )
