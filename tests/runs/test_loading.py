"""Trained models and their images, facts and names."""

import json
import math
import os

import numpy as np
import pytest
import toys

from vlae_tf import data as data_lib
from vlae_tf.runs import loading, records
from vlae_tf.utils import json_files

_ENVIRONMENT = {'keras': '3.15.1', 'gpus': [], 'cores': 2}


def _run(workdir='', dataset='scans', data_dir=None, **changes):
  config = toys.small_config(dataset=dataset, **changes)
  return loading.Run(
    config, None, 7, (8, 8, 1), data_dir, 'b80e', 'last', workdir
  )


# Images.


@pytest.fixture
def asked(monkeypatch, tmp_path):
  """Roots that images were loaded from."""
  roots = []
  monkeypatch.setattr(data_lib, 'load', lambda name, root: roots.append(root))
  monkeypatch.setattr(records, 'fingerprint', lambda data, config: 'b80e')
  monkeypatch.setenv('VLAE_TF_DATA_DIR', str(tmp_path / 'environment'))
  return roots


def test_a_root_that_is_gone_gives_way_to_the_environment(
  asked, tmp_path, capsys
):
  there, gone = tmp_path / 'there', str(tmp_path / 'gone')
  there.mkdir()
  _run(dataset='omniglot', data_dir=str(there)).images()
  _run(dataset='omniglot', data_dir=gone).images(there)
  assert asked == [there, there] and capsys.readouterr().err == ''
  _run(dataset='omniglot').images()
  assert asked[-1] == tmp_path / 'environment'
  assert capsys.readouterr().err == ''
  _run(dataset='omniglot', data_dir=gone).images()
  assert asked[-1] == tmp_path / 'environment'
  assert f'warning: the data of this run was in {gone}' in (
    capsys.readouterr().err
  )


@pytest.mark.parametrize('dataset', ['digits', '.'])
def test_images_under_no_root_need_none(asked, tmp_path, capsys, dataset):
  run = _run(dataset=dataset, data_dir=str(tmp_path / 'gone'))
  run.images()
  loading.load_other(dataset, run)
  assert asked == [None, None] and capsys.readouterr().err == ''


@pytest.mark.parametrize('dataset', ['digits', 'omniglot', 'some/folder'])
def test_a_root_that_is_given_must_be_there(asked, tmp_path, dataset):
  with pytest.raises(ValueError, match=r'`data_dir` must be a dir.*nothing at'):
    _run(dataset=dataset).images(tmp_path / 'typo')
  (tmp_path / 'file').touch()
  with pytest.raises(ValueError, match=r'`data_dir` must be a dir.*the file'):
    _run(dataset=dataset).images(tmp_path / 'file')
  assert not asked


def test_images_that_moved_are_found_by_their_fingerprint(tmp_path):
  images, new = toys.image_data().train, tmp_path / 'new'
  new.mkdir()
  np.savez(tmp_path / 'a.npz', images)
  data = data_lib.load(tmp_path / 'a.npz')
  run = _run(dataset=str(tmp_path / 'a.npz'))
  run = run._replace(fingerprint=records.fingerprint(data, run.config))
  os.rename(tmp_path / 'a.npz', new / 'a.npz')
  assert np.array_equal(run.images(new).train, data.train)
  for root in (None, tmp_path):
    with pytest.raises(ValueError, match=rf'`data_dir` .*no {tmp_path}/a\.npz'):
      run.images(root)
  np.savez(new / 'a.npz', images[::-1])
  with pytest.raises(ValueError, match='must be the images that the run was'):
    run.images(new)


def test_other_images_of_the_same_path_are_refused(tmp_path):
  path = tmp_path / 'images.npz'
  images = toys.image_data().train
  np.savez(path, images)
  run = _run(dataset=str(path))
  sha256 = records.fingerprint(data_lib.load(path), run.config)
  run = run._replace(fingerprint=sha256)
  assert len(run.images().train)
  np.savez(path, images[::-1])
  with pytest.raises(ValueError, match='images that the run was trained on'):
    run.images()


def test_a_label_names_the_run_even_from_inside(tmp_path, monkeypatch):
  (tmp_path / 'omniglot').mkdir()
  monkeypatch.chdir(tmp_path / 'omniglot')
  for path in ('.', '../omniglot/', tmp_path / 'omniglot'):
    run = _run(path)._replace(step=14_607, checkpoint='best')
    assert run.label == 'omniglot, step 14,607 (best)'


