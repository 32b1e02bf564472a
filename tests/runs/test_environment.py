"""The environment of a run names what it was computed with."""

import pathlib
import shutil
import subprocess

import pytest
import source_tree

from vlae_tf.runs import environment


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
  found = environment.describe({})['git_commit']
  assert found in (head, f'{head}-dirty')


def test_files_of_no_repository_have_no_commit(tmp_path, monkeypatch):
  if not shutil.which('git'):
    pytest.skip('no git here')
  # As of an installed package in somebody else's repository.
  subprocess.run(['git', 'init', '-q', tmp_path], check=True)
  (tmp_path / 'environment.py').touch()
  monkeypatch.setattr(environment, '__file__', f'{tmp_path}/environment.py')
  assert 'git_commit' not in environment.describe({})


def test_it_names_the_processor():
  path = pathlib.Path('/proc/cpuinfo')
  if not path.exists() or 'model name' not in path.read_text():
    pytest.skip('nothing says how it is called')
  assert f': {environment.describe({})["cpu"]}\n' in path.read_text()


def test_another_commit_is_noted_and_other_cores_are_said(tmp_path, capsys):
  environment.note(tmp_path, dict(git_commit='a', cores=2))
  environment.note(tmp_path, dict(git_commit='b', cores=2))
  assert capsys.readouterr().err == ''
  assert environment.read(tmp_path) == dict(git_commit='b', cores=2)
  environment.note(tmp_path, dict(git_commit='b', cores=4))
  assert 'cores was 2, is 4' in capsys.readouterr().err
