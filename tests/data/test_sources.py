"""The registry, the root of all data, and the embedded data set."""

import importlib.util
import json
import pathlib
import re
import ssl
import urllib.error
import urllib.request
from unittest import mock

import numpy as np
import pytest
import source_tree
import tensorflow_datasets as tfds
from PIL import Image
from sklearn import datasets

from vlae_tf import data
from vlae_tf.data import sources, storage
from vlae_tf.reporting import health

pytestmark = pytest.mark.usefixtures('all_eagerly')


def test_digits_come_without_any_file(no_network, tmp_path):
  digits = data.load('digits', tmp_path / 'nowhere')
  sizes = [len(digits.split(s)) for s in ('train', 'validation', 'test')]
  assert sizes == [1297, 200, 300]
  assert digits.image_shape == (28, 28, 1) == sources.image_shape('digits')
  assert (digits.name, digits.kind) == ('digits', 'grey')
  assert digits.train.dtype == np.uint8
  assert digits.train.min() == 0
  assert digits.train.max() > 200
  assert not (tmp_path / 'nowhere').exists()


@pytest.mark.parametrize('name', ['scans', 'path/to/images.npz'])
def test_the_shape_of_other_images_is_not_guessed(name):
  with pytest.raises(ValueError, match=rf"`image_shape` must be .*'{name}'"):
    sources.image_shape(name)


def test_digits_keep_their_shapes_and_labels():
  """Averaged back to 8x8, each image is nearest to one of its own label."""
  small, labels = datasets.load_digits(return_X_y=True)
  small = small.reshape(-1, 8, 8) / 16
  digits = data.load('digits')
  for image, label in zip(
    digits.test[:40, ..., 0], digits.labels['test'], strict=False
  ):
    back = Image.fromarray(image).resize((8, 8), Image.Resampling.BOX)
    distance = np.abs(small - np.asarray(back) / 255).mean(axis=(1, 2))
    assert labels[distance.argmin()] == label


def test_digits_are_the_same_at_every_load():
  first, second = data.load('digits'), data.load('digits')
  np.testing.assert_array_equal(first.test, second.test)


@pytest.mark.parametrize('name', ['mnist', '', 'no/such/folder', 'x.npz'])
def test_unknown_name_lists_those_that_are_known(name):
  with pytest.raises(
    ValueError, match=r'`dataset` must be.*omniglot.*got.* path must be'
  ) as info:
    data.load(name)
  assert all(known in str(info.value) for known in data.DATASETS)
  assert repr(name) in str(info.value)


def test_nearest_name_is_suggested():
  with pytest.raises(ValueError, match=r"got 'omniglott'.*mean 'omniglot'\?"):
    data.load('omniglott')


def test_the_guide_has_the_registered_names_and_descriptions():
  page = (source_tree.ROOT / 'docs/data.md').read_text(encoding='utf-8')
  rows = re.findall(r'^\| `(\w+)` \| (.*?) \|', page, re.MULTILINE)
  registered = {name: data.DATASETS.description(name) for name in data.DATASETS}
  assert [name for name, _ in rows] == list(data.DATASETS)
  assert dict(rows) == registered


def test_data_dir_is_argument_then_environment_then_home(monkeypatch):
  monkeypatch.setenv('VLAE_TF_DATA_DIR', '/from/environment')
  assert storage.resolve_data_dir('/given') == pathlib.Path('/given')
  expected = pathlib.Path('/from/environment')
  assert data.default_data_dir() == expected
  assert storage.resolve_data_dir(None) == expected
  monkeypatch.delenv('VLAE_TF_DATA_DIR')
  assert data.default_data_dir() == pathlib.Path.home() / 'vlae_tf_data'


def test_data_dir_that_is_a_file_is_named(tmp_path):
  (tmp_path / 'file').touch()
  with pytest.raises(ValueError, match='`data_dir` must be a directory'):
    data.load('digits', tmp_path / 'file')


@pytest.mark.parametrize('place', ['', 'tfds'])
def test_catalogue_set_is_found_in_the_root_and_in_tfds(
  place, root, no_network, monkeypatch
):
  _fake_catalogue_set(root / place)
  images = data.load('static_mnist', root)
  assert images.train.dtype == bool
  np.testing.assert_array_equal(images.train[:, 3, 4, 0], [True, False, True])


def test_damaged_catalogue_set_is_named(root):
  _fake_catalogue_set(root)
  record = next(root.rglob('*-test.tfrecord*'))
  record.write_bytes(record.read_bytes()[:-7])
  with pytest.raises(ValueError, match=r"1\.0\.0 is damaged: split 'test'"):
    data.load('static_mnist', root)


def test_failed_catalogue_download_is_explained(root, monkeypatch):
  def fail(self, **kwargs):
    raise ConnectionError('no route\nand more')

  monkeypatch.setattr(urllib.request, 'urlopen', mock.Mock())
  monkeypatch.setattr(tfds.core.DatasetBuilder, 'download_and_prepare', fail)
  with pytest.raises(
    ValueError, match=r"`data_dir` has no prepared 'mnist'.*\(no route\)"
  ):
    data.load('dynamic_mnist', root)


def _never(self, **kwargs):
  raise AssertionError('TFDS was asked')