# Restoring.


@pytest.fixture
def claimed(tmp_path):
  records.write_config(tmp_path, toys.small_config())
  facts = records.facts_of(toys.small_config(), toys.image_data())
  records.write_facts(tmp_path, facts)
  return tmp_path


def test_unknown_checkpoints_are_refused(claimed):
  with pytest.raises(ValueError, match=r"'best'.*, got 'first'"):
    loading.restore(claimed, 'first')


@pytest.mark.parametrize('patience, folder', [(0, 'checkpoints'), (2, 'best')])
def test_runs_with_early_stopping_go_by_their_best(claimed, patience, folder):
  config = toys.small_config(early_stopping_patience=patience)
  records.write_config(claimed, config)
  with pytest.raises(ValueError, match=f'found none in {folder}/'):
    loading.restore(claimed)


def test_who_asks_for_the_best_is_told_what_there_is(claimed):
  (claimed / 'checkpoints').mkdir()
  (claimed / 'checkpoints/ckpt-1.index').touch()
  with pytest.raises(ValueError, match="`checkpoint` must be 'last', got 'b"):
    loading.restore(claimed, 'best')


# Facts.


def _score(num_samples=128, **changes):
  score = dict(split='test', num_images=300, num_samples=num_samples, seed=0)
  score |= dict(checkpoint='last', step=7, nll=92.0, dataset='/home/me/scans')
  return score | changes


def _write(workdir, *scores):
  for score in scores:
    json_files.write(records.score_path(workdir, score), score)


def _log(workdir, *times):
  lines = [json.dumps({'step': 1, 'time': time}) for time in times]
  (workdir / 'metrics.jsonl').write_text('\n'.join(lines) + '\n')


def test_facts_are_those_of_the_directory(tmp_path):
  (tmp_path / 'environment.json').write_text(json.dumps(_ENVIRONMENT))
  _log(tmp_path, 1000.0, 1030.0, 1198.0)
  _write(tmp_path, _score())
  run = _run(tmp_path, '/home/me/scans/', max_epochs=3, batch_size=50)
  assert run.about() == {
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


def test_facts_include_the_start(tmp_path):
  start = dict(name='first', sha256='b80e', about=dict(steps=5))
  records.write_start(tmp_path, start)
  assert _run(tmp_path).about()['started_from'] == start


def test_an_empty_directory_has_no_further_facts(tmp_path):
  found = _run(tmp_path).about()
  assert found['scores'] == []
  assert not {'minutes', 'environment'} & found.keys()


@pytest.mark.parametrize('text', ['', 'torn', '{"step": 1}', '[1]'])
def test_a_log_without_times_is_passed_over(tmp_path, text):
  (tmp_path / 'metrics.jsonl').write_text(text)
  assert 'minutes' not in _run(tmp_path).about()


def test_the_fullest_score_of_the_test_images_comes_first(tmp_path):
  _write(
    tmp_path,
    _score(8),
    _score(512, num_images=100),
    _score(128),
    _score(999, split='train', num_images=9000),
  )
  found = _run(tmp_path).about()['scores']
  assert [s['num_samples'] for s in found] == [128, 8, 512, 999]


def test_scores_of_other_weights_are_left_out_and_said(tmp_path, capsys):
  _write(
    tmp_path, _score(128, step=6), _score(64, checkpoint='best'), _score(32)
  )
  found = _run(tmp_path).about()['scores']
  assert [s['num_samples'] for s in found] == [32]
  said = capsys.readouterr().err
  assert 'warning: 2 scores' in said and 'step 7 (last)' in said


def test_a_number_that_json_lacks_is_none(tmp_path):
  _write(tmp_path, _score(num_images=1, nll_stderr=math.nan))
  (score,) = _run(tmp_path).about()['scores']
  assert score['nll_stderr'] is None
  json.dumps(score, allow_nan=False)


def test_a_known_data_set_is_described(tmp_path):
  found = _run(tmp_path, 'omniglot').about()
  assert found['dataset'] == 'omniglot'
  assert 'Burda' in found['dataset_words']
