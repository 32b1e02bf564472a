"""A shared model is the model it was: by name, from a folder, by a preset."""

import json
import math
import pathlib
import re
import resource
import shutil

import keras
import numpy as np
import pytest
import safetensors.numpy
import toys

import vlae_tf
from vlae_tf import data, models, nn
from vlae_tf.evaluation import likelihood
from vlae_tf.formats import card, folder
from vlae_tf.models import posteriors, priors
from vlae_tf.runs import pretrained

_SHAPE = (6, 5, 1)


def _model(seed=0, **changes):
  smallest = dict(prior='gaussian', encoder_widths='4')
  return toys.small_model(_SHAPE, seed=seed, **(smallest | changes))


def _values(model):
  return {v.path: v.numpy() for v in model.variables}


def _assert_equal(a, b):
  assert a.keys() == b.keys()
  for name in a:
    np.testing.assert_array_equal(a[name], b[name], err_msg=name)


@pytest.fixture(scope='module')
def written(tmp_path_factory):
  """A folder and the model that is in it; for reading."""
  model = _model(dataset='/home/someone/scans/')
  path = tmp_path_factory.mktemp('home') / 'shared'
  model.save_pretrained(path, about={'steps': 3})
  return path, model


@pytest.fixture
def shared(written, tmp_path):
  """A copy of it."""
  return shutil.copytree(written[0], tmp_path / 'shared')


def _edit(path, change):
  fields = json.loads((path / 'config.json').read_text())
  change(fields)
  (path / 'config.json').write_text(json.dumps(fields))


def test_a_model_comes_back_to_the_bit(written):
  path, model = written
  again = vlae_tf.from_pretrained(str(path))
  _assert_equal(_values(again), _values(model))
  assert again.config.latent_size == model.config.latent_size
  images = toys.binary_images(3, _SHAPE)
  noise = np.ones([3, *model.event_shape], 'float32')
  for a, b in zip(model(images, noise), again(images, noise)):
    np.testing.assert_array_equal(a, b)


def test_the_library_of_the_format_alone_reads_the_weights(written):
  path, model = written
  found = safetensors.numpy.load_file(path / 'model.safetensors')
  _assert_equal(found, _values(model))


def test_keras_alone_reads_the_weights(written):
  path, model = written
  other = _model(seed=1)
  other.load_weights(path / 'model.weights.h5')
  _assert_equal(_values(other), _values(model))


def test_the_file_of_keras_is_enough(shared, written):
  (shared / 'model.safetensors').unlink()
  _assert_equal(_values(vlae_tf.from_pretrained(shared)), _values(written[1]))


def test_where_the_images_were_is_nobodys_business(written):
  path, _ = written
  for name in ('config.json', 'README.md'):
    assert 'someone' not in (path / name).read_text()
  assert vlae_tf.from_pretrained(path).config.dataset == 'path/to/scans'


def test_the_folder_says_in_words_what_the_config_names(written):
  path, _ = written
  fields = json.loads((path / 'config.json').read_text())
  for field, names in (
    ('decoder', models.NETWORKS),
    ('prior', models.PRIORS),
    ('objective', models.OBJECTIVES),
  ):
    words = names.description(fields['config'][field])
    assert fields['parts'][field] == words
    assert words in (path / 'README.md').read_text()
  assert fields['vlae_tf_version'] == vlae_tf.__version__


def test_half_of_the_bytes_give_the_nearest_weights(tmp_path):
  model = _model()
  for name, dtype in [('whole', 'float32'), ('half', 'float16')]:
    model.save_pretrained(tmp_path / name, dtype=dtype, keras_weights=False)
    assert not (tmp_path / name / 'model.weights.h5').exists()
  again = vlae_tf.from_pretrained(tmp_path / 'half')
  for path, value in _values(model).items():
    expected = value
    if value.dtype == 'float32':
      expected = value.astype('float16').astype('float32')
    np.testing.assert_array_equal(_values(again)[path], expected)
  sizes = [
    (tmp_path / name / 'model.safetensors').stat().st_size
    for name in ('whole', 'half')
  ]
  saved = sizes[0] - sizes[1]
  assert abs(saved - 2 * sum(w.size for w in model.get_weights())) < 600


