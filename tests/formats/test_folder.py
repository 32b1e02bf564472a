"""A folder is written whole or not at all, and read without being run."""

import json
import os
import pathlib
import pickle

import numpy as np
import pytest

from vlae_tf.formats import description, folder

_VALUES = {'a/w': np.arange(6, dtype='float32'), 'noise': np.zeros(2, 'uint32')}
_DESCRIBED = description.Description('0.1.0', (4, 3, 1), (2,), 6)


def _save_keras(path):
  pathlib.Path(path).write_bytes(b'by keras')


def _write(path, described=_DESCRIBED, **kwargs):
  folder.write(path, described, _VALUES, **kwargs)


def _files(directory):
  return {p: p.read_bytes() for p in directory.rglob('*') if p.is_file()}


def _edit(path, **changes):
  """Changes keys of a `config.json`; `None` removes one."""
  fields = json.loads((path / 'config.json').read_text()) | changes
  fields = {k: v for k, v in fields.items() if v is not None}
  (path / 'config.json').write_text(json.dumps(fields))


@pytest.fixture
def shared(tmp_path):
  _write(tmp_path / 'shared', save_keras=_save_keras)
  return tmp_path / 'shared'


def _load(path):
  return folder.load(path, folder.read(path))


def test_what_is_written_is_read(shared):
  assert sorted(os.listdir(shared)) == [
    'README.md',
    'config.json',
    'model.safetensors',
    'model.weights.h5',
  ]
  weights = _load(shared)
  assert weights.path == shared / 'model.safetensors'
  for name, value in _VALUES.items():
    np.testing.assert_array_equal(weights.tensors[name], value)


def test_others_may_read_it(shared):
  assert shared.stat().st_mode & 0o055 == 0o055 & ~_umask()
  for path in shared.iterdir():
    assert path.stat().st_mode & 0o044 == 0o044 & ~_umask()


def _umask():
  mask = os.umask(0)
  os.umask(mask)
  return mask


def test_a_file_of_keras_is_taken_where_the_other_is_gone(shared):
  (shared / 'model.safetensors').unlink()
  assert _load(shared) == (shared / 'model.weights.h5', None)
  (shared / 'model.weights.h5').unlink()
  with pytest.raises(ValueError, match=r'must hold .*without model\.safetens'):
    _load(shared)


@pytest.mark.parametrize('name', ['model.safetensors', 'model.weights.h5'])
@pytest.mark.parametrize('kind', ['flipped', 'short', 'long', 'empty'])
def test_damaged_weights_are_named(shared, name, kind):
  data = (shared / name).read_bytes()
  middle = len(data) // 2
  damaged = {
    'flipped': data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
    'short': data[:-1],
    'long': data + b'0',
    'empty': b'',
  }[kind]
  (shared / name).write_bytes(damaged)
  rule = 'of SHA-256' if kind == 'flipped' else 'bytes long'
  with pytest.raises(ValueError, match=f'{name} is damaged: .*{rule}.*, got '):
    _load(shared)


_FILES = ('config.json', 'model.safetensors', 'model.weights.h5')


@pytest.mark.parametrize('name', _FILES)
def test_pipes_and_devices_are_not_read(shared, name):
  (shared / name).unlink()
  (shared / name).symlink_to('/dev/zero')
  with pytest.raises(ValueError, match=rf'{name}: it is not a regular file'):
    _load(shared)
  (shared / name).unlink()
  os.mkfifo(shared / name)
  with pytest.raises(ValueError, match=rf'{name}: it is not a regular file'):
    _load(shared)


@pytest.mark.parametrize('name', _FILES)
def test_a_file_larger_than_it_may_be_is_not_read(shared, name):
  os.truncate(shared / name, 2**36)  # Most of it is not on the disk.
  with pytest.raises(ValueError, match=rf'{name}.*(16777216|got {2**36})'):
    _load(shared)


@pytest.mark.parametrize('name', ['image_shape', 'code_shape'])
def test_shapes_beyond_memory_are_refused(shared, name):
  _edit(shared, **{name: [2**13, 2**13, 1]})
  with pytest.raises(ValueError, match=f'`{name}` must be of at most 16777216'):
    folder.read(shared)


class _Bomb:
  def __reduce__(self):
    return pytest.fail, ('a pickle was run',)


@pytest.mark.parametrize(
  'name',
  [
    'weights.pkl',
    'pytorch_model.bin',
    'MODEL.PT',
    'modeling.py',
    'arrays.npy',
    'model.keras',
    'deep/in/it/state.pickle',
    'deep/model.weights.h5',
  ],
)
def test_what_can_run_code_is_refused_unopened(shared, name, monkeypatch):
  path = shared / name
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_bytes(pickle.dumps(_Bomb()))
  opened = []
  monkeypatch.setattr(pathlib.Path, 'read_bytes', opened.append)
  described = folder.read(shared)
  with pytest.raises(ValueError, match=f'can run code.*{name}.*remove it'):
    folder.load(shared, described)
  assert not opened


def test_a_pickle_by_the_name_of_weights_is_not_run(shared):
  data = pickle.dumps(_Bomb())
  (shared / 'model.safetensors').write_bytes(data)
  files = {'model.safetensors': description.of_file(data)}
  _edit(shared, files=files)
  with pytest.raises(ValueError, match=r'\.safetensors: it is no safetensors'):
    _load(shared)


