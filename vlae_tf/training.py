"""The training loop: steps, validation, checkpoints and what one sees."""

import dataclasses
import math
import pathlib
import time

import keras
import tensorflow as tf

from vlae_tf import builder
from vlae_tf import checkpoints
from vlae_tf import config as config_lib
from vlae_tf import data as data_lib
from vlae_tf import evaluation
from vlae_tf import schedules
from vlae_tf import train_step


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


def claim_workdir(config, workdir):
  """Makes a working directory this experiment's, or checks that it is.

  Args:
    config: `Config` of the experiment.
    workdir: Path of the directory.

  Raises:
    ValueError: It belongs to another experiment; nothing is changed in it.
  """
  path = pathlib.Path(workdir) / 'config.json'
  if path.exists():
    lines = config_lib.differences(config_lib.load(path), config)
    if lines:
      raise ValueError(
        f'`workdir` {workdir} belongs to another config ({"; ".join(lines)}). '
        'Choose another directory or the same flags.'
      )
  else:
    config_lib.save(config, path)


class Trainer:
  """Trains a VLAE in a working directory, from where it was left."""

  def __init__(
    self, config, data, workdir, strategy=None, limits=None, callbacks=()
  ):
    """Builds or restores everything; takes no step.

    Args:
      config: `Config`.
      data: `ImageData`.
      workdir: Directory of `config.json`, checkpoints and logs.
      strategy: `tf.distribute.Strategy`; see `default_strategy`.
      limits: `Limits`.
      callbacks: `keras.callbacks.Callback`s. Their `on_train_batch_end` comes
        every `steps_per_call` steps with the training scalars, their
        `on_epoch_end` at every validation with the validation's scalars.

    Raises:
      ValueError: The directory belongs to another config, or the batch cannot
        be divided among the replicas.
    """
    claim_workdir(config, workdir)
    self.config = config
    self.workdir = pathlib.Path(workdir)
    self.limits = Limits() if limits is None else limits
    self._images = data.split(config.train_on)
    self._data = data
    self._strategy = strategy or default_strategy()
    self.total_steps = math.ceil(
      config.max_epochs * len(self._images) / config.batch_size
    )
    with self._strategy.scope():
      self._build(data.image_shape)
    self._checkpoints = checkpoints.Checkpoints(
      workdir,
      model=self.model,
      averages=self.averages,
      optimizer=self.optimizer,
    )
    self.resumed_from = self._checkpoints.restore()
    if self.resumed_from is None:
      self._initialize()
    self._callbacks = keras.callbacks.CallbackList(
      list(callbacks), model=self.model
    )
    self._callbacks.set_params(dict(steps=self.last_step))

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

  def run(self):
    """Trains until the end of the run or one of its limits.

    Returns:
      What ended it: 'finished', 'max_steps' or 'max_minutes'.
    """
    self._callbacks.on_train_begin()
    deadline = time.monotonic() + 60.0 * (self.limits.max_minutes or math.inf)
    batches = iter(self._batches())
    step = self.step
    while step < self.last_step and time.monotonic() < deadline:
      ahead = self._next_stop(step) - step
      metrics = self._train_step(batches, tf.constant(ahead))
      step += ahead
      self._callbacks.on_train_batch_end(step, _as_floats(metrics))
      if self._is_due(step, self._validation_period()):
        self._validate(step)
      if self._is_due(step, self.limits.checkpoint_every_steps):
        self._checkpoints.save(step)
    self._checkpoints.save(step)
    self._callbacks.on_train_end()
    if step >= self.total_steps:
      return 'finished'
    return 'max_steps' if step >= self.last_step else 'max_minutes'

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
    return round(self.limits.validate_every_epochs * self.steps_per_epoch)

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

  def _validate(self, step):
    estimates = self._evaluator(self._data.validation, 'validation')
    result = estimates.summary(self._data.image_shape)
    self._callbacks.on_epoch_end(
      step, {f'val_{k}': result[k] for k in ('elbo', 'rate', 'distortion')}
    )


def _as_floats(metrics):
  return {name: float(value) for name, value in metrics.items()}
