"""GPUs multiply in float32 and share memory; threads keep their order."""

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


def test_results_come_in_order_and_few_at_a_time():
  asked = []

  def items():
    for k in range(10):
      asked.append(k)
      yield k

  found = []
  for result in devices.threaded_map(lambda k: k * k, items(), 3):
    assert len(asked) <= len(found) + 3
    found.append(result)
  assert found == [k * k for k in range(10)]


def test_no_call_of_progress_is_lost():
  total = [0]

  def progress(num):
    before = total[0]
    total[0] = before + num

  counted = devices.locked(progress)
  list(devices.threaded_map(lambda _: counted(1), range(1000), 8))
  assert total == [1000] and devices.locked(None) is None
