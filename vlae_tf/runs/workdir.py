"""The directory of a run while it is trained: checks, lock and records.

| file or folder | contents |
|---|---|
| `checkpoints/` | the last checkpoints, see `checkpoints` |
| `best/` | the averages of the best validation |
| `logs/` | TensorBoard |
| `train.lock` | locked by the process that trains |
| `train.pid` | describes that process, in JSON |
| other JSON files | see `records` |
"""

import contextlib
import os
import pathlib
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

import filelock

from vlae_tf import data as data_lib
from vlae_tf.models import config as config_lib
from vlae_tf.runs import checkpoints, records
from vlae_tf.utils import console, files, json_files

LOCK, PROCESS = 'train.lock', 'train.pid'
_HOLDER = ('pid', 'host', 'since', 'command')


class Workdir:
  """Checks, locks and claims the directory of a run.

  Of several workers the chief alone does so.
  """

  def __init__(
    self,
    path: str | os.PathLike,
    config: config_lib.Config,
    data: data_lib.ImageData,
    data_dir: str | os.PathLike | None = None,
    is_chief: bool = True,
  ):
    self._path = pathlib.Path(path)
    self._config = config
    self._is_chief = is_chief
    if is_chief:
      self._facts = records.facts_of(config, data, data_dir)
      # One object per file, so that a process may lock a directory twice.
      self._lock = filelock.FileLock(
        os.path.realpath(self._path / LOCK),
        timeout=0,
        thread_local=False,
        is_singleton=True,
      )
      self._check()
      if (self._path / LOCK).exists():
        self._acquire()  # Fails before long work.
        self._lock.release()

  def lock(self) -> None:
    """Locks the directory until the end of `locked` or of this object."""
    if self._is_chief:
      self._acquire()
      self._sweep()
      here = dict(
        pid=os.getpid(),
        host=socket.gethostname(),
        since=time.strftime('%Y-%m-%d %H:%M:%S'),
        command=' '.join(sys.argv)[:200],
      )
      json_files.write(self._path / PROCESS, here)

  @contextlib.contextmanager
  def locked(self) -> Iterator[None]:
    self.lock()
    try:
      yield
    finally:
      if self._is_chief:
        self._lock.release(force=True)

  def claim(
    self,
    is_fresh: bool,
    execution: Mapping[str, Any],
    started_from: Mapping[str, Any] | None = None,
  ) -> None:
    """Writes the records of the experiment."""
    if not self._is_chief:
      return
    self._check()
    is_new = not (self._path / records.CONFIG).exists()
    has_facts = not is_new and (self._path / records.FACTS).exists()
    there = records.read_facts(self._path) if has_facts else None
    # The data may have moved since, or the file be lost.
    if there is None or self._facts.data_dir not in (None, there.data_dir):
      records.write_facts(self._path, self._facts)
    if is_new:
      records.write_config(self._path, self._config)
    elif records.read_config(self._path).dataset != self._config.dataset:
      records.write_dataset(self._path, self._config.dataset)
    if is_fresh:
      # No checkpoint belongs to what an earlier start left.
      left = [self._path / name for name in (records.METRICS, checkpoints.BEST)]
      moved = [(path, files.set_aside(path)) for path in left if path.exists()]
      if moved:
        names = ', '.join(f'{old.name} is now {new.name}' for old, new in moved)
        console.warn(
          f'{self._path} holds no checkpoint to go on from, so training starts '
          f'from step 0; what an earlier start left is kept: {names}.'
        )
      records.write_start(self._path, started_from)
    environment = records.describe_environment(execution)
    records.write_environment(self._path, environment)

  def _sweep(self):
    """Removes what killed processes that trained here left half written."""
    files.sweep(self._path)
    for name in checkpoints.FOLDERS.values():
      checkpoints.sweep(self._path / name)

  def _check(self):
    """Checks that the directory is free or of this experiment."""
    folders = [self._path / name for name in checkpoints.FOLDERS.values()]
    for folder in (self._path, *folders):
      if folder.exists() and not folder.is_dir():
        raise ValueError(
          f'`workdir` must be a directory, got the file {folder}.'
        )
    if (self._path / records.CONFIG).exists():
      self._check_config()
      if (self._path / records.FACTS).exists():
        self._check_facts()
      return
    for folder in folders:
      if any(folder.glob('ckpt-*')):
        raise ValueError(
          f'`workdir` {self._path} holds checkpoints in {folder.name}/ but no '
          f'{records.CONFIG}, so their experiment is unknown. Choose another '
          'directory.'
        )

  def _check_config(self):
    there = records.read_config(self._path)
    free = set()
    # Images may move: their fingerprint is compared.
    if not {there.dataset, self._config.dataset} & set(data_lib.DATASETS):
      free.add('dataset')
    # Earlier versions did not record the period of validations.
    text = (self._path / records.CONFIG).read_text('utf-8')
    if '"validate_every_epochs"' not in text:
      free.add('validate_every_epochs')
    lines = records.config_differences(there, self._config, free)
    if lines:
      raise ValueError(
        f'`workdir` {self._path} belongs to another config '
        f'({"; ".join(lines)}). Choose another directory, or the same flags to '
        'go on with it.'
      )

  def _check_facts(self):
    there = records.read_facts(self._path)
    for name in ('image_shape', 'sha256'):
      old, new = getattr(there, name), getattr(self._facts, name)
      if old != new:
        raise ValueError(
          f'`workdir` {self._path} was trained on other images: their {name} '
          f'was {old}, now it is {new}.'
        )

  def _acquire(self):
    """Locks the file; the system unlocks it when the process ends."""
    try:
      self._path.mkdir(parents=True, exist_ok=True)
      self._lock.acquire()
    except filelock.Timeout:
      raise ValueError(
        f'`workdir` {self._path} must not be trained in by two processes at a '
        f'time, but {_holder(self._path / PROCESS)} is training in it.'
      ) from None
    # A directory that is read-only, or a network disk without locks.
    except (OSError, NotImplementedError) as error:
      raise ValueError(f'Cannot lock {self._path}: {error}.') from error


def _holder(path):
  try:
    it = json_files.read(path, dict.fromkeys(_HOLDER, (int, str)))
    return 'process {pid} on {host} ({command}, since {since})'.format(**it)
  except ValueError:
    return 'another process'
