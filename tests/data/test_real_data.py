"""Facts about the real data sets, each read with the network closed."""

import re

import numpy as np
import pytest
import scipy.io
import source_tree

from vlae_tf import data
from vlae_tf.data import sources

pytestmark = pytest.mark.real_data

_FACTS = {
  'static_mnist': ((50_000, 10_000, 10_000), bool),
  'dynamic_mnist': ((50_000, 10_000, 10_000), np.uint8),
  'omniglot': ((23_000, 1_345, 8_070), np.uint8),
  'caltech101': ((4_100, 2_264, 2_307), bool),
  'cifar10': ((45_000, 5_000, 10_000), np.uint8),
}
_COLOUR = ('cifar10',)


def _tier(name):
  if name in ('static_mnist', 'caltech101'):
    return name
  return pytest.param(name, marks=pytest.mark.exhaustive('large files'))


_more = pytest.mark.exhaustive('more than the sizes of real data')


@pytest.mark.parametrize('name', map(_tier, _FACTS))
def test_sizes_and_types(name, real_data_dir, no_network):
  sizes, dtype = _FACTS[name]
  loaded = data.load(name, real_data_dir)
  splits = (loaded.train, loaded.validation, loaded.test)
  assert tuple(len(split) for split in splits) == sizes
  assert loaded.train.dtype == dtype
  numbers = 'levels' if name in _COLOUR else 'grey'
  assert loaded.kind == ('binary' if dtype is bool else numbers)
  assert loaded.name == name
  shape = (32, 32, 3) if name in _COLOUR else (28, 28, 1)
  assert loaded.image_shape == shape == sources.image_shape(name)
  page = (source_tree.ROOT / 'docs/data.md').read_text(encoding='utf-8')
  row = re.search(rf'^\| `{name}` \|.*$', page, re.MULTILINE)[0]
  assert row.endswith(f'| {" / ".join(f"{size:,}" for size in sizes)} |')


def _mat(real_data_dir, name):
  return scipy.io.loadmat(real_data_dir / 'originals' / name)


def _as_images(rows):
  """Oracle: MATLAB order is NumPy's order 'F'."""
  return np.stack([row.reshape([28, 28, 1], order='F') for row in rows])


@_more
def test_omniglot_is_the_original_file(real_data_dir):
  contents = _mat(real_data_dir, 'chardata.mat')
  loaded = data.load('omniglot', real_data_dir)
  test = _as_images(contents['testdata'].T)
  np.testing.assert_array_equal(loaded.test, np.rint(test * 255))
  assert np.abs(loaded.test / 255 - test).max() < 1e-7
  train = np.rint(_as_images(contents['data'].T) * 255).astype(np.uint8)
  both = loaded.split('train+validation')
  assert sorted(i.tobytes() for i in both) == sorted(i.tobytes() for i in train)
  # File order groups alphabets; 1,345 images of a fair deal have most of 50.
  assert len(np.unique(loaded.labels['validation'])) > 25


@_more
def test_second_load_of_omniglot_reads_no_original(real_data_dir, monkeypatch):
  first = data.load('omniglot', real_data_dir)

  def read(self, path):
    raise AssertionError(f'{path} was read again')

  monkeypatch.setattr(sources.OmniglotBurda, '_read', read)
  second = data.load('omniglot', real_data_dir)
  np.testing.assert_array_equal(second.test, first.test)


@_more
def test_caltech_is_the_inverted_original_file(real_data_dir):
  contents = _mat(real_data_dir, 'caltech101_silhouettes_28_split1.mat')
  loaded = data.load('caltech101', real_data_dir)
  np.testing.assert_array_equal(
    loaded.test, _as_images(contents['test_data'] == 0)
  )
  # Objects fill the middle, the background is at the rim.
  mean = loaded.train.mean(axis=0)
  assert mean[10:18, 10:18].mean() > 0.6 > 0.4 > mean[0].mean()


@_more
def test_mnist_has_the_published_counts_of_digits(real_data_dir):
  loaded = data.load('dynamic_mnist', real_data_dir)
  train = np.concatenate([loaded.labels['train'], loaded.labels['validation']])
  np.testing.assert_array_equal(
    np.bincount(train),
    [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
  )
  np.testing.assert_array_equal(
    np.bincount(loaded.labels['test']),
    [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
  )


@_more
def test_static_mnist_is_one_binarisation_of_the_grey_images(real_data_dir):
  """The test images agree in every pixel's mean, to 6 standard errors."""
  grey = data.load('dynamic_mnist', real_data_dir).test / 255
  static = data.load('static_mnist', real_data_dir).test
  error = np.sqrt((grey * (1 - grey)).sum(axis=0))
  deviation = np.abs(static.sum(axis=0) - grey.sum(axis=0))
  assert np.all(deviation <= 6 * error)


@_more
def test_cifar10_has_ten_classes_and_all_levels(real_data_dir):
  loaded = data.load('cifar10', real_data_dir)
  for split in ('train', 'validation', 'test'):
    counts = np.bincount(loaded.labels[split], minlength=10)
    assert len(counts) == 10 and counts.min() > 0.08 * counts.sum()
  # 1,000 of each class are tested.
  assert set(np.bincount(loaded.labels['test'])) == {1_000}
  assert len(np.unique(loaded.test)) == 256
  # Means of red, green and blue over the published training images.
  means = loaded.split('train+validation').mean((0, 1, 2), dtype=np.float64)
  np.testing.assert_allclose(means, [125.3, 123.0, 113.9], atol=0.1)
