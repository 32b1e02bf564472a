"""Files and directories that are there whole, or not at all."""

import ctypes
import multiprocessing
import os

import numpy as np
import pytest

from vlae_tf.utils import files

_MARKER = 'kind.json'
_KIND = files.Kind(_MARKER, (_MARKER, 'inner'))


def _write(path, text='new', overwrite=False):
  with files.new_directory(path, _KIND, overwrite) as folder:
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
    with files.new_directory(tmp_path / 'b', _KIND, True) as folder:
      (folder / _MARKER).write_text('half')
      raise error
  assert (tmp_path / 'b' / _MARKER).read_text() == 'old'
  assert os.listdir(tmp_path) == ['b']


def test_a_directory_is_replaced_in_one_step(tmp_path, monkeypatch):
  _write(tmp_path / 'b', 'old')
  if not hasattr(ctypes.CDLL(None), 'renameat2'):
    pytest.skip('no renameat2')
  # A second step would leave nothing under the name for a moment.
  monkeypatch.delattr(os, 'replace')
  _write(tmp_path / 'b', overwrite=True)
  assert (tmp_path / 'b' / _MARKER).read_text() == 'new'
  assert os.listdir(tmp_path) == ['b']


def _fill(directory):
  """Begins to write a file and a directory; ends as if by kill -9."""
  with files.new_file(directory / 'a.json') as file:
    file.write(b'half')
    with files.new_directory(directory / 'b', _KIND, True) as folder:
      (folder / 'inner').mkdir()
      os._exit(9)


def _killed(directory):
  process = multiprocessing.get_context('fork').Process(
    target=_fill, args=(directory,)
  )
  process.start()
  process.join()
  assert process.exitcode == 9


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path):
  _killed(tmp_path)
  assert len(list(tmp_path.glob('.writing-*'))) == 2
  files.write_text(tmp_path / 'c.json', '{}')
  assert os.listdir(tmp_path) == ['c.json']


def test_a_path_without_a_home_is_in_the_working_directory(monkeypatch):
  monkeypatch.setenv('HOME', '/home/me')
  assert str(files.expanded('~/x')) == '/home/me/x'
  monkeypatch.delenv('HOME')
  monkeypatch.setattr('pwd.getpwuid', {}.__getitem__)
  for path, found in [('~/x', 'x'), ('~', '.'), ('~b/x', '~b/x'), ('x', 'x')]:
    assert str(files.expanded(path)) == found


def test_what_a_living_process_is_writing_stays(tmp_path):
  with files.new_file(tmp_path / 'a') as file:
    file.write(b'first')
    with files.new_directory(tmp_path / 'b', _KIND, False) as folder:
      files.write_text(tmp_path / 'c', 'second')
      (folder / _MARKER).write_text('third')
  assert (tmp_path / 'a').read_text() == 'first'
  assert sorted(os.listdir(tmp_path)) == ['a', 'b', 'c']


def test_a_name_in_another_encoding_may_be_in_a_text(tmp_path):
  files.write_text(tmp_path / 'caf\udce9', 'run caf\udce9')
  assert (tmp_path / 'caf\udce9').read_text() == r'run caf\udce9'


def test_a_failed_renaming_brings_the_old_one_back(tmp_path, monkeypatch):
  _write(tmp_path / 'b', 'old')
  # A system that cannot exchange two directories.
  monkeypatch.setattr(ctypes, 'CDLL', lambda name: None)
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


def test_a_path_that_cannot_be_is_refused(tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(ValueError, match='`out` must be a path to write'):
    files.check_new_directory(tmp_path / 'file' / 'b', _KIND, False)
  with pytest.raises(ValueError, match=r'`out` must be a path .* too long'):
    files.check_new_directory(tmp_path / ('b' * 300), _KIND, False)


def test_arrays_are_there_whole_or_not_at_all(tmp_path):
  path = tmp_path / 'a' / 'b.npz'
  files.write_arrays(path, {'x': np.arange(3), 'about': 'words'})
  with np.load(path) as found:
    assert found['x'].tolist() == [0, 1, 2] and str(found['about']) == 'words'
  before = path.read_bytes()

  class Broken:
    def __array__(self, dtype=None, copy=None):
      raise OSError(28, 'full')

  with pytest.raises(ValueError, match=r'Cannot write .*b\.npz.* full'):
    files.write_arrays(path, {'x': np.arange(3), 'y': Broken()})
  assert path.read_bytes() == before
  assert os.listdir(path.parent) == ['b.npz']


@pytest.mark.parametrize(
  'name, overwrite, words',
  [
    ('a.npy', False, '`out` must end in .npz, got .*a.npy'),
    ('there.npz', False, '`out` must be a new file, got .* `overwrite`'),
    ('folder.npz', True, '`out` must be a file to write: .* a directory'),
    ('there.npz/a.npz', True, '`out` must be a file to write'),
  ],
)
def test_what_cannot_be_written_is_said_early(tmp_path, name, overwrite, words):
  (tmp_path / 'there.npz').touch()
  (tmp_path / 'folder.npz').mkdir()
  with pytest.raises(ValueError, match=words):
    files.check_new_file(tmp_path / name, overwrite, '.npz')
  files.check_new_file(tmp_path / 'there.npz', True, '.npz')
  files.check_new_file(tmp_path / 'new.npz', False, '.npz')
  assert sorted(os.listdir(tmp_path)) == ['folder.npz', 'there.npz']
