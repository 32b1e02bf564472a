"""Models are saved the Keras way, and runs of every format are read."""

import copy
import json
import os
import pathlib
import pickle
import shutil

import commands
import keras
import loaded
import numpy as np
import pytest
import tensorflow as tf
import toys
from training import processes

from vlae_tf.models import decoders, objectives, posteriors, priors
from vlae_tf.models import vlae as vlae_lib
from vlae_tf.nn import residual
from vlae_tf.runs import checkpoints, pretrained
from vlae_tf.training import state
from vlae_tf.utils import serialization


def _model(seed=0, **overrides):
  """A model whose posterior and prior are as small as can be."""
  smallest = dict(prior='gaussian', encoder_widths='4')
  return toys.small_model(seed=seed, **(smallest | overrides))


def _inputs():
  shape = (4, toys.SIZES['latent_size'])
  noise = np.random.default_rng(1).standard_normal(shape)
  return toys.binary_images(4), noise.astype('float32')


def _moved(variables, seed=0):
  """Gives variables values that their initialisers do not give."""
  rng = np.random.default_rng(seed)
  for variable in variables:
    value = 100 * rng.random(variable.shape)
    variable.assign(value.astype(tf.as_dtype(variable.dtype).name))


def _assert_equal(a, b):
  assert a.keys() == b.keys()
  for name in a:
    np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def _paths(vlae):
  return [v.path for v in vlae.variables]


def test_paths_are_those_that_checkpoints_have():
  # To rename a layer is to orphan the checkpoints that there are.
  vlae = toys.small_model(decoder_depth=3)
  layers = {path.rpartition('/')[0] for path in _paths(vlae)}
  residual = {'first', 'second'}
  encoder, generator = 'vlae/posterior/encoder', 'vlae/likelihood/generator'
  expected = {
    'noise',
    *(f'vlae/posterior/{name}' for name in ('mean', 'log_scale')),
    *(
      f'{encoder}/{b}_{i}/{n}'
      for b in ('halve', 'keep')
      for i in (0, 1)
      for n in residual
    ),
    *(f'{encoder}/{name}' for name in ('halve_0/shortcut', 'halve_1/shortcut')),
    f'{encoder}/dense',
    *(f'vlae/prior/made_{i}/layer_{k}' for i in (0, 1) for k in range(3)),
    *(
      f'{generator}/{b}_{i}/{n}'
      for b in ('double', 'keep')
      for i in (0, 1)
      for n in residual
    ),
    *(f'{generator}/double_{i}/shortcut' for i in (0, 1)),
    *(f'{generator}/{name}' for name in ('dense', 'to_maps', 'last')),
    *(f'vlae/likelihood/network/masked_{i}' for i in (0, 1)),
    *(f'vlae/likelihood/network/pointwise_{i}' for i in (0, 1)),
    *(f'vlae/likelihood/network/{name}' for name in ('first', 'last')),
  }
  assert layers == expected


def test_a_model_is_loaded_where_only_its_class_is_imported(tmp_path):
  vlae = _model(prior='flow', objective='soft_free_bits', kl_warmup_steps=3)
  images, noise = _inputs()
  vlae(images)  # So that its noise is not the first.
  np.savez(tmp_path / 'in.npz', images=images, noise=noise)
  vlae.save(tmp_path / 'm.keras')
  paths = [tmp_path / name for name in ('m.keras', 'in.npz', 'out.npz')]
  run = processes.Running((loaded.record, paths), tmp_path / 'log')
  result = run.finish()
  assert result.status == 0, result
  expected = loaded.outputs(vlae, images, noise) | loaded.samples(vlae)
  assert 0 < expected['image'].mean() < 1
  with np.load(tmp_path / 'out.npz') as there:
    _assert_equal(dict(there), expected)


def test_weights_alone_are_saved_and_loaded(tmp_path):
  vlae, other = _model(), _model(objective='soft_free_bits', seed=1)
  vlae.save_weights(tmp_path / 'm.weights.h5')
  other.load_weights(tmp_path / 'm.weights.h5')
  for a, b in zip(vlae.weights, other.weights):
    np.testing.assert_array_equal(a, b)


def test_an_untrained_copy_has_the_same_variables():
  vlae = _model(decoder='downsampled_window', window='2x1')
  other = type(vlae).from_config(vlae.get_config())
  other.build((None, 6, 5, 1))
  assert _paths(other) == _paths(vlae)
  assert [v.shape for v in other.variables] == [v.shape for v in vlae.variables]
  kernel = 'vlae/posterior/mean/v'
  values = [
    {v.path: v.numpy() for v in m.variables}[kernel] for m in (other, vlae)
  ]
  assert np.abs(values[0] - values[1]).max() > 0.01


def test_every_copy_keeps_the_config(tmp_path):
  """So it can be shared, and be read again without a function that builds."""
  vlae = _model(decoder_units=3, dataset='a/place.npz')
  vlae.save(tmp_path / 'm.keras')
  copies = [
    keras.saving.load_model(tmp_path / 'm.keras'),
    keras.models.clone_model(vlae),
    copy.deepcopy(vlae),
    pickle.loads(pickle.dumps(vlae)),
  ]
  for k, other in enumerate(copies):
    assert other.config == vlae.config
    if not other.built:
      other.build((None, *vlae.image_shape))
    other.save_pretrained(tmp_path / str(k))
    again = pretrained.from_pretrained(tmp_path / str(k))
    assert again.config.decoder_units == 3
  assert copies[0].with_parts(objective=objectives.Beta(0.5)).config is None


