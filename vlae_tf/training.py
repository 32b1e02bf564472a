"""The training loop: steps, validation, checkpoints and what one sees."""

import dataclasses
import math
import time

import keras
import tensorflow as tf

from vlae_tf import (
  builder,
  checkpoints,
  evaluation,
  schedules,
  train_step,
  workdirs,
)
from vlae_tf import data as data_lib


@dataclasses.dataclass(frozen=True)
class Limits:
  """What a run does besides computing; none of it changes a weight.

  Attributes:
    max_steps: Step to stop at, or `None`.
    max_minutes: Minutes to stop after, or `None`.
    checkpoint_every_steps: Steps between checkpoints.
    validate_every_epochs: Epochs between validations; 0 for none.
    steps_per_call: Steps between two looks at the clock and the metrics.
  """

  max_steps: int | None = None
  max_minutes: float | None = None
  checkpoint_every_steps: int = 1000
  validate_every_epochs: float = 1.0
  steps_per_call: int = 10


def default_strategy():
  """Mirrored over all GPUs; the one device there is, without several."""
  gpus = tf.config.list_logical_devices('GPU')
  if len(gpus) > 1:
    return tf.distribute.MirroredStrategy()
  return tf.distribute.get_strategy()


class Trainer:
  """Trains a VLAE in a working directory, from where it was left."""

  def __init__(
    self, config, data, workdir, data_dir=None, strategy=None, limits=None
  ):
    """Builds or restores everything; takes no step.

    Args:
      config: `Config`.
      data: `ImageData`.
      workdir: Directory of the run, see `workdirs`.
      data_dir: Root of the data sets, remembered for other commands.
      strategy: `tf.distribute.Strategy`; see `default_strategy`.
      limits: `Limits`.

    Raises:
      ValueError: The directory belongs to another config, or the batch cannot
        be divided among the replicas.
    """
    self.config = config
    self.limits = Limits() if limits is None else limits
    self._strategy = strategy or default_strategy()
    self._check_batch_size()
    workdirs.claim(workdir, config, data, data_dir)
    self._images = data.split(config.train_on)
    self._data = data
    self.total_steps = math.ceil(
      config.max_epochs * len(self._images) / config.batch_size
    )
    with self._strategy.scope():
      self._build(data.image_shape)
    self._checkpoints = checkpoints.Checkpoints(
      workdir,
      averages=self.averages,
      model=self.model,
      optimizer=self.optimizer,
    )
    self.resumed_from = self._checkpoints.restore()
    if self.resumed_from is None:
      self._initialize()

  def _check_batch_size(self):
    replicas = self._strategy.num_replicas_in_sync
    if self.config.batch_size % replicas:
      raise ValueError(
        '`batch_size` must be divisible by the number of replicas, got '
        f'{self.config.batch_size} for {replicas}.'
      )

  def _build(self, image_shape):
    # Keras initialisers draw from this seed; nothing after them does.
    keras.utils.set_random_seed(self.config.seed)
    self.model = builder.build_model(self.config, image_shape)
    self.averages = builder.build_model(self.config, image_shape)
    self.optimizer = keras.optimizers.Adamax(
      schedules.create(self.config, self.total_steps)
    )
    self.optimizer.build(self.model.trainable_variables)
    self._evaluator = evaluation.Evaluator(self.averages)
    self._train_step = train_step.TrainStep(
      self._strategy, self.model, self.averages, self.optimizer, self.config
    )

  def _initialize(self):
    batches = data_lib.training_batches(
      self._images, self.config.batch_size, self.config.seed
    )
    batch = next(iter(batches))
    noise = train_step.latent_noise(self.config, batch)
    self.model.initialize(batch['image'], noise)
    for average, weight in zip(self.averages.weights, self.model.weights):
      average.assign(weight)

  @property
  def step(self):
    """Steps taken so far."""
    return int(self.optimizer.iterations)

  @property
  def last_step(self):
    """Step at which the run ends if time allows."""
    if self.limits.max_steps is None:
      return self.total_steps
    return min(self.total_steps, self.limits.max_steps)

  @property
  def steps_per_epoch(self):
    """Steps in which every image is seen once, a fraction."""
    return len(self._images) / self.config.batch_size

  def run(self, callbacks=()):
    """Trains until the end of the run or one of its limits.

    Args:
      callbacks: `keras.callbacks.Callback`s. `on_train_batch_end` comes every
        `steps_per_call` steps with the training scalars, `on_epoch_end` at
        every validation with its scalars; both are told the step. `params`
        hold the first step, `initial`, and the last, `steps`.

    Returns:
      What ended it: 'finished', 'max_steps' or 'max_minutes'.
    """
    callbacks = keras.callbacks.CallbackList(list(callbacks), model=self.model)
    callbacks.set_params(dict(initial=self.step, steps=self.last_step))
    callbacks.on_train_begin()
    minutes = self.limits.max_minutes
    seconds = math.inf if minutes is None else 60.0 * minutes
    step = self._loop(callbacks, time.monotonic() + seconds)
    self._checkpoints.save(step)
    callbacks.on_train_end()
    if step >= self.total_steps:
      return 'finished'
    return 'max_steps' if step >= self.last_step else 'max_minutes'

  def _loop(self, callbacks, deadline):
    batches, step = iter(self._batches()), self.step
    while step < self.last_step and time.monotonic() < deadline:
      ahead = self._next_stop(step) - step
      metrics = self._train_step(batches, tf.constant(ahead))
      step += ahead
      callbacks.on_train_batch_end(step, _as_floats(metrics))
      if self._is_due(step, self._validation_period()):
        callbacks.on_epoch_end(step, self.validate())
      if self._is_due(step, self.limits.checkpoint_every_steps):
        self._checkpoints.save(step)
    return step

  def _batches(self):
    replicas = self._strategy.num_replicas_in_sync

    def dataset(context):
      del context  # One host: it feeds every replica.
      return data_lib.training_batches(
        self._images,
        self.config.batch_size,
        self.config.seed,
        start_step=self.step,
        num_replicas=replicas,
      )

    if replicas == 1:
      return dataset(None)
    return self._strategy.distribute_datasets_from_function(dataset)

  def _validation_period(self):
    """Steps between validations, 0 for none."""
    epochs = self.limits.validate_every_epochs
    return max(1, round(epochs * self.steps_per_epoch)) if epochs else 0

  def _next_stop(self, step):
    """The next step at which the host has something to do."""
    periods = [
      self.limits.steps_per_call,
      self.limits.checkpoint_every_steps,
      self._validation_period(),
    ]
    stops = [(step // p + 1) * p for p in periods if p]
    return min([*stops, self.last_step])

  @staticmethod
  def _is_due(step, period):
    return bool(period) and step % period == 0

  def validate(self):
    """The bound on the validation images, one code each, averaged weights.

    Returns:
      A dictionary of `val_elbo`, `val_rate`, `val_distortion` in nats.
    """
    estimates = self._evaluator(self._data.validation, 'validation')
    result = estimates.summary(self._data.image_shape)
    return {f'val_{k}': result[k] for k in ('elbo', 'rate', 'distortion')}


def _as_floats(metrics):
  return {name: float(value) for name, value in metrics.items()}
