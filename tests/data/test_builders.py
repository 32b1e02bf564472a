"""Data sets made from original files: pixels, splits, places, damage."""

import urllib.error
import urllib.request

import numpy as np
import pytest
import scipy.io
import tensorflow_datasets as tfds

from vlae_tf import data
from vlae_tf.data.sources import Caltech101Silhouettes, OmniglotBurda


def _pixel_by_pixel(column):
  """Oracle: MATLAB's pixel (i, j) of a 28x28 image is number i + 28 j."""
  image = np.zeros([28, 28, 1], column.dtype)
  for i in range(28):
    for j in range(28):
      image[i, j, 0] = column[i + 28 * j]
  return image


def test_omniglot_images_are_column_major(omniglot_mat, root, no_network):
  _, contents = omniglot_mat
  images = data.load('omniglot', root).test
  assert images.dtype == np.uint8
  for i, image in enumerate(images):
    column = np.rint(contents['testdata'][:, i] * 255).astype(np.uint8)
    np.testing.assert_array_equal(image, _pixel_by_pixel(column))


def test_omniglot_training_images_are_dealt_out_once(omniglot_mat, root):
  _, contents = omniglot_mat
  loaded = data.load('omniglot', root)
  assert [len(loaded.train), len(loaded.validation)] == [14, 6]
  originals = [
    _pixel_by_pixel(np.rint(column * 255).astype(np.uint8)).tobytes()
    for column in contents['data'].T
  ]
  both = loaded.split('train+validation')
  places = [originals.index(image.tobytes()) for image in both]
  assert sorted(places) == list(range(20))
  assert places != list(range(20))
  labels = np.concatenate([loaded.labels[s] for s in ('train', 'validation')])
  np.testing.assert_array_equal(labels, np.array(places) // 2)


def test_values_between_the_greys_are_kept(omniglot_mat, root):
  path, contents = omniglot_mat
  contents['testdata'][100, 2] = 0.123456
  scipy.io.savemat(path, contents)
  images = data.load('omniglot', root).test
  assert images.dtype == np.float32
  expected = _pixel_by_pixel(contents['testdata'][:, 2].astype(np.float32))
  np.testing.assert_array_equal(images[2], expected)


def test_caltech_objects_are_one_and_column_major(
  caltech_mat, root, no_network
):
  _, contents = caltech_mat
  loaded = data.load('caltech101', root)
  for split, prefix in (('train', 'train'), ('validation', 'val')):
    background = contents[f'{prefix}_data']
    expected = [_pixel_by_pixel(row == 0) for row in background]
    np.testing.assert_array_equal(getattr(loaded, split), expected)
    labels = contents[f'{prefix}_labels'][:, 0].astype(int) - 1
    np.testing.assert_array_equal(loaded.labels[split], labels)


def test_original_is_also_found_in_the_root_itself(caltech_mat, root):
  path, _ = caltech_mat
  path.rename(root / path.name)
  assert len(data.load('caltech101', root).test) == 4


def test_prepared_set_is_read_again_without_preparing(
  caltech_mat, root, monkeypatch
):
  first = data.load('caltech101', root)
  monkeypatch.setattr(Caltech101Silhouettes, '_split_generators', None)
  np.testing.assert_array_equal(
    data.load('caltech101', root).train, first.train
  )


def test_changed_original_is_prepared_afresh(caltech_mat, root):
  path, contents = caltech_mat
  before = data.load('caltech101', root).test
  contents['test_data'] = 1 - contents['test_data']
  scipy.io.savemat(path, contents)
  np.testing.assert_array_equal(data.load('caltech101', root).test, ~before)


def test_read_only_root_stays_untouched(caltech_mat, root, cache):
  folders = [root, root / 'originals']
  for folder in folders:
    folder.chmod(0o555)
  try:
    before = sorted(root.rglob('*'))
    assert len(data.load('caltech101', root).test) == 4
    assert sorted(root.rglob('*')) == before
    assert list(cache.glob('tfds/*/caltech101_silhouettes'))
  finally:
    for folder in folders:
      folder.chmod(0o755)


@pytest.mark.parametrize(
  ('builder', 'size'),
  [(OmniglotBurda, 14), (Caltech101Silhouettes, 6)],
)
def test_builder_says_what_it_holds(
  builder, size, omniglot_mat, caltech_mat, root, tmp_path
):
  module = {14: omniglot_mat, 6: caltech_mat}[size]
  made = builder(original=module[0], data_dir=tmp_path / 'prepared')
  made.download_and_prepare()
  info = tfds.builder_from_directory(made.data_dir).info
  assert info.splits['train'].num_examples == size
  assert info.features['image'].shape == (28, 28, 1)
  assert '@inproceedings' in info.citation
  assert info.homepage.startswith('https://')


def test_damaged_original_is_named_with_its_home(omniglot_mat, root):
  path, _ = omniglot_mat
  path.write_bytes(path.read_bytes()[:5000])
  with pytest.raises(
    ValueError, match=r'chardata\.mat is not usable.*https://'
  ):
    data.load('omniglot', root)
  assert not list(root.rglob('dataset_info.json'))


@pytest.mark.parametrize(
  ('name', 'value', 'message'),
  [
    ('data', np.zeros([784, 19]), r'`data` must have shape \(784, 20\)'),
    ('testdata', np.full([784, 5], 255.0), r'`testdata` must be in \[0, 1\]'),
    ('testdata', np.full([784, 5], np.nan), r'`testdata`.* not NaN'),
    ('target', None, r'`target` must have shape.*got nothing'),
  ],
)
def test_wrong_omniglot_array_is_named(
  name, value, message, omniglot_mat, root
):
  path, contents = omniglot_mat
  contents[name] = value
  if value is None:
    del contents[name]
  scipy.io.savemat(path, contents)
  with pytest.raises(ValueError, match=message + r'.*Get it from https://'):
    data.load('omniglot', root)


@pytest.mark.parametrize(
  ('name', 'message'),
  [('val_data', 'only 0 and 1'), ('val_labels', r'in 1\.\.101')],
)
def test_wrong_caltech_values_are_named(name, message, caltech_mat, root):
  path, contents = caltech_mat
  contents[name][1, 0] = 102
  scipy.io.savemat(path, contents)
  with pytest.raises(ValueError, match=f'`{name}` must .*{message}'):
    data.load('caltech101', root)


def test_missing_original_is_downloaded_whole(
  caltech_mat, root, tmp_path, monkeypatch
):
  path, _ = caltech_mat
  source = path.rename(tmp_path / 'at_home.mat')
  home = urllib.request.urlopen
  monkeypatch.setattr(
    urllib.request, 'urlopen', lambda url, timeout: home(source.as_uri())
  )
  assert len(data.load('caltech101', root).train) == 6
  assert path.read_bytes() == source.read_bytes()


def test_failed_download_says_where_to_get_the_file(root, monkeypatch):
  def fail(url, timeout):
    raise urllib.error.URLError('no route')

  monkeypatch.setattr(urllib.request, 'urlopen', fail)
  with pytest.raises(
    ValueError, match=r'`data_dir` has no .*no route.*Get it from https://'
  ):
    data.load('caltech101', root)
  assert not list((root / 'originals').iterdir())
