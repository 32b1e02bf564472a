"""The JSON files of a run's directory."""

import dataclasses
import json
import os
import pathlib
import shutil
import subprocess

import numpy as np
import pytest
import source_tree

from vlae_tf.models import config
from vlae_tf.runs import records
from vlae_tf.utils import json_files


def test_json_round_trip(tmp_path):
  original = config.Config(dataset='omniglot', learning_rate=1e-4, seed=3)
  records.write_config(tmp_path / 'deep', original)
  assert records.read_config(tmp_path / 'deep') == original


def test_differences_name_fields_and_both_values():
  old, new = config.Config(seed=1), config.Config(seed=2, latent_size=9)
  assert records.config_differences(old, new) == [
    'seed: 1 there, 2 here',
    'latent_size: 64 there, 9 here',
  ]
  assert records.config_differences(old, dataclasses.replace(old)) == []


def test_only_a_constant_rate_lets_a_run_be_lengthened():
  for schedule, free in [('constant', True), ('linear', False)]:
    old = config.Config(learning_rate_schedule=schedule)
    new = dataclasses.replace(old, max_epochs=old.max_epochs + 1)
    assert (records.config_differences(old, new) == []) == free


def test_it_names_the_commit():
  try:
    head = subprocess.check_output(
      ['git', 'rev-parse', 'HEAD'],
      cwd=source_tree.ROOT,
      text=True,
      stderr=subprocess.DEVNULL,
    ).strip()
  except (OSError, subprocess.CalledProcessError):
    pytest.skip('no git here')
  found = records.describe_environment({})['git_commit']
  assert found in (head, f'{head}-dirty')


def test_files_of_no_repository_have_no_commit(tmp_path, monkeypatch):
  if not shutil.which('git'):
    pytest.skip('no git here')
  # As of an installed package in somebody else's repository.
  subprocess.run(['git', 'init', '-q', tmp_path], check=True)
  (tmp_path / 'records.py').touch()
  monkeypatch.setattr(records, '__file__', f'{tmp_path}/records.py')
  assert 'git_commit' not in records.describe_environment({})


def test_it_names_the_processor():
  path = pathlib.Path('/proc/cpuinfo')
  if not path.exists() or 'model name' not in path.read_text():
    pytest.skip('nothing says how it is called')
  assert f': {records.describe_environment({})["cpu"]}\n' in path.read_text()


def test_another_commit_is_noted_and_other_cores_are_said(tmp_path, capsys):
  records.write_environment(tmp_path, dict(git_commit='a', cores=2))
  records.write_environment(tmp_path, dict(git_commit='b', cores=2))
  assert capsys.readouterr().err == ''
  assert records.read_environment(tmp_path) == dict(git_commit='b', cores=2)
  records.write_environment(tmp_path, dict(git_commit='b', cores=4))
  assert 'cores was 2, is 4' in capsys.readouterr().err


def _write(workdir, lines):
  text = ''.join(f'{json.dumps(line)}\n' for line in lines)
  (workdir / 'metrics.jsonl').write_text(text)


def _looks(*times):
  return [{'step': n, 'time': time} for n, time in enumerate(times)]


def test_pauses_do_not_count():
  # Looks a minute apart, stopped for a night and once for 20 minutes.
  night = [60.0 * n for n in range(40)]
  morning = [50_000.0 + t for t in night]
  noon = [53_600.0 + t for t in night]
  lines = _looks(*night, *morning, *noon)
  assert records.minutes(lines) == pytest.approx(3 * 39)


@pytest.mark.parametrize('gap', [290.0, 1999.0])
def test_a_slow_look_counts(gap):
  """Less than five minutes, or than ten times what is usual."""
  usual = [1.0, 200.0][gap > 300]
  times = np.cumsum([usual] * 9 + [gap]).tolist()
  assert records.minutes(_looks(*times)) == pytest.approx(
    (8 * usual + gap) / 60
  )


def test_curves_are_told_apart(tmp_path):
  look = {'step': 3, 'time': 1.0, 'split': 'train', 'elbo': -9.0, 'rate': 2.0}
  null = look | {'step': 4, 'elbo': None}
  held_out = look | {'split': 'validation', 'elbo': -10.0}
  _write(tmp_path, [look, null, held_out])
  lines = records.read_log(tmp_path)
  assert records.curve(lines, 'train') == [(3, -9.0, 2.0)]
  assert records.curve(lines, 'validation') == [(3, -10.0, 2.0)]


@pytest.mark.parametrize('text', ['', 'torn', '{"step": 1}', '[1]', '{"st'])
def test_lines_that_are_none_are_passed_over(tmp_path, text):
  assert records.read_log(tmp_path) == []
  _write(tmp_path, _looks(1.0, 61.0))
  with open(tmp_path / 'metrics.jsonl', 'a') as file:
    file.write(text)
  assert records.minutes(records.read_log(tmp_path)) == 1.0


def _score(num_images, num_samples, **other):
  defaults = dict(split='test', seed=0, checkpoint='last', step=7)
  counts = dict(num_images=num_images, num_samples=num_samples)
  return {**defaults, **counts, **other}


def _write_score(workdir, score):
  path = records.score_path(workdir, score)
  json_files.write(path, score)
  return path


def _fullest(workdir):
  found = records.read_scores(workdir / 'eval')
  return max(found, key=records.fullness, default=None)


def test_each_way_to_score_has_a_file_of_its_own(tmp_path):
  ways = [
    _score(300, 128),
    _score(100, 128),
    _score(300, 16),
    _score(300, 128, seed=3),
    _score(300, 128, checkpoint='best'),
    _score(300, 128, split='train'),
  ]
  paths = [_write_score(tmp_path, way) for way in ways]
  assert [os.path.basename(path) for path in paths] == [
    'test_300_images_128_codes.json',
    'test_100_images_128_codes.json',
    'test_300_images_16_codes.json',
    'test_300_images_128_codes_seed_3.json',
    'test_300_images_128_codes_best.json',
    'train_300_images_128_codes.json',
  ]
  assert [json.loads(open(path).read()) for path in paths] == ways


def test_a_quick_score_is_not_the_fullest(tmp_path):
  assert _fullest(tmp_path) is None
  full = _score(300, 16)
  for way in (full, _score(300, 4), _score(100, 4096)):
    _write_score(tmp_path, way)
  _write_score(tmp_path, _score(1000, 1000, split='train'))
  assert _fullest(tmp_path) == full
  newer = _score(300, 16, seed=1, step=8)
  _write_score(tmp_path, newer)
  assert _fullest(tmp_path) == newer


def test_a_file_of_version_0_1_0_is_a_score(tmp_path):
  (tmp_path / 'eval').mkdir()
  old = {'num_images': 500, 'num_samples': 4096, 'nll': 91.0}
  (tmp_path / 'eval' / 'test.json').write_text(json.dumps(old))
  _write_score(tmp_path, _score(300, 128))
  assert _fullest(tmp_path) == old


def test_what_is_no_score_is_said_and_passed_over(tmp_path, capsys):
  _write_score(tmp_path, _score(300, 128))
  for name, text in [('torn', '{'), ('list', '[]'), ('other', '{}')]:
    (tmp_path / 'eval' / f'test_{name}.json').write_text(text)
  assert _fullest(tmp_path) == _score(300, 128)
  said = capsys.readouterr().err
  assert said.count('warning:') == 3 and 'test_torn.json' in said