def _own(config, image_shape):
  model = _model()
  own = model.with_parts(
    posterior=posteriors.DiagonalGaussianPosterior(
      config.latent_size, nn.Encoder((5,), 6)
    ),
    prior=priors.GaussianPrior(config.latent_size),
  )
  assert image_shape == own.image_shape
  return own


def test_a_model_of_own_parts_needs_what_builds_it(tmp_path):
  config = toys.small_config()
  model = _own(config, _SHAPE)
  assert model.config is None
  model.save_pretrained(tmp_path / 'own')
  with pytest.raises(ValueError, match=r'`build` must be given for .*own'):
    vlae_tf.from_pretrained(tmp_path / 'own')
  again = vlae_tf.from_pretrained(
    tmp_path / 'own', build=lambda _, shape: _own(config, shape)
  )
  _assert_equal(_values(again), _values(model))


@pytest.mark.parametrize(
  'change, words',
  [
    (lambda f: f['config'].update(later=1), r'config of another .*later'),
    (
      lambda f: f['config'].update(prior='vamp'),
      r'config of another .*`prior`',
    ),
    (lambda f: f['config'].update(encoder_units=-1), '`encoder_units`'),
    (
      lambda f: f.update(image_shape=[28, 28, 1]),
      r'in it, float32 \[784, 8\] here',
    ),
    (lambda f: f.update(code_shape=[5]), r'code_shape are .*\(5,\).* there'),
    (lambda f: f['config'].update(flow_units=9, prior='flow'), 'vlae/prior'),
    (lambda f: f['config'].update(encoder_units=9), r'float32 \[36, 9\] here'),
  ],
)
def test_a_config_of_another_model_is_refused(shared, change, words):
  _edit(shared, change)
  with pytest.raises(ValueError, match=words):
    vlae_tf.from_pretrained(shared)


@pytest.mark.parametrize(
  'config',
  [
    dict(prior='flow', flow_units=4096),
    dict(prior='flow', flow_units=300, flow_steps=256),
    dict(posterior='iaf', flow_units=4096),
    dict(encoder_widths='2048,2048'),
    dict(latent_size=2**12, encoder_units=2**12),
    dict(decoder_units=2**11),
  ],
)
@pytest.mark.parametrize('file', ['model.safetensors', 'model.weights.h5'])
def test_a_large_model_of_few_weights_is_not_built(
  shared, config, file, monkeypatch
):
  made = []
  initialize = keras.initializers.RandomNormal.__call__

  def counted(self, shape, dtype=None, **kwargs):
    made.append(math.prod(shape))
    assert sum(made) <= 2**24
    return initialize(self, shape, dtype, **kwargs)

  monkeypatch.setattr(keras.initializers.RandomNormal, '__call__', counted)
  for path in shared.glob('model.*'):
    if path.name != file:
      path.unlink()
  _edit(shared, lambda f: f['config'].update(config))
  with pytest.raises(ValueError, match=rf'{file}.*of at most 16777216 weights'):
    vlae_tf.from_pretrained(shared)


def test_weights_of_keras_of_another_model_are_refused(shared):
  (shared / 'model.safetensors').unlink()
  _edit(shared, lambda f: f['config'].update(encoder_units=9))
  with pytest.raises(ValueError, match=r'Cannot use .*model\.weights\.h5: '):
    vlae_tf.from_pretrained(shared)


def test_a_flipped_bit_of_the_weights_is_found(shared):
  file = shared / 'model.safetensors'
  data = bytearray(file.read_bytes())
  data[-3] ^= 16
  file.write_bytes(data)
  with pytest.raises(ValueError, match=r'model\.safetensors is damaged'):
    vlae_tf.from_pretrained(shared)


