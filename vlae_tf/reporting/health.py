"""Checks of `doctor`: versions, devices, data, models, disk, training."""

from vlae_tf.utils import keras_backend  # noqa: F401  # isort: skip checks

import ctypes
import importlib.metadata
import math
import os
import pathlib
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from vlae_tf import data as data_lib
from vlae_tf.data import sources, storage
from vlae_tf.formats import card
from vlae_tf.models import config as config_lib
from vlae_tf.runs import pretrained
from vlae_tf.training import step as train_step
from vlae_tf.training import trainer as trainer_lib

_PACKAGES = (
  'tensorflow',
  'keras',
  'tensorflow-probability',
  'tensorflow-datasets',
  'tensorboard',
  'numpy',
)
# That TensorFlow loads for a GPU.
_GPU_LIBRARIES = (
  'libcuda.so.1',
  'libcudart.so.12',
  'libcublas.so.12',
  'libcudnn.so.9',
  'libcufft.so.11',
  'libcusolver.so.11',
  'libcusparse.so.12',
)
_INSTALL_GPU = "pip install 'tensorflow[and-cuda]'"
_LITTLE_DISK = 2**30


class Finding(NamedTuple):
  """The result of a check."""

  name: str
  text: str
  is_good: bool = True


def examine(data_dir: str | os.PathLike | None = None) -> Iterator[Finding]:
  """Runs all checks, the training last."""
  yield _versions()
  yield from _devices()
  yield from data_sets(data_dir)
  yield from models()
  free = shutil.disk_usage('.').free
  text = f'{free / 2**30:.1f} GiB free here'
  yield Finding('disk', text, free >= _LITTLE_DISK)
  yield _self_test()


def _versions():
  found = [f'Python {platform.python_version()}']
  for package in _PACKAGES:
    try:
      found.append(f'{package} {importlib.metadata.version(package)}')
    except importlib.metadata.PackageNotFoundError:
      return Finding('versions', f'no {package}: pip install {package}', False)
  return Finding('versions', ', '.join(found))


def _devices():
  devices = tf.config.list_physical_devices()
  names = [f'{d.device_type}:{d.name.rsplit(":", 1)[1]}' for d in devices]
  yield Finding('devices', ', '.join(names))
  if not tf.config.list_physical_devices('GPU'):
    vendors = pathlib.Path('/sys/bus/pci/devices').glob('*/vendor')
    has_card = pathlib.Path('/dev/nvidia0').exists() or any(
      vendor.read_text().strip() == '0x10de' for vendor in vendors
    )
    yield Finding('GPU', explain_missing_gpu(has_card, _can_load))


def _can_load(library):
  try:
    ctypes.CDLL(library)
  except OSError:
    # Installed by pip, it lies where only TensorFlow looks.
    folders = pathlib.Path(tf.__file__).parents[1].glob('nvidia/*/lib')
    return any((folder / library).exists() for folder in folders)
  return True


def explain_missing_gpu(has_card: bool, can_load: Callable[[str], bool]) -> str:
  """Why TensorFlow sees no GPU, and how to change that."""
  if not has_card:
    return 'none in this machine; training runs on the CPU'
  if not can_load('libcuda.so.1'):
    return (
      'libcuda.so.1 is missing, so there is no driver. Install it: '
      'sudo apt-get install nvidia-driver-570 (or the one of your system)'
    )
  missing = [name for name in _GPU_LIBRARIES if not can_load(name)]
  if missing:
    return f'{", ".join(missing)} missing. Install: {_INSTALL_GPU}'
  if not tf.test.is_built_with_cuda():
    return f'TensorFlow is built without CUDA. Install: {_INSTALL_GPU}'
  return 'a card and all libraries are there; see nvidia-smi'


def data_sets(data_dir: str | os.PathLike | None) -> Iterator[Finding]:
  """Places of the data sets; missing ones are downloaded on first use."""
  try:
    root = storage.resolve_data_dir(data_dir)
  except ValueError as error:
    yield Finding('data', str(error), False)
    return
  there = '' if root.is_dir() else ', which does not exist yet'
  yield Finding('data', f'in {root}{there}')
  for name in sources.DATASETS:
    absent = f'not there: the first use downloads it to {root}'
    try:
      text, is_good = sources.place(name, root) or absent, True
    except ValueError as error:
      text, is_good = str(error), False
    yield Finding(f'--dataset={name}', text, is_good)


def models() -> Iterator[Finding]:
  """Integrity of the models that come with the package."""
  for name in pretrained.names():
    title = f'pretrained {name!r}'
    try:
      described = pretrained.check(name)
    except ValueError as error:
      yield Finding(title, f'{error} Install vlae_tf anew.', False)
      continue
    text = (
      f'{described.num_weights:,} weights, trained on '
      f'{described.about.get("dataset", "unknown images")}; NLL '
      f'{card.expected(described.about)}'
    )
    yield Finding(title, text)


def _self_test():
  start = time.monotonic()
  try:
    losses = _train_a_little()
  except Exception as error:
    return Finding('self test', f'failed: {error}', False)
  good = all(map(math.isfinite, losses)) and losses[-1] < losses[0]
  text = f'loss {losses[0]:.1f} -> {losses[-1]:.1f} nats'
  return Finding(
    'self test', f'{text} in {time.monotonic() - start:.1f} s', good
  )


def _train_a_little():
  images = np.zeros([60, 8, 8, 1], np.float32)
  images[:, 2:6] = 1.0
  data = data_lib.ImageData('self test', images[:40], images[40:], images[40:])
  config = config_lib.Config(
    encoder_widths='4',
    encoder_units=8,
    latent_size=2,
    flow_steps=1,
    flow_units=4,
    decoder_units=4,
    decoder_depth=2,
    batch_size=20,
    validate_every_epochs=0,
  )
  losses: list[float] = []
  note = keras.callbacks.LambdaCallback(
    on_train_batch_end=lambda _, logs: losses.append(logs['loss'])
  )
  with tempfile.TemporaryDirectory() as folder:
    trainer = trainer_lib.Trainer(
      config,
      data,
      folder,
      limits=trainer_lib.Limits(max_steps=20, steps_per_call=1),
      # To compile would take most of the time.
      execution=train_step.Execution(xla='none'),
    )
    trainer.run([note])
  return losses
