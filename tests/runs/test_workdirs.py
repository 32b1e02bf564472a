"""Whose a directory is, what may go on in it, and what is never lost."""

import json

import numpy as np
import pytest
import toys

from vlae_tf import data as data_lib
from vlae_tf.runs import environment, facts, workdirs


def _facts(data_dir=None):
  return facts.of_images(toys.small_config(), toys.image_data(), data_dir)


def _files(folder):
  return {p: p.read_bytes() for p in folder.rglob('*') if p.is_file()}


@pytest.fixture
def claimed(tmp_path):
  folder = tmp_path / 'run'
  workdirs.claim(folder, toys.small_config(), _facts('/some/root'))
  return folder


def test_a_check_writes_nothing(tmp_path):
  workdirs.check(tmp_path / 'run', toys.small_config(), _facts())
  assert not list(tmp_path.iterdir())


def test_a_claim_is_found_again(claimed):
  before = _files(claimed)
  workdirs.claim(claimed, toys.small_config(), _facts())
  assert _files(claimed) == before
  assert facts.read(claimed) == _facts('/some/root')


def test_checkpoints_without_a_config_belong_to_nobody(claimed):
  (claimed / 'checkpoints').mkdir()
  (claimed / 'checkpoints/ckpt-3.index').write_bytes(b'')
  (claimed / 'config.json').unlink()
  before = _files(claimed)
  with pytest.raises(ValueError, match='checkpoints/ but no config'):
    workdirs.check(claimed, toys.small_config(seed=5), _facts())
  assert _files(claimed) == before


@pytest.mark.parametrize('name', ['', 'checkpoints', 'best'])
def test_a_file_in_the_place_of_a_directory_is_named(tmp_path, name):
  folder = tmp_path / 'run'
  if name:
    folder.mkdir()
  (folder / name).write_text('mine')
  with pytest.raises(ValueError, match=rf'must be a directory, .*{name}\.$'):
    workdirs.check(folder, toys.small_config(), _facts())


@pytest.mark.parametrize(
  'text',
  [
    '[]',
    '{}',
    '3',
    'no json',
    '{"image_shape": [8, 8], "sha256": "a"}',
    '{"image_shape": [8, 8, 0], "sha256": "a"}',
    '{"image_shape": [8, 8, "1"], "sha256": "a"}',
    '{"image_shape": [8, 8, 1], "sha256": 3}',
    '{"image_shape": [8, 8, 1], "sha256": "a", "data_dir": 3}',
    '{"image_shape": [8, 8, 1], "sha256": "a", "more": 3}',
  ],
)
def test_damaged_facts_are_named(claimed, text):
  (claimed / 'data.json').write_text(text)
  for use in (
    lambda: facts.read(claimed),
    lambda: workdirs.restore(claimed),
    lambda: workdirs.check(claimed, toys.small_config(), _facts()),
  ):
    with pytest.raises(ValueError, match=r'Cannot read .*data\.json'):
      use()


def test_lost_facts_are_written_anew(claimed):
  (claimed / 'data.json').unlink()
  workdirs.claim(claimed, toys.small_config(), _facts())
  assert facts.read(claimed) == _facts()


def test_data_that_have_moved_are_found(claimed):
  workdirs.claim(claimed, toys.small_config(), _facts('/new/root'))
  assert facts.read(claimed).data_dir == '/new/root'


def test_the_same_images_may_have_another_path(tmp_path):
  there = toys.small_config(dataset='/a/images.npz')
  workdirs.claim(tmp_path, there, _facts())
  workdirs.check(tmp_path, toys.small_config(dataset='b/images.npz'), _facts())
  with pytest.raises(ValueError, match=r'dataset: .* there, .omniglot. here'):
    workdirs.check(tmp_path, toys.small_config(dataset='omniglot'), _facts())


def test_other_images_of_the_same_path_are_refused(tmp_path):
  path = tmp_path / 'images.npz'
  images = toys.image_data().train
  config = toys.small_config(dataset=str(path))
  np.savez(path, images)
  known = facts.of_images(config, data_lib.load(path))
  workdirs.claim(tmp_path / 'run', config, known)
  run = workdirs.Run(
    config, None, 1, known.image_shape, None, known.sha256, 'last'
  )
  assert len(workdirs.load_data(run).train)
  np.savez(path, images[::-1])
  other = facts.of_images(config, data_lib.load(path))
  with pytest.raises(ValueError, match='trained on other images: their sha256'):
    workdirs.check(tmp_path / 'run', config, other)
  with pytest.raises(ValueError, match='images that the run was trained on'):
    workdirs.load_data(run)


def test_a_run_of_an_earlier_version_may_have_validated_as_it_liked(claimed):
  other = toys.small_config(validate_every_epochs=10)
  with pytest.raises(ValueError, match='validate_every_epochs: 1'):
    workdirs.check(claimed, other, _facts())
  path = claimed / 'config.json'
  fields = json.loads(path.read_text())
  del fields['validate_every_epochs']
  path.write_text(json.dumps(fields))
  workdirs.check(claimed, other, _facts())


def test_unknown_checkpoints_are_refused(claimed):
  with pytest.raises(ValueError, match=r"'best'.*, got 'first'"):
    workdirs.restore(claimed, 'first')


@pytest.mark.parametrize('patience, folder', [(0, 'checkpoints'), (2, 'best')])
def test_runs_with_early_stopping_go_by_their_best(tmp_path, patience, folder):
  config = toys.small_config(early_stopping_patience=patience)
  workdirs.claim(tmp_path, config, _facts())
  with pytest.raises(ValueError, match=f'found none in {folder}/'):
    workdirs.restore(tmp_path)


def test_who_asks_for_the_best_is_told_what_there_is(claimed):
  (claimed / 'checkpoints').mkdir()
  (claimed / 'checkpoints/ckpt-1.index').touch()
  with pytest.raises(ValueError, match="`checkpoint` must be 'last', got 'b"):
    workdirs.restore(claimed, 'best')


def test_a_fresh_start_keeps_what_was_left(claimed, capsys):
  (claimed / 'metrics.jsonl').write_text('lines')
  (claimed / 'best').mkdir()
  (claimed / 'best/ckpt-7.index').write_bytes(b'7')
  for _ in range(2):
    workdirs.start_afresh(claimed)
  assert (claimed / 'metrics.jsonl.aside-1').read_text() == 'lines'
  assert (claimed / 'best.aside-1/ckpt-7.index').exists()
  (line,) = capsys.readouterr().err.splitlines()
  assert 'holds no checkpoint to go on from' in line
  assert 'best is now best.aside-1' in line


def test_another_environment_is_said(tmp_path, capsys):
  here = environment.describe(dict(cores=2, parts=2))
  environment.note(tmp_path, here)
  environment.note(tmp_path, here)
  assert not capsys.readouterr().err
  environment.note(tmp_path, here | dict(cores=8))
  assert 'cores was 2, is 8): it goes on' in capsys.readouterr().err
  written = json.loads((tmp_path / 'environment.json').read_text())
  assert written['cores'] == 8 and written['keras']