def test_other_files_are_passed_over(shared):
  for name in ('samples.png', '.gitattributes', 'LICENSE'):
    (shared / name).write_text('mine')
  assert _load(shared).tensors


@pytest.mark.parametrize(
  'changes, words',
  [
    (dict(format_version=2), r'format 2, written by vlae_tf 0\.1\.0.*later'),
    (dict(format_version='1'), "`format_version` must be 1, got '1'"),
    (dict(format_version=0), '`format_version` must be 1, got 0'),
    (dict(format='other'), "`format` is not 'vlae_tf'"),
    (dict(format=None), 'has no key `format`'),
    (dict(format=None, dataset='digits'), r'a run, which `vlae_tf\.restore`'),
    (dict(surprise=1), 'missing keys:.*surprise'),
    (dict(image_shape=None), 'missing keys:.*image_shape'),
    (dict(image_shape=[4, 3]), '`image_shape` must be a list'),
    (dict(image_shape=[4, 3, 1.5]), r'`image_shape\[2\]` must be an integer'),
    (dict(num_weights='6'), '`num_weights` must be an integer'),
    (dict(config=[]), '`config` must be an object'),
    (dict(weights_dtype='int8'), '`weights_dtype` must be one of'),
    (
      dict(files={'../x': {'bytes': 1, 'sha256': ''}}),
      '`files` must be',
    ),
    (
      dict(files={'model.safetensors': {'bytes': 1}}),
      r'`files.model.safetensors.sha256` must be a string',
    ),
    (dict(about=[]), '`about` must be an object'),
    (dict(about={'environment': 3}), r'`about\.environment` must be'),
    (dict(about={'dataset': 3}), r'`about\.dataset` must be'),
    (
      dict(about={'scores': [dict(num_images=1, num_samples=1, nll='3')]}),
      r'`about\.scores\[0\]\.nll` must be a number or null',
    ),
    (dict(about={'scores': [{'nll': 3.0}]}), 'num_images` must be an integer'),
  ],
)
def test_another_description_is_refused_in_words(shared, changes, words):
  _edit(shared, **changes)
  with pytest.raises(ValueError, match=f'got {shared}: .*{words}'):
    folder.read(shared)


@pytest.mark.parametrize('text', ['', '[1]', '{', '\ud800'])
def test_what_is_no_json_object_is_refused(shared, text):
  data = text.encode('utf-8', 'surrogatepass')
  (shared / 'config.json').write_bytes(data)
  with pytest.raises(ValueError, match=r'`directory` must be .*config\.json'):
    folder.read(shared)


def test_a_folder_without_a_description_is_named(tmp_path):
  with pytest.raises(ValueError, match=r'`directory` must be .*No such file'):
    folder.read(tmp_path)


def test_a_folder_that_is_there_is_kept_unless_it_may_be_replaced(shared):
  before = _files(shared)
  with pytest.raises(
    ValueError, match=r'`directory` must be a new.*`overwrite`'
  ):
    _write(shared)
  assert _files(shared) == before
  _write(shared, overwrite=True)
  assert sorted(os.listdir(shared)) == [
    'README.md',
    'config.json',
    'model.safetensors',
  ]
  assert os.listdir(shared.parent) == ['shared']


@pytest.mark.parametrize('kind', ['run', 'other library', 'with a letter'])
def test_what_is_not_ours_is_never_replaced(shared, kind):
  if kind == 'run':
    (shared / 'config.json').write_text('{"dataset": "digits"}')
    words = 'it is that of a run'
  elif kind == 'other library':
    (shared / 'config.json').write_text('{"model_type": "bert"}')
    words = 'has no key `format`'
  else:
    (shared / 'letter.txt').write_text('dear')
    words = r'holds letter\.txt, too'
  before = _files(shared)
  with pytest.raises(ValueError, match=f'{words}.* It is kept'):
    _write(shared, overwrite=True)
  assert _files(shared) == before


@pytest.mark.parametrize('overwrite', [False, True])
def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch, overwrite):
  path = tmp_path / 'shared'
  if overwrite:
    _write(path)
  before = _files(tmp_path)
  write_text = pathlib.Path.write_text

  def fail(self, *args):
    if self.name == 'config.json':
      raise OSError(28, 'No space left on device')
    return write_text(self, *args)

  monkeypatch.setattr(pathlib.Path, 'write_text', fail)
  with pytest.raises(ValueError, match=r'Cannot write .*No space left'):
    _write(path, save_keras=_save_keras, overwrite=overwrite)
  assert _files(tmp_path) == before
  assert os.listdir(tmp_path) == (['shared'] if overwrite else [])


def test_a_path_below_a_file_is_refused(tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(ValueError, match='`directory` must be a path to write'):
    _write(tmp_path / 'file' / 'shared')


@pytest.mark.parametrize('value', [float('nan'), {1, 2}, b'bytes'])
def test_what_json_has_not_is_refused_and_nothing_is_left(tmp_path, value):
  described = description.Description(
    '0.1.0', (4, 3, 1), (2,), 6, about={'minutes': value}
  )
  with pytest.raises(ValueError, match='`about` must be finite numbers'):
    _write(tmp_path / 'shared', described)
  assert not os.listdir(tmp_path)
