"""What is said of a run is what its directory says, of these very weights."""

import json
import math

import pytest
import toys

from vlae_tf.runs import about, scores, start_files, workdirs

_ENVIRONMENT = {'keras': '3.15.1', 'gpus': [], 'cores': 2}


def _run(step=7, checkpoint='last', **changes):
  config = toys.small_config(**changes)
  return workdirs.Run(config, None, step, (8, 8, 1), None, 'b80e', checkpoint)


def _score(num_samples=128, **changes):
  score = dict(split='test', num_images=300, num_samples=num_samples, seed=0)
  score |= dict(checkpoint='last', step=7, nll=92.0, dataset='/home/me/scans')
  return score | changes


def _log(workdir, *times):
  lines = [json.dumps({'step': 1, 'time': time}) for time in times]
  (workdir / 'metrics.jsonl').write_text('\n'.join(lines) + '\n')


def test_what_is_there_is_told(tmp_path):
  (tmp_path / 'environment.json').write_text(json.dumps(_ENVIRONMENT))
  _log(tmp_path, 1000.0, 1030.0, 1198.0)
  scores.write(tmp_path, _score())
  run = _run(dataset='/home/me/scans/', max_epochs=3, batch_size=50)
  assert about.of_run(tmp_path, run) == {
    'dataset': 'path/to/scans',
    'train_on': 'train',
    'data_sha256': 'b80e',
    'steps': 7,
    'planned_epochs': 3.0,
    'batch_size': 50,
    'checkpoint': 'last',
    'minutes': 3.3,
    'environment': _ENVIRONMENT,
    'scores': [{k: v for k, v in _score().items() if k != 'dataset'}],
  }


def test_what_it_started_from_is_told(tmp_path):
  told = dict(name='first', sha256='b80e', about=dict(steps=5))
  start_files.write(tmp_path, told)
  assert about.of_run(tmp_path, _run())['started_from'] == told


def test_an_empty_directory_tells_nothing_more(tmp_path):
  found = about.of_run(tmp_path, _run())
  assert found['scores'] == []
  assert not {'minutes', 'environment'} & found.keys()


@pytest.mark.parametrize('text', ['', 'torn', '{"step": 1}', '[1]'])
def test_a_log_without_times_is_passed_over(tmp_path, text):
  (tmp_path / 'metrics.jsonl').write_text(text)
  assert 'minutes' not in about.of_run(tmp_path, _run())


def test_the_fullest_score_of_the_test_images_comes_first(tmp_path):
  ways = [
    _score(8),
    _score(512, num_images=100),
    _score(128),
    _score(999, split='train', num_images=9000),
  ]
  for way in ways:
    scores.write(tmp_path, way)
  found = about.of_run(tmp_path, _run())['scores']
  assert [s['num_samples'] for s in found] == [128, 8, 512, 999]


def test_scores_of_other_weights_are_left_out_and_said(tmp_path, capsys):
  scores.write(tmp_path, _score(128, step=6))
  scores.write(tmp_path, _score(64, checkpoint='best'))
  scores.write(tmp_path, _score(32))
  found = about.of_run(tmp_path, _run())['scores']
  assert [s['num_samples'] for s in found] == [32]
  said = capsys.readouterr().err
  assert 'warning: 2 scores' in said and 'step 7 (last)' in said


def test_what_json_has_no_number_for_is_none(tmp_path):
  scores.write(tmp_path, _score(num_images=1, nll_stderr=math.nan))
  (score,) = about.of_run(tmp_path, _run())['scores']
  assert score['nll_stderr'] is None
  json.dumps(score, allow_nan=False)


def test_a_known_data_set_is_said_in_words(tmp_path):
  found = about.of_run(tmp_path, _run(dataset='omniglot'))
  assert found['dataset'] == 'omniglot'
  assert 'Burda' in found['dataset_words']