@pytest.mark.parametrize('name', ['dynamic_mnist', 'static_mnist', 'cifar10'])
@pytest.mark.parametrize(
  'error', [OSError('unreachable'), TimeoutError('late')]
)
def test_missing_network_is_said_at_once(name, error, root, monkeypatch):
  answers = mock.Mock(side_effect=urllib.error.URLError(error))
  monkeypatch.setattr(urllib.request, 'urlopen', answers)
  monkeypatch.setattr(tfds.core.DatasetBuilder, 'download_and_prepare', _never)
  with pytest.raises(ValueError, match=rf'no answer from http.*{error}'):
    data.load(name, root)
  # The waiting is bounded, and nothing is tried twice.
  assert [c.kwargs['timeout'] <= 10 for c in answers.mock_calls] == [True]
  assert not list(root.rglob('*mnist*'))


@pytest.mark.parametrize(
  'answer',
  [
    urllib.error.HTTPError('http://x', 403, 'not by HEAD', {}, None),
    urllib.error.URLError(ssl.SSLCertVerificationError('unknown issuer')),
    None,
  ],
)
@pytest.mark.parametrize('has_downloads', [False, True])
def test_what_answers_is_left_to_tfds(answer, has_downloads, root, monkeypatch):
  def fail(self, **kwargs):
    raise ConnectionError('by TFDS')

  if has_downloads:
    (root / 'tfds' / 'downloads').mkdir(parents=True)
    (root / 'tfds' / 'downloads' / 'x.gz.INFO').touch()
    answer = OSError('unreachable')
  answers = mock.Mock(side_effect=[answer or mock.Mock()])
  monkeypatch.setattr(urllib.request, 'urlopen', answers)
  monkeypatch.setattr(tfds.core.DatasetBuilder, 'download_and_prepare', fail)
  with pytest.raises(ValueError, match='by TFDS'):
    data.load('dynamic_mnist', root)
  assert answers.call_count == (not has_downloads)


def _fake_catalogue_set(folder, name='binarized_mnist', file_format=None):
  """Prepares three images a split in the format of the catalogue's set."""
  images = np.zeros([3, 28, 28, 1], np.uint8)
  images[::2, 3, 4] = 1
  builder = tfds.builder(
    name, data_dir=folder, try_gcs=False, file_format=file_format
  )
  splits = ('train', 'validation', 'test')
  labels = {'label': 7} if 'label' in builder.info.features else {}
  builder._split_generators = lambda _: {
    split: ((i, {'image': image} | labels) for i, image in enumerate(images))
    for split in splits
  }
  builder.info._disable_shuffling = True
  builder.download_and_prepare(download_dir=folder / 'downloads')


@pytest.mark.parametrize('name', ['binarized_mnist', 'mnist'])
def test_array_records_are_read_as_other_records(name, tmp_path, no_network):
  found = []
  for file_format in ('tfrecord', 'array_record'):
    _fake_catalogue_set(tmp_path / file_format, name, file_format)
    builder = storage.catalogue_builder(name, tmp_path / file_format)
    found.append(storage.read_split(builder, 'train'))
  expected, given = found
  assert expected.keys() == given.keys()
  for key, value in expected.items():
    assert given[key].dtype == value.dtype
    np.testing.assert_array_equal(given[key], value)


@pytest.mark.parametrize('kept', [0, 70_000])
def test_damaged_array_record_is_named(kept, root):
  _fake_catalogue_set(root, file_format='array_record')
  record = next(root.rglob('*-test.array_record*'))
  record.write_bytes(record.read_bytes()[:kept])
  with pytest.raises(ValueError, match=r"1\.0\.0 is damaged: split 'test'"):
    data.load('static_mnist', root)


def _doctor(root):
  """Finding of the doctor on the data set."""
  found = {finding.name: finding for finding in health.data_sets(root)}
  return found['--dataset=static_mnist']


@pytest.mark.parametrize(
  ('file_format', 'missing', 'message'),
  [
    ('parquet', None, "as tfrecord or array_record, got 'parquet'"),
    ('array_record', 'array_record', 'pip install array_record'),
    ([], None, r'must be prepared as .*got \[\]'),
    ('', None, r"must be prepared as .*got ''"),
  ],
)
def test_doctor_and_reader_agree_on_formats(
  file_format, missing, message, root, monkeypatch
):
  _fake_catalogue_set(root, file_format='array_record')
  assert _doctor(root).is_good
  info = next(root.rglob('dataset_info.json'))
  fields = json.loads(info.read_text()) | {'fileFormat': file_format}
  info.write_text(json.dumps(fields))
  find = importlib.util.find_spec
  monkeypatch.setattr(
    importlib.util, 'find_spec', lambda name: name != missing and find(name)
  )
  with pytest.raises(ValueError, match=message):
    data.load('static_mnist', root)
  finding = _doctor(root)
  assert not finding.is_good and re.search(message, finding.text)


def test_a_place_is_found_where_the_images_are_read(root, no_network):
  assert sources.place('static_mnist', root) == ''
  _fake_catalogue_set(root / 'tfds')
  assert sources.place('static_mnist', root) == (
    f'prepared in {root}/tfds/binarized_mnist'
  )
  with pytest.raises(ValueError, match=r"`dataset` must be.*'nothing'"):
    sources.place('nothing', root)
