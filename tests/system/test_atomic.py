"""Directories that are there whole, or not at all."""

import os

import pytest

from vlae_tf.system import atomic

_MARKER = 'kind.json'
_KIND = atomic.Kind(_MARKER, (_MARKER, 'inner'))


def _write(path, text='new', overwrite=False):
  with atomic.new_directory(path, _KIND, overwrite) as folder:
    (folder / _MARKER).write_text(text)
    (folder / 'inner').mkdir()
    (folder / 'inner' / 'weights').write_text(text)


def test_it_is_written_with_what_is_in_it(tmp_path):
  _write(tmp_path / 'a' / 'b')
  assert (tmp_path / 'a' / 'b' / 'inner' / 'weights').read_text() == 'new'
  assert os.listdir(tmp_path / 'a') == ['b']


def test_what_is_there_is_kept(tmp_path):
  _write(tmp_path / 'b', 'old')
  with pytest.raises(ValueError, match='`out` must be a new directory'):
    _write(tmp_path / 'b')
  assert (tmp_path / 'b' / _MARKER).read_text() == 'old'


def test_what_is_there_is_replaced_if_asked_to(tmp_path):
  _write(tmp_path / 'b', 'old')
  _write(tmp_path / 'b', overwrite=True)
  assert (tmp_path / 'b' / _MARKER).read_text() == 'new'
  assert sorted(os.listdir(tmp_path / 'b')) == ['inner', _MARKER]
  assert os.listdir(tmp_path) == ['b']


_OTHERS = {
  'home': f'has no {_MARKER}',
  'file': 'is no directory',
  'link': 'is no directory',
  'guest': 'holds letters, too',
}


@pytest.mark.parametrize('kind', _OTHERS)
def test_what_is_of_another_kind_is_never_replaced(tmp_path, kind):
  path = tmp_path / 'b'
  if kind == 'home':
    path.mkdir()
    (path / 'letters').write_text('dear')
  elif kind == 'file':
    path.write_text('dear')
  elif kind == 'guest':
    _write(path)
    (path / 'letters').write_text('dear')
  else:
    _write(tmp_path / 'c')
    path.symlink_to(tmp_path / 'c')
  with pytest.raises(ValueError, match=f'{_OTHERS[kind]}. It is kept'):
    _write(path, overwrite=True)
  assert path.exists()


@pytest.mark.parametrize('error', [OSError(28, 'full'), KeyboardInterrupt()])
def test_a_failure_leaves_what_was_there(tmp_path, error):
  _write(tmp_path / 'b', 'old')
  expected = ValueError if isinstance(error, OSError) else KeyboardInterrupt
  with pytest.raises(expected):
    with atomic.new_directory(tmp_path / 'b', _KIND, True) as folder:
      (folder / _MARKER).write_text('half')
      raise error
  assert (tmp_path / 'b' / _MARKER).read_text() == 'old'
  assert os.listdir(tmp_path) == ['b']


def test_a_failed_renaming_brings_the_old_one_back(tmp_path, monkeypatch):
  _write(tmp_path / 'b', 'old')
  replace, calls = os.replace, []

  def fail_second(source, target):
    calls.append(target)
    if len(calls) == 2:
      raise OSError(5, 'gone')
    replace(source, target)

  monkeypatch.setattr(os, 'replace', fail_second)
  with pytest.raises(ValueError, match='Cannot write'):
    _write(tmp_path / 'b', overwrite=True)
  assert (tmp_path / 'b' / _MARKER).read_text() == 'old'
  assert os.listdir(tmp_path) == ['b']


def test_a_path_below_a_file_is_refused(tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(ValueError, match='`out` must be a path to write'):
    atomic.check_new_directory(tmp_path / 'file' / 'b', _KIND, False)
