"""A run that starts from a trained model has its weights, and says so."""

import json
import shutil

import numpy as np
import pytest
import toys

from vlae_tf.runs import loading, records
from vlae_tf.training import step as train_step
from vlae_tf.training import trainer as trainer_lib

pytestmark = pytest.mark.usefixtures('all_eagerly')


def _trainer(folder, start_from=None, max_steps=0, **changes):
  changes = {**toys.SMALLEST, 'validate_every_epochs': 0, **changes}
  return trainer_lib.Trainer(
    toys.small_config(**changes),
    toys.image_data(),
    folder,
    limits=trainer_lib.Limits(max_steps=max_steps),
    execution=train_step.Execution(xla='none'),
    start_from=start_from,
  )


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """The directory of a run of three steps."""
  folder = tmp_path_factory.mktemp('trained') / 'first'
  _trainer(folder, max_steps=3).run()
  return folder


def _check_same_weights(model, other):
  assert len(model.weights) == len(other.weights) > 0
  for a, b in zip(model.weights, other.weights):
    np.testing.assert_array_equal(a, b)


def test_it_starts_from_the_averages_of_a_run(trained, tmp_path):
  averages = loading.restore(trained).model
  trainer = _trainer(tmp_path / 'second', trained, seed=1)
  assert (trainer.resumed_from, trainer.step) == (None, 0)
  _check_same_weights(trainer.model, averages)
  _check_same_weights(trainer.averages, averages)
  told = records.read_start(tmp_path / 'second')
  assert (told['name'], told['sha256']) == (
    'first',
    loading.weights_sha256(averages),
  )
  assert told['about']['steps'] == 3
  assert told['about']['planned_epochs'] == trainer.config.max_epochs


def test_it_starts_from_a_shared_model(trained, tmp_path):
  run = loading.restore(trained)
  known = run.about()
  run.model.save_pretrained(tmp_path / 'shared', about=known)
  trainer = _trainer(tmp_path / 'second', tmp_path / 'shared')
  _check_same_weights(trainer.model, run.model)
  told = records.read_start(tmp_path / 'second')
  assert (told['name'], told['about']) == ('shared', known)
  assert told['sha256'] == loading.weights_sha256(run.model)


def test_a_run_that_goes_on_does_not_need_its_start(trained, tmp_path):
  start = shutil.copytree(trained, tmp_path / 'start')
  first = _trainer(tmp_path / 'run', start, max_steps=2)
  assert first.run() == 'max_steps'
  shutil.rmtree(start)
  again = _trainer(tmp_path / 'run', start, max_steps=4)
  assert again.resumed_from == 2
  _check_same_weights(again.averages, first.averages)
  assert records.read_start(tmp_path / 'run')['name'] == 'start'


def test_a_chain_of_runs_tells_each(trained, tmp_path):
  # No step is traced, which takes long: a run is saved without one as well.
  _trainer(tmp_path / 'second', trained).run()
  _trainer(tmp_path / 'third', tmp_path / 'second').run()
  known = loading.restore(tmp_path / 'third').about()
  second = known['started_from']
  first = second['about']['started_from']
  assert [known['steps'], second['name'], second['about']['steps']] == [
    0,
    'second',
    0,
  ]
  assert (first['name'], first['about']['steps']) == ('first', 3)
  assert 'started_from' not in first['about']


def test_fresh_weights_have_no_start(trained, tmp_path):
  # Stopped before its first checkpoint, and then started otherwise.
  _trainer(tmp_path, trained)
  assert records.read_start(tmp_path)
  _trainer(tmp_path)
  assert records.read_start(tmp_path) is None
  assert 'started_from' not in loading.restore(trained).about()


@pytest.mark.parametrize(
  'changes, named',
  [
    (dict(decoder_units=5), 'likelihood'),
    pytest.param(
      dict(prior='gaussian'),
      'prior',
      marks=pytest.mark.exhaustive('another part'),
    ),
  ],
)
def test_another_model_is_refused(trained, tmp_path, changes, named):
  changes = {'prior': 'flow', **changes}
  _trainer(tmp_path / 'start', prior='flow').run()
  words = f'`start_from` must be a model of the same parts, got .*{named}'
  with pytest.raises(ValueError, match=words):
    _trainer(tmp_path / 'run', tmp_path / 'start', **changes)
  assert not (tmp_path / 'run').exists()
  _trainer(tmp_path / 'run', **changes)


@pytest.mark.parametrize(
  'source, words',
  [
    ('', '`start_from` must not be empty'),
    ('omniglott', "`start_from` must be .* Did you mean 'omniglot'"),
  ],
)
def test_what_is_no_model_is_refused(source, words, tmp_path):
  with pytest.raises(ValueError, match=words):
    _trainer(tmp_path / 'run', source)
  assert not (tmp_path / 'run').exists()


def test_a_damaged_start_is_named(tmp_path):
  (tmp_path / records.STARTED_FROM).write_text('{"name": 1}')
  with pytest.raises(ValueError, match=r'Cannot read .*started_from\.json'):
    records.read_start(tmp_path)


@pytest.mark.parametrize('train_on', ['train', 'train+validation'])
def test_validation_that_was_trained_on_is_said(train_on, tmp_path, capsys):
  _trainer(tmp_path / 'start', train_on='train+validation').run()
  capsys.readouterr()
  _trainer(tmp_path / 'run', tmp_path / 'start', train_on=train_on)
  said = capsys.readouterr().err
  assert ('start was trained on the validation images' in said) == (
    train_on == 'train'
  )


def test_a_fingerprint_is_of_every_weight(trained):
  model = loading.restore(trained).model
  first = loading.weights_sha256(model)
  for weight in model.weights:
    before = np.array(weight)
    weight.assign(before + np.float32(1e-3))
    assert loading.weights_sha256(model) != first, weight.path
    weight.assign(before)
  assert loading.weights_sha256(model) == first


def test_it_is_kept_as_json(trained, tmp_path):
  trainer = _trainer(tmp_path, trained)
  text = (tmp_path / 'started_from.json').read_text()
  _, record = loading.load_start(trained, trainer.model, trainer.config)
  assert json.loads(text) == record
