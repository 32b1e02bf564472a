"""GPUs multiply float32 in float32 and leave memory to others."""

import numpy as np
import pytest
import tensorflow as tf

from vlae_tf import data
from vlae_tf.models import builder
from vlae_tf.models import config as config_lib
from vlae_tf.training import strategies
from vlae_tf.utils import devices

_is_tf32 = tf.config.experimental.tensor_float_32_execution_enabled


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
  """TensorFlow as it starts, before anyone has chosen."""
  before = _is_tf32()
  monkeypatch.setattr(devices, '_configured', False)
  tf.config.experimental.enable_tensor_float_32_execution(True)
  yield
  tf.config.experimental.enable_tensor_float_32_execution(before)


def _build():
  small = dict(encoder_widths='4', prior='gaussian', decoder='factorised')
  builder.build_model(config_lib.Config(latent_size=2, **small), (4, 4, 1))


def _make_a_batch():
  data.fixed_binarization(np.zeros([1, 4, 4, 1], bool), 'test')


@pytest.mark.parametrize('first', [_build, _make_a_batch, strategies.create])
def test_float32_is_float32_whatever_comes_first(first):
  first()
  assert not _is_tf32()


def test_a_choice_is_kept_when_a_model_is_built():
  devices.configure(tf32=True)
  _build()
  assert _is_tf32()
  devices.configure(tf32=False)
  assert not _is_tf32()


def test_what_is_set_after_the_first_model_is_kept():
  _build()
  tf.config.experimental.enable_tensor_float_32_execution(True)
  _build()
  assert _is_tf32()


def test_memory_grows_on_every_gpu(monkeypatch):
  grown = {}
  gpus = ['GPU:0', 'GPU:1']
  monkeypatch.setattr(tf.config, 'list_physical_devices', lambda kind: gpus)
  monkeypatch.setattr(
    tf.config.experimental, 'set_memory_growth', grown.__setitem__
  )
  devices.configure()
  assert grown == {'GPU:0': True, 'GPU:1': True}


@pytest.mark.parametrize('error', [RuntimeError, ValueError])
def test_gpus_that_compute_already_are_left_alone(monkeypatch, error):
  def refuse(*_):
    raise error('Physical devices cannot be modified')

  monkeypatch.setattr(tf.config, 'list_physical_devices', lambda kind: [kind])
  monkeypatch.setattr(tf.config.experimental, 'set_memory_growth', refuse)
  devices.configure()
  assert not _is_tf32()
