"""Records say what a run's directory says, and are named if broken."""

import dataclasses
import json
import math
import pathlib

import numpy as np
import pytest
import toys

from reproduction import made
from vlae_tf.reproduction import experiments, records, runner
from vlae_tf.runs import checkpoints
from vlae_tf.runs import records as run_records
from vlae_tf.utils import json_files

_EXPERIMENT = experiments.Experiment('one', 'quickstart', ('--batch_size=8',))


@pytest.fixture
def run(tmp_path):
  """A directory of a run of 12 of 15 steps, and its model."""
  workdir, model = tmp_path / 'one', toys.small_model()
  config = toys.small_config(max_epochs=3.0)
  checkpoints.Checkpoints(
    workdir / checkpoints.LAST, {'averages': model.variables}
  ).save(12)
  run_records.write_config(workdir, config)
  run_records.write_facts(workdir, run_records.Facts((28, 28, 1), 'abc'))
  lines = [
    dict(step=n, time=60.0 * n, split='train', elbo=-100.0 + n, rate=2.0 * n)
    for n in (2, 4, 6, 8, 10, 12)
  ]
  lines.append(lines[-1] | dict(split='validation', active_units=3.0))
  text = '\n'.join(map(json.dumps, lines))
  (workdir / run_records.METRICS).write_text(text)
  reached = records.Progress(config, 12, records.Images(40, 4, 'grey'))
  return workdir, model, reached


def _score(workdir, **changes):
  score = made.score(**(dict(step=12, images=4) | changes))
  json_files.write(run_records.score_path(workdir, score), score)


def test_it_says_how_far_a_run_is(run):
  workdir, model, reached = run
  found = records.of_run(_EXPERIMENT, workdir, reached)
  assert (found.steps, found.steps_planned, found.finished) == (12, 15, False)
  assert (found.epochs, found.epochs_planned) == (2.4, 3.0)
  assert found.minutes == pytest.approx(10.0)  # Between steps 2 and 12.
  assert found.images_per_s == pytest.approx(10 * 8 / 600)
  assert found.active_units == 3
  weights = sum(math.prod(v.shape) for v in model.trainable_variables)
  assert found.weights == weights
  assert found.differences['latent_size'] == 4 != found.config['seed'] == 0
  assert 'free_bits' not in found.differences


def test_a_curve_has_the_mean_of_each_epoch(run):
  workdir, _, reached = run
  curve = records.of_run(_EXPERIMENT, workdir, reached).curve
  # An epoch is five steps: of 2 and 4, 6 to 10, and 12.
  expected = [[0.6, -97.0, 6.0], [1.6, -92.0, 16.0], [2.4, -88.0, 24.0]]
  np.testing.assert_allclose(curve['train'], expected)
  np.testing.assert_allclose(curve['validation'], [[2.4, -88.0, 24.0]])


def test_what_a_run_started_from_is_told(run):
  workdir, _, reached = run
  assert records.of_run(_EXPERIMENT, workdir, reached).started_from is None
  told = dict(name='first', sha256='b80e', about=dict(steps=5, batch_size=8))
  run_records.write_start(workdir, told)
  record = records.of_run(_EXPERIMENT, workdir, reached)
  assert record.started_from == told


def test_epochs_before_are_those_of_the_same_images():
  def start(sha256, steps, **about):
    about |= dict(steps=steps, batch_size=100, data_sha256=sha256)
    return dict(name='s', sha256='b80e', about=about)

  first = start('a', 300)
  record = made.record('one', started_from=start('a', 1200, started_from=first))
  assert record.epochs_before == [2.0, 0.5]
  record = made.record('one', started_from=start('b', 1200, started_from=first))
  assert record.epochs_before == [None, 0.5]
  assert made.record('one').epochs_before == []


def test_what_is_not_known_is_null(run):
  workdir, _, reached = run
  (workdir / run_records.METRICS).unlink()
  found = records.of_run(_EXPERIMENT, workdir, reached)
  assert (found.minutes, found.images_per_s, found.active_units) == (None,) * 3
  assert found.environment == dict(git_commit=None, cpu=None)
  assert (found.nll, found.bound, found.curve) == (None, None, {})


def test_the_environment_is_that_of_the_training(run):
  workdir, _, reached = run
  run_records.write_environment(workdir, dict(git_commit='abc', cores=64))
  found = records.of_run(_EXPERIMENT, workdir, reached).environment
  assert found == dict(git_commit='abc', cpu=None, cores=64)


def test_scores_of_other_weights_do_not_count(run):
  workdir, _, reached = run
  _score(workdir, nll=70.0, codes=16)
  _score(workdir, nll=1.0, step=11, codes=512)
  _score(workdir, nll=2.0, codes=512, seed=3)
  _score(workdir, nll=3.0, codes=512, checkpoint='best')
  found = records.of_run(_EXPERIMENT, workdir, reached)
  assert [score['nll'] for score in found.scores] == [70.0]


