"""The images of a run are looked for where they are by now."""

import pytest

from vlae_tf.models import config as config_lib
from vlae_tf.runs import images, workdirs


def _run(dataset, remembered=None):
  config = config_lib.Config(dataset=dataset)
  return workdirs.Run(config, None, 14_607, (2, 2, 1), remembered, '', 'best')


@pytest.fixture
def asked(monkeypatch, tmp_path):
  """Roots that `workdirs.load_data` was called with."""
  roots = []
  monkeypatch.setattr(
    workdirs, 'load_data', lambda run, root: roots.append(root)
  )
  monkeypatch.setenv('VLAE_TF_DATA_DIR', str(tmp_path / 'environment'))
  return roots


def test_a_root_that_is_gone_gives_way_to_the_environment(
  asked, tmp_path, capsys
):
  there, gone = tmp_path / 'there', str(tmp_path / 'gone')
  there.mkdir()
  images.load(_run('omniglot', str(there)))
  images.load(_run('omniglot', gone), there)
  assert asked == [there, there] and capsys.readouterr().err == ''
  images.load(_run('omniglot', gone))
  assert asked[-1] == tmp_path / 'environment'
  assert gone in capsys.readouterr().err


@pytest.mark.parametrize('dataset', ['digits', 'some/folder'])
def test_images_under_no_root_need_none(asked, tmp_path, capsys, dataset):
  images.load(_run(dataset, str(tmp_path / 'gone')))
  assert asked == [None] and capsys.readouterr().err == ''


@pytest.mark.parametrize('dataset', ['digits', 'omniglot', 'some/folder'])
def test_a_root_that_is_given_must_be_there(asked, tmp_path, dataset):
  with pytest.raises(ValueError, match='`data_dir` must be a directory'):
    images.load(_run(dataset), tmp_path / 'typo')
  assert not asked


def test_a_label_names_the_run_even_from_inside(tmp_path, monkeypatch):
  (tmp_path / 'omniglot').mkdir()
  monkeypatch.chdir(tmp_path / 'omniglot')
  for path in ('.', '../omniglot/', tmp_path / 'omniglot'):
    assert images.label(path, _run('digits')) == 'omniglot, step 14,607 (best)'