def test_weights_that_are_no_numbers_are_not_shared(tmp_path):
  model = _model()
  weight = model.trainable_variables[0]
  weight.assign(np.full(weight.shape, np.nan))
  with pytest.raises(ValueError, match=f'finite weights .*{weight.path}'):
    model.save_pretrained(tmp_path / 'shared')
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('keras_weights', [True, False])
def test_weights_that_are_no_numbers_are_not_loaded(
  tmp_path, monkeypatch, keras_weights
):
  model = _model()
  weight = model.trainable_variables[0]
  weight.assign(np.full(weight.shape, np.nan))
  monkeypatch.setattr(folder, '_written', lambda name, value, dtype: value)
  model.save_pretrained(tmp_path / 'shared')
  if keras_weights:
    (tmp_path / 'shared/model.safetensors').unlink()
  words = f'Cannot use .*NaN or infinite: {weight.path}'
  with pytest.raises(ValueError, match=words):
    vlae_tf.from_pretrained(tmp_path / 'shared')


@pytest.mark.parametrize(
  'fills', ['model.safetensors', 'model.weights.h5', 'its end']
)
def test_a_disk_that_fills_up_at_any_file_costs_nothing(
  shared, written, fills, capfd
):
  """HDF5 by itself fails at each open object, and may end the process."""
  before = {p: p.read_bytes() for p in shared.iterdir()}
  sizes = [
    len(before[shared / name])
    for name in ('model.safetensors', 'model.weights.h5')
  ]
  assert sizes[0] < sizes[1]
  limit = {
    'model.safetensors': sizes[0] // 2,
    'model.weights.h5': sizes[0] + 1,
    'its end': sizes[1] - 1,
  }[fills]
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
  try:
    with pytest.raises(ValueError, match=r'Cannot write .*File too large\.$'):
      written[1].save_pretrained(shared, overwrite=True)
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
  assert {p: p.read_bytes() for p in shared.iterdir()} == before
  assert [p.name for p in shared.parent.iterdir()] == ['shared']
  assert capfd.readouterr().err == ''


def test_a_model_without_variables_is_not_shared(tmp_path):
  model = _model()
  fresh = vlae_tf.VLAE(
    posteriors.DiagonalGaussianPosterior(4, nn.Encoder((5,), 6)),
    priors.GaussianPrior(4),
    model.likelihood,
  )
  with pytest.raises(ValueError, match='`model` must be built'):
    fresh.save_pretrained(tmp_path / 'shared')


@pytest.mark.parametrize(
  'arguments, name',
  [
    (dict(dtype='int8'), 'dtype'),
    (dict(about=[1]), 'about'),
    (dict(about={'minutes': np.nan}), 'about'),
  ],
)
def test_bad_arguments_are_named(written, tmp_path, arguments, name):
  with pytest.raises(ValueError, match=f'`{name}` must be'):
    written[1].save_pretrained(tmp_path / 'shared', **arguments)
  assert not list(tmp_path.iterdir())


def test_a_run_is_not_replaced(written, tmp_path):
  run = tmp_path / 'run'
  run.mkdir()
  (run / 'config.json').write_text('{"dataset": "digits"}')
  with pytest.raises(ValueError, match=r'that of a run.* It is kept'):
    written[1].save_pretrained(run, overwrite=True)
  with pytest.raises(
    ValueError, match=r'a run, which `vlae_tf\.restore` reads'
  ):
    vlae_tf.from_pretrained(run)


@pytest.mark.parametrize('name', ['digit', '', 'no/such/place', 'x' * 5000])
def test_an_unknown_name_is_said_with_those_that_there_are(name):
  with pytest.raises(
    ValueError, match=r'must be one of .*digits.*got'
  ) as raised:
    vlae_tf.from_pretrained(name)
  suggested = "Did you mean 'digits'" in str(raised.value)
  assert suggested == (name == 'digit')


@pytest.mark.parametrize('given', [None, 3, b'digits'])
def test_what_is_no_name_is_refused(given):
  with pytest.raises(ValueError, match='`name_or_directory` must be'):
    vlae_tf.from_pretrained(given)


def test_a_name_wins_over_a_directory(tmp_path, monkeypatch):
  (tmp_path / 'digits').mkdir()
  monkeypatch.chdir(tmp_path)
  assert vlae_tf.from_pretrained('digits').image_shape == (28, 28, 1)
  with pytest.raises(ValueError, match='Cannot read'):
    vlae_tf.from_pretrained('./digits')


each_shipped = pytest.mark.parametrize('name', pretrained.names())


