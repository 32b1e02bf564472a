"""A process's hold on a run's directory, from the check to the last step."""

import contextlib
import os
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

from vlae_tf import data as data_lib
from vlae_tf.models import config as config_lib
from vlae_tf.runs import environment, facts, locks, start_files, workdirs


class Tenure:
  """Checks a directory, locks it, makes it an experiment's, lets go of it."""

  # Of several workers the chief alone does so; for the others this does
  # nothing.

  def __init__(
    self,
    workdir: str | os.PathLike,
    config: config_lib.Config,
    data: data_lib.ImageData,
    data_dir: str | os.PathLike | None = None,
    is_chief: bool = True,
  ):
    self._workdir = workdir
    self._config = config
    self._is_chief = is_chief
    self._lock = contextlib.ExitStack()
    if is_chief:
      self._facts = facts.of_images(config, data, data_dir)
      workdirs.check(workdir, config, self._facts)

  def begin(self) -> None:
    """Locks the directory, until the end of `held` or of this object."""
    if self._is_chief:
      self._lock.enter_context(locks.held(self._workdir))
      weakref.finalize(self, self._lock.close)

  def claim(
    self,
    is_fresh: bool,
    execution: Mapping[str, Any],
    started_from: Mapping[str, Any] | None = None,
  ) -> None:
    """Makes the directory this experiment's."""
    if not self._is_chief:
      return
    workdirs.claim(self._workdir, self._config, self._facts)
    if is_fresh:
      workdirs.start_afresh(self._workdir)
      start_files.write(self._workdir, started_from)
    environment.note(self._workdir, environment.describe(execution))

  @contextlib.contextmanager
  def held(self) -> Iterator[None]:
    """Holds the lock, and lets go of it at the end; also that of `begin`."""
    with contextlib.ExitStack() as stack:
      if self._is_chief:
        stack.callback(self._lock.close)
        stack.enter_context(locks.held(self._workdir))
      yield