@pytest.mark.parametrize('latent_size, nll, bound', [(4, 3, 1), (0, 1, 1)])
def test_one_code_is_a_bound_and_no_likelihood(latent_size, nll, bound):
  found = made.record(
    'one',
    made.score(1.0, images=100, codes=1),
    made.score(2.0, images=50, codes=8),
    made.score(3.0, images=50, codes=64),
    config=dict(latent_size=latent_size),
  )
  assert (found.nll['nll'], found.bound['nll']) == (nll, bound)


def test_a_record_comes_back(tmp_path):
  record = made.record('one', made.score())
  records.write(tmp_path, record, tmp_path)
  assert records.read(tmp_path, 'one') == record
  assert records.read(tmp_path, 'two') is None


def test_what_is_said_of_each_image_is_kept_as_float32(run, tmp_path):
  workdir, _, reached = run
  log_prob = np.array([-1.0, -2.0, -3.0, -4.0])
  _score(workdir, nll=2.5, codes=16)
  path = workdir / 'eval' / 'test_4_images_16_codes.npz'
  others = dict(elbo=log_prob, rate=log_prob, distortion=log_prob)
  np.savez(path, log_prob=log_prob, settings='{}', **others)
  kept = records.path(tmp_path, 'one').with_suffix('.npz')
  record = records.of_run(_EXPERIMENT, workdir, reached)
  records.write(tmp_path, record, workdir)
  with np.load(kept) as stored:
    assert {*stored.files} == {'log_prob', *others}
    assert stored['log_prob'].dtype == np.float32
    np.testing.assert_array_equal(stored['log_prob'], log_prob)
  # Of other weights than the score: of what was kept nothing is left.
  np.savez(path, log_prob=log_prob - 1, **others)
  records.write(tmp_path, record, workdir)
  assert not kept.exists()


def _broken():
  whole = dataclasses.asdict(made.record('one', made.score()))
  yield 'no JSON', '{'
  yield 'no object', '[]'
  for field in whole:
    yield f'without {field}', {k: v for k, v in whole.items() if k != field}
  yield 'more', whole | {'more': 1}
  yield 'of another', whole | {'name': 'two'}
  for field, value in dict(
    steps='600', finished=None, minutes='x', scores={}, config=[], epochs=None
  ).items():
    yield f'{field} {value}', whole | {field: value}
  yield 'score without NLL', whole | {'scores': [{'num_images': 1}]}
  yield 'no images', whole | {'data': {}}


@pytest.mark.parametrize('what, content', _broken())
def test_a_broken_record_is_named(what, content, tmp_path):
  path = records.path(tmp_path, 'one')
  path.parent.mkdir(parents=True)
  text = content if isinstance(content, str) else json.dumps(content)
  path.write_text(text)
  with pytest.raises(ValueError, match=r'one\.json is no record') as error:
    records.read(tmp_path, 'one')
  assert '\n' not in str(error.value), what


def test_the_directory_of_another_experiment_is_named(run):
  workdir, _, reached = run
  flags = [f'--{k}={v}' for k, v in toys.SMALLEST.items()]
  flags += ['--encoder_widths=4,4', '--prior=flow', '--max_epochs=3']
  flags += ['--validate_every_epochs=7']  # That changes no weight.
  same = experiments.Experiment('one', 'quickstart', tuple(flags))
  assert records.config_there(workdir, same) == reached.config
  other = experiments.Experiment('one', 'quickstart', (*flags, '--seed=5'))
  with pytest.raises(ValueError, match=r'one .*\(seed: 0 there, 5 here\)'):
    records.config_there(workdir, other)
  assert records.config_there(pathlib.Path('nowhere'), other) is None


def test_a_run_that_is_there_goes_on_validating_as_often(run):
  workdir, _, _ = run
  flags = [f'--{k}={v}' for k, v in toys.SMALLEST.items()]
  flags += ['--encoder_widths=4,4', '--prior=flow', '--max_epochs=3']
  flags += ['--validate_every_epochs=7']
  experiment = experiments.Experiment('one', 'quickstart', tuple(flags))
  for runs, last in ((workdir.parent, '1'), (workdir.parent / 'new', '7')):
    settings = runner.Settings(runs, workdir.parent)
    (line,) = runner.shell_lines([experiment], settings)
    args = [a for a in line.split() if 'validate_every' in a]
    assert args[-1] == f'--validate_every_epochs={last}'


def test_steps_are_those_that_train_takes():
  config = toys.small_config(max_epochs=2.5, batch_size=7)
  images = records.images_of(config)
  assert images == (1297, 300, 'grey')
  # 2.5 * 1297 / 7 = 463.2 steps: the last one is whole.
  at = [records.Progress(config, step, images) for step in (463, 464)]
  assert [s.total_steps for s in at] == [464, 464]
  assert [s.is_finished for s in at] == [False, True]
