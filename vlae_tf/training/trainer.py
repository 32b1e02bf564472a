"""The training loop: steps, validation, checkpoints and what one sees."""

import math
import os
import time
from collections.abc import Iterable

import keras
import tensorflow as tf

from vlae_tf import data as data_lib
from vlae_tf.distributions import pixel_distributions
from vlae_tf.evaluation import latents
from vlae_tf.models import builder
from vlae_tf.models import config as config_lib
from vlae_tf.models import vlae as model_lib
from vlae_tf.runs import run_lock, warm_start
from vlae_tf.training import (
  interruption,
  nan_guard,
  saving,
  sizes,
  strategies,
  validation,
)
from vlae_tf.training import state as training_state
from vlae_tf.training import step as train_step
from vlae_tf.training.limits import Limits


class Trainer:
  """Trains a VLAE in a working directory, from where it was left.

  >>> import tempfile
  >>> small = dict(encoder_widths='4', prior='gaussian', decoder_depth=2)
  >>> config = config_lib.Config(batch_size=4, max_epochs=3.0, **small)
  >>> images = [tf.zeros([8, 4, 4, 1], tf.bool).numpy()] * 3
  >>> data = data_lib.ImageData('black', *images)
  >>> with tempfile.TemporaryDirectory() as folder:
  ...   trainer = Trainer(config, data, folder, limits=Limits(max_steps=4))
  >>> trainer.total_steps, trainer.last_step  # Three epochs of 8 / 4 steps.
  (6, 4)
  """

  def __init__(  # noqa: PLR0913
    self,
    config: config_lib.Config,
    data: data_lib.ImageData,
    workdir: str | os.PathLike,
    data_dir: str | os.PathLike | None = None,
    strategy: tf.distribute.Strategy | None = None,
    limits: Limits | None = None,
    execution: train_step.Execution | None = None,
    build: builder.ModelBuilder = builder.build_model,
    start_from: str | os.PathLike | None = None,
  ):
    """Builds or restores everything; takes no step.

    Args:
      config: `Config`.
      data: `ImageData`.
      workdir: Directory of the run, see `workdirs`.
      data_dir: Root of the data sets, remembered for other commands.
      strategy: `tf.distribute.Strategy`; by default `strategies.create()`.
      limits: `Limits`.
      execution: `train_step.Execution`.
      build: Builds the model: that of the config, or one of your own. Called
        twice, for the weights and for their averages.
      start_from: Trained model to start from, see `starts.load`; by default
        fresh weights. A run that goes on does not look at it again.

    Raises:
      ValueError: The directory belongs to another config, somebody trains in
        it, the batch cannot be divided among the replicas, or `start_from` is
        no model of the same parts.
    """
    if not isinstance(data, data_lib.ImageData):
      raise ValueError(
        f'`data` must be an `ImageData`, got {type(data).__name__}.'
      )
    self.config = config
    self.limits = limits or Limits()
    self._strategy = strategy or strategies.create()
    self._workers = strategies.workers_of(self._strategy)
    self._execution = execution or train_step.Execution()
    self._execution.check(config, self._strategy.num_replicas_in_sync)
    self._images, self._data = data.split(config.train_on), data
    # Looked at first, and claimed last: a start that fails leaves it as it was.
    self._tenure = run_lock.Tenure(
      workdir, config, data, data_dir, self.is_chief
    )
    self.total_steps = math.ceil(config.max_epochs * self.steps_per_epoch)
    self._build(build)
    self._saver = saving.Saver(workdir, self.state, self.limits.keep)
    start = None
    if start_from is not None and self.is_chief and self._saver.is_empty:
      start = warm_start.load(start_from, self.model, config, build)
    self._tenure.begin()
    self.resumed_from = self._restore_or_initialize(start)
    described = self._execution.described(self._strategy.num_replicas_in_sync)
    is_fresh = self.resumed_from is None
    self._tenure.claim(is_fresh, described, start and start.told)
    sizes.warn_of_repeats(config.batch_size, len(self._images))

  def _build(self, build):
    config, data = self.config, self._data
    with self._strategy.scope():
      self.state = training_state.TrainingState(
        config, data.image_shape, self.total_steps, build
      )
    law = getattr(self.model.likelihood, 'pixel_law', None)
    if law is not None:
      pixel_distributions.check_kind(law, data.kind)
    self._validator = validation.Validator(self.averages, data)
    self._train_step = train_step.TrainStep(
      self._strategy, self.state, config, self._execution
    )
    self._interruption = interruption.Interruption()

  def _restore_or_initialize(self, start):
    """What the chief reads or makes, all workers get."""
    found = None
    if self.is_chief:
      found = self._saver.restore()
      if found is None:
        self.state.initialize(next(iter(self._local_batches([0], 1))), start)
    with self._workers.explained():
      self._workers.share(self.state.variables())
    return self.step or None if found is None else found

  @property
  def is_chief(self) -> bool:
    """Whether this process is the one that writes."""
    return self._workers.is_chief

  @property
  def model(self) -> model_lib.VLAE:
    """The `VLAE` that is trained."""
    return self.state.model

  @property
  def averages(self) -> model_lib.VLAE:
    """The `VLAE` with the averaged weights, for all that is reported."""
    return self.state.averages

  @property
  def step(self) -> int:
    """Steps taken so far."""
    return self.state.step

  @property
  def last_step(self) -> int:
    """Step at which the run ends if time allows."""
    if self.limits.max_steps is None:
      return self.total_steps
    return min(self.total_steps, self.limits.max_steps)

  @property
  def steps_per_epoch(self) -> float:
    """Steps in which every image is seen once, a fraction."""
    return len(self._images) / self.config.batch_size

  def size(self) -> str:
    """Weights and memory of the run, a string; see `sizes`."""
    replicas = self._strategy.num_replicas_in_sync
    in_memory = self._execution.microbatch
    batch_size = in_memory or self.config.batch_size // replicas
    return sizes.describe(self.averages, self._data.image_shape, batch_size)

  @property
  def exit_status(self) -> int:
    """Status for the shell: 0, or that of the signal that ended the run."""
    return self._interruption.exit_status

  def run(self, callbacks: Iterable[keras.callbacks.Callback] = ()) -> str:
    """Trains until the end of the run or one of its limits.

    Args:
      callbacks: `keras.callbacks.Callback`s. `on_train_batch_end` comes every
        `steps_per_call` steps with the training scalars, `on_epoch_end` at
        every validation with its scalars; both are told the step. `params`
        hold the first step, `initial`, the last, `steps`, and what the curve
        of `validation` is called.

    Returns:
      What ended it: 'finished', 'max_steps', 'max_minutes', 'early stopping' or
      the name of a signal.

    Raises:
      ValueError: Too many updates in a row were not finite, the last checkpoint
        cannot be written, or another worker is gone.
    """
    told = keras.callbacks.CallbackList(list(callbacks), model=self.model)
    curve = validation.name_of(self.config)
    told.set_params(
      dict(initial=self.step, steps=self.last_step, validation=curve)
    )
    minutes = self.limits.max_minutes
    seconds = math.inf if minutes is None else 60.0 * minutes
    with self._tenure.held():
      told.on_train_begin()
      try:
        with self._interruption.watched(), self._workers.explained():
          step = self._loop(told, time.monotonic() + seconds)
          self._save(step)
      finally:
        told.on_train_end()
    return self._reason(step)

  def _reason(self, step):
    if step >= self.total_steps:
      return 'finished'
    if self.state.should_stop_early:
      return 'early stopping'
    if step >= self.last_step:
      return 'max_steps'
    return self._interruption.name or 'max_minutes'

  def _loop(self, callbacks, deadline):
    batches, step = iter(self._batches()), self.step
    while step < self.last_step and not self.state.should_stop_early:
      late = time.monotonic() >= deadline
      if self._workers.any(late or self._interruption.name):
        break
      ahead = self._next_stop(step) - step
      metrics = self._train_step(batches, tf.constant(ahead))
      metrics = {name: float(value) for name, value in metrics.items()}
      step += ahead
      callbacks.on_train_batch_end(step, metrics)
      nan_guard.check_skipped(
        metrics['skipped_in_row'], step, self.limits.max_skipped_in_row
      )
      if _is_due(step, self._validation_period()):
        callbacks.on_epoch_end(step, self._validate_and_adapt(step))
      if _is_due(step, self.limits.checkpoint_every_steps):
        # A full disk may have room again at the next one.
        saving.or_warn(self._save, step)
    return step

  def _local_batches(self, replicas, num_replicas):
    return data_lib.training_batches(
      self._images,
      self.config.batch_size,
      self.config.seed,
      start_step=self.step,
      num_replicas=num_replicas,
      replicas=replicas,
      kind=self._data.kind,
      horizontal_flips=self.config.horizontal_flips,
    )

  def _batches(self):
    num_replicas = self._strategy.num_replicas_in_sync

    def dataset(context):
      del context  # `Workers` knows as much.
      return self._local_batches(self._workers.replicas, num_replicas)

    if num_replicas == 1:
      return dataset(None)
    return self._strategy.distribute_datasets_from_function(dataset)

  def _validation_period(self):
    """Steps between validations, 0 for none."""
    epochs = self.config.validate_every_epochs
    return max(1, round(epochs * self.steps_per_epoch)) if epochs else 0

  def _next_stop(self, step):
    """The next step at which the host has something to do."""
    validation = self._validation_period()
    return min(self.limits.next_stop(step, validation), self.last_step)

  def _validate_and_adapt(self, step):
    """What validation says, the same on all workers, and what follows of it."""
    result = self._workers.of_chief(self.validate, validation.SCALARS)
    is_best = self.state.observe_validation(result['val_elbo'])
    # The best of images that are trained on would be the last.
    if is_best and self.is_chief and not self.config.trains_on_validation:
      saving.or_warn(self._saver.save_best, step)
    return result

  def _save(self, step):
    if self.is_chief:
      self._saver.save(step)

  @property
  def code(self) -> latents.CodeUse | None:
    """How the code was used at the last validation."""
    return self._validator.code

  def validate(self) -> dict[str, float]:
    """The bound on the validation images, one code each, averaged weights.

    Returns:
      A dictionary of `val_elbo`, `val_rate`, `val_distortion` in nats, and of
      `val_active_units`.
    """
    return self._validator()


def _is_due(step, period):
  return bool(period) and step % period == 0
