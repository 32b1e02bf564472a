"""The state of a training run: everything that changes and is checkpointed."""

import math
from collections.abc import Mapping

import keras
import tensorflow as tf

from vlae_tf.models import builder, schedules
from vlae_tf.models.config import Config
from vlae_tf.models.vlae import VLAE
from vlae_tf.nn import made, weight_norm
from vlae_tf.runs import checkpoints
from vlae_tf.training import gradients
from vlae_tf.utils import serialization


class Patience:
  """Counts validations since the last improvement."""

  def __init__(self, limit: int, name: str):
    self._limit = limit
    self.best = keras.Variable(
      -math.inf, trainable=False, dtype='float64', name=f'{name}_best'
    )
    self.count = keras.Variable(
      0, trainable=False, dtype='int64', name=f'{name}_count'
    )
    self.variables = (self.best, self.count)

  @property
  def exhausted(self) -> bool:
    """Whether the limit, if there is one, is reached."""
    return bool(self._limit) and int(self.count.value.numpy()) >= self._limit

  def observe(self, value: float) -> bool:
    """Counts a validation; whether it is better than all before."""
    better = float(self.best.value.numpy()) < value < math.inf
    if better:
      self.best.assign(value)
    self.count.assign(0 if better else self.count.value + 1)
    return better


class TrainingState:
  """Model, averages, optimiser, guard and the record of validations."""

  def __init__(
    self,
    config: Config,
    image_shape: tuple[int, ...],
    total_steps: int,
    build: builder.ModelBuilder = builder.build_model,
  ):
    # Keras initialisers draw from this seed; nothing after them does.
    keras.utils.set_random_seed(config.seed)
    self._config = config
    self.model = build(config, image_shape)
    self.averages = build(config, image_shape)
    checkpoints.check_same_paths(self.model.variables, self.averages.variables)
    apply_precision(self.model, config.precision)
    self.schedule = schedules.create(config, total_steps)
    rate = schedules.warmed_up(self.schedule, config.learning_rate_warmup_steps)
    self.optimizer = keras.optimizers.Adamax(rate, name='adamax')
    self.optimizer.build(self.model.trainable_variables)
    self.guard = gradients.Guard(scale_loss=config.precision == 'mixed_float16')
    self._early = Patience(config.early_stopping_patience, 'early')
    self._plateau = Patience(config.plateau_patience, 'plateau')

  @property
  def step(self) -> int:
    return int(self.optimizer.iterations.value.numpy())

  @property
  def should_stop_early(self) -> bool:
    return self._early.exhausted

  def initialize(
    self, batch: Mapping[str, tf.Tensor], start: VLAE | None = None
  ) -> None:
    """Sets the weights, from a batch or a trained model, and the averages."""
    if start is None:
      event_shape = self.model.event_shape
      noise = gradients.latent_noise(self._config, batch, event_shape)
      self.model.initialize(batch['image'], noise)
    else:
      theirs = serialization.by_path(start.weights)
      for path, weight in serialization.by_path(self.model.weights).items():
        weight.assign(theirs[path].value)
    for average, weight in zip(self.averages.weights, self.model.weights):
      average.assign(weight)

  def observe_validation(self, elbo: float) -> bool:
    """Updates patience and schedule; whether this is the best so far."""
    best = self._early.observe(elbo)
    if isinstance(self.schedule, schedules.HalveOnPlateau):
      self._plateau.observe(elbo)
      if self._plateau.exhausted:
        self.schedule.halve()
        self._plateau.count.assign(0)
    return best

  def groups(self) -> dict[str, list[keras.Variable]]:
    """Lists of variables to save, by name of the checkpoint's group."""
    # The order is fixed: files of the first format are read by it.
    small = [
      *self.model.objective.variables,
      *self.guard.variables,
      *getattr(self.schedule, 'variables', ()),
      *self._early.variables,
      *self._plateau.variables,
    ]
    return {
      'averages': self.averages.variables,
      'model': self.model.variables,
      'optimizer': self.optimizer.variables,
      'state': small,
    }

  def variables(self) -> list[tf.Variable]:
    return [v.value for group in self.groups().values() for v in group]

  def variables_to_check(self) -> list[tf.Variable]:
    """Those that have to be finite: weights, averages, optimiser."""
    groups = self.groups()
    del groups['state']
    return [v.value for group in groups.values() for v in group]


def apply_precision(model: VLAE, policy: str) -> None:
  """Sets the dtype policy of the networks of a built model."""
  # Variables stay in float32, and so does everything that is computed from the
  # networks' outputs: the heads and the distribution of the posterior, the
  # flow, every log-probability.
  if policy == 'float32':
    return
  inner = [
    *model.posterior._flatten_layers(include_self=False, recursive=False),
    *model.likelihood._flatten_layers(include_self=False, recursive=False),
  ]
  for network in inner:
    if isinstance(network, (weight_norm.WeightNorm, made.MADE)):
      continue
    for layer in network._flatten_layers():
      layer.dtype_policy = keras.dtype_policies.get(policy)