def test_the_digits_score_as_their_card_says():
  """All images that were scored, with the codes of the quickest score."""
  about = folder.read(pretrained.SHIPPED / 'digits').about
  quickest = min(
    (s for s in about['scores'] if s['split'] == 'test'),
    key=lambda score: score['num_images'] * score['num_samples'],
  )
  digits = data.load(about['dataset'])
  images = digits.test[: quickest['num_images']]
  evaluator = likelihood.Evaluator(
    vlae_tf.from_pretrained('digits'),
    quickest['num_samples'],
    quickest['seed'],
  )
  found = evaluator(images, 'test', kind=digits.kind).summary(images.shape[1:])
  for key in ('nll', 'elbo', 'rate', 'nll_stderr', 'bits_per_dim'):
    assert found[key] == pytest.approx(quickest[key], abs=1e-3), key


@pytest.mark.real_data
@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize(
  'name',
  [
    pytest.param(
      name, marks=pytest.mark.exhaustive('real images of each shared model')
    )
    for name in pretrained.names()
    if name != 'digits'
  ],
)
def test_half_precision_scores_as_the_record_of_the_run(name, real_data_dir):
  described = folder.read(pretrained.SHIPPED / name)
  config = described.config
  images = data.load(config['dataset'], real_data_dir)
  root = pathlib.Path(__file__).resolve().parents[2]
  with np.load(root / f'results/tables/{name}.npz') as record:
    expected = record['log_prob'][:32]
  model = vlae_tf.from_pretrained(name)
  num_samples = described.about['scores'][0]['num_samples']
  evaluator = likelihood.Evaluator(model, num_samples)
  found = evaluator(images.test[:32], 'test', kind=images.kind).log_prob
  np.testing.assert_allclose(found, expected, atol=0.1)
  assert found.mean() == pytest.approx(expected.mean(), abs=0.02)


@each_shipped
def test_what_is_shipped_says_what_it_is(name):
  described = pretrained.check(name)
  directory, score = pretrained.SHIPPED / name, described.about['scores'][0]
  model = vlae_tf.from_pretrained(name)
  assert described.num_weights == sum(
    np.size(w) for w in model.trainable_weights
  )
  assert score['num_images'] >= 300 and score['num_samples'] >= 32
  nll = f'{score["nll"]:.2f} +- {score["nll_stderr"]:.2f}'
  assert card.expected(described.about).startswith(f'{nll} nats')
  text = (directory / 'README.md').read_text()
  assert nll in text
  assert text == card.text(name, described)  # Of this version.
  size = sum(path.stat().st_size for path in directory.iterdir())
  assert size < (600e3 if name == 'digits' else 6e6)
  # Nothing of where it was made.
  for path in directory.glob('*.[jm]*'):
    assert not re.search(rb'/(home|root|tmp|work|Users)/', path.read_bytes())


def test_the_preset_made_what_is_shipped():
  model = vlae_tf.from_preset('digits_small')
  shipped = vlae_tf.from_pretrained('digits')
  assert shipped.config == model.config
  assert _values(model).keys() == _values(shipped).keys()


def test_all_that_is_shipped_is_listed():
  paths = pretrained.SHIPPED.iterdir()
  assert pretrained.names() == sorted(path.name for path in paths)


def test_a_preset_is_a_model_that_knows_its_images():
  model = vlae_tf.from_preset('omniglot_gaussian_prior')
  assert (model.config.prior, model.config.dataset) == ('gaussian', 'omniglot')
  assert model.config.train_on == 'train+validation'
  assert model.image_shape == (28, 28, 1)


def test_a_preset_of_other_images_needs_their_shape(tmp_path, monkeypatch):
  (tmp_path / 'mine.flags').write_text(
    '--dataset=scans\n--latent_size=3\n--workdir=x\n'
  )
  monkeypatch.setattr(vlae_tf.utils.presets, 'folder', lambda: tmp_path)
  with pytest.raises(ValueError, match=r"`image_shape` must be given.*'scans'"):
    vlae_tf.from_preset('mine')
  model = vlae_tf.from_preset('mine', (8, 12, 1))
  assert (model.image_shape, model.event_shape) == ((8, 12, 1), (3,))
  with pytest.raises(ValueError, match='`preset` must be one of mine'):
    vlae_tf.from_preset('omniglot')
