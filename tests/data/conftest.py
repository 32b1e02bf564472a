"""Fixtures: small copies of the original files, no network."""

import socket

import numpy as np
import pytest
import scipy.io

from vlae_tf.data.sources import Caltech101Silhouettes, OmniglotBurda


@pytest.fixture
def no_network(monkeypatch):
  def refuse(*args, **kwargs):
    raise AssertionError('a socket was opened')

  monkeypatch.setattr(socket.socket, 'connect', refuse)
  monkeypatch.setattr(socket, 'create_connection', refuse)
  monkeypatch.setattr(socket, 'getaddrinfo', refuse)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
  """No test sees what another one, or the user, has prepared."""
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
  return tmp_path / 'cache' / 'vlae_tf'


@pytest.fixture
def root(tmp_path):
  (tmp_path / 'root' / 'originals').mkdir(parents=True)
  return tmp_path / 'root'


@pytest.fixture
def omniglot_mat(root, monkeypatch):
  """A `chardata.mat` of 20 + 5 images, and what was put into it."""
  monkeypatch.setattr(OmniglotBurda, 'SIZES', (14, 6))
  monkeypatch.setattr(OmniglotBurda, 'NUM_TEST', 5)
  random = np.random.RandomState(0)
  contents = {}
  for prefix, size in (('', 20), ('test', 5)):
    grey = random.randint(0, 256, [28 * 28, size])
    contents[f'{prefix}data'] = grey / 255
    # As in the genuine file, labels come in groups.
    alphabet = np.arange(size) // 2
    contents[f'{prefix}target'] = np.eye(50, dtype=np.uint8)[alphabet].T
    contents[f'{prefix}targetchar'] = random.randint(1, 56, [1, size])
  path = root / 'originals' / OmniglotBurda.ORIGINAL.filename
  scipy.io.savemat(path, contents, do_compression=True)
  return path, contents


@pytest.fixture
def caltech_mat(root, monkeypatch):
  """A silhouettes file of 6 + 3 + 4 images, and what was put into it."""
  sizes = {'train': 6, 'val': 3, 'test': 4}
  monkeypatch.setattr(Caltech101Silhouettes, 'PARTS', tuple(sizes.items()))
  random = np.random.RandomState(1)
  contents = {}
  for prefix, size in sizes.items():
    contents[f'{prefix}_data'] = random.randint(0, 2, [size, 784], np.uint8)
    labels = random.randint(1, 102, [size, 1]).astype(np.uint8)
    contents[f'{prefix}_labels'] = labels
  path = root / 'originals' / Caltech101Silhouettes.ORIGINAL.filename
  scipy.io.savemat(path, contents)
  return path, contents