@serialization.register
class _OwnModel(vlae_lib.VLAE):
  """A model of one's own class."""


def test_a_model_of_a_derived_class_keeps_the_config():
  vlae = _model()
  parts = vlae.posterior, vlae.prior, vlae.likelihood
  own = _OwnModel(*parts)
  own.config = vlae.config
  other = type(own).from_config(own.get_config())
  assert (type(other), other.config) == (_OwnModel, vlae.config)


def test_training_goes_on_from_a_saved_model(tmp_path):
  vlae = _model(objective='soft_free_bits')
  vlae.compile(keras.optimizers.Adamax(0.01))
  vlae.optimizer.build(vlae.trainable_variables)
  kept = [*vlae.optimizer.variables, *vlae.objective.variables]
  _moved(kept)
  vlae.save(tmp_path / 'm.keras')
  again = keras.saving.load_model(tmp_path / 'm.keras')
  assert again.objective.target == vlae.objective.target
  there = [*again.optimizer.variables, *again.objective.variables]
  assert len(kept) == len(there) > 50
  for a, b in zip(kept, there):
    np.testing.assert_array_equal(a, b)


def _training_state():
  config = toys.small_config(
    objective='soft_free_bits',
    learning_rate_schedule='plateau',
    early_stopping_patience=2,
    precision='mixed_float16',
  )
  return state.TrainingState(config, (8, 8, 1), total_steps=10)


def _values(training_state):
  groups = training_state.groups()
  return {
    f'{g}/{i}': v.numpy() for g in groups for i, v in enumerate(groups[g])
  }


def _write_first_format(folder, groups, step):
  """What earlier versions wrote: lists of variables, by position."""

  class Group(tf.Module):
    def __init__(self, variables):
      super().__init__()
      self.values = [v.value for v in variables]

  checkpoint = tf.train.Checkpoint(**{k: Group(v) for k, v in groups.items()})
  checkpoint.write(str(folder / f'ckpt-{step}'))


@pytest.mark.parametrize('first_format', [False, True])
def test_all_of_a_run_is_resumed(tmp_path, first_format):
  before = _training_state()
  _moved(before.variables())
  if first_format:
    _write_first_format(tmp_path, before.groups(), 7)
  else:
    checkpoints.Checkpoints(tmp_path, before.groups()).save(7)
  after = _training_state()
  reader = checkpoints.Checkpoints(tmp_path, after.groups())
  assert reader.restore() == 7
  _assert_equal(_values(after), _values(before))
  # It goes on in the format of today, beside what was there.
  reader.save(8)
  _moved(before.variables(), seed=1)
  assert checkpoints.Checkpoints(tmp_path, before.groups()).restore() == 8
  _assert_equal(_values(before), _values(after))
  assert reader.steps == [7, 8]


def _with_an_unnamed_layer(config, image_shape):
  vlae = vlae_lib.VLAE(
    posteriors.DiagonalGaussianPosterior(4, residual.Encoder((4,), 8)),
    priors.AutoregressiveFlowPrior(4, 1, (8,), name=None),
    decoders.create(config, image_shape),
  )
  vlae.build((None, *image_shape))
  return vlae


def test_a_model_with_a_layer_without_a_name_is_not_trained():
  with pytest.raises(ValueError, match=r'_prior_1/.* Give every layer a name'):
    state.TrainingState(
      toys.small_config(), (8, 8, 1), 10, _with_an_unnamed_layer
    )


_REPOSITORY = pathlib.Path(__file__).parents[2]


@pytest.fixture
def first_run(tmp_path):
  """A copy of a run that was trained when the first format was written."""
  given = os.environ.get('VLAE_TF_DATA_DIR')
  data = pathlib.Path(given or _REPOSITORY.parent / 'shared' / 'data')
  run = data.parent / 'runs' / 'omniglot_130'
  if not run.is_dir():
    pytest.skip(f'no {run}: set VLAE_TF_DATA_DIR')
  shutil.copytree(run, tmp_path / 'run', copy_function=shutil.copyfile)
  os.chmod(tmp_path / 'run', 0o755)
  return tmp_path / 'run', data


@pytest.mark.real_data
@pytest.mark.usefixtures('eagerly')
def test_a_run_of_the_first_format_scores_as_before(first_run):
  workdir, data = first_run
  result = commands.run(
    'evaluate',
    f'--workdir={workdir}',
    f'--data_dir={data}',
    '--max_images=40',
    '--num_samples=4',
  )
  assert result.status == 0, result.stderr
  path = workdir / 'eval' / 'test_40_images_4_codes.json'
  scores = json.loads(path.read_text())
  # By the version that trained it.
  expected = dict(nll=95.9766, elbo=-96.6725, rate=9.4842, step=31_642)
  for name, value in expected.items():
    assert scores[name] == pytest.approx(value, abs=0.01)
