"""Training loop: steps, validation, checkpointing and interruption."""

import contextlib
import dataclasses
import math
import os
import pathlib
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator

import keras
import numpy as np
import tensorflow as tf

from vlae_tf import data as data_lib
from vlae_tf.distributions import pixel_distributions
from vlae_tf.evaluation import latents, likelihood
from vlae_tf.models import builder
from vlae_tf.models.config import Config
from vlae_tf.models.vlae import VLAE
from vlae_tf.runs import checkpoints, loading, records
from vlae_tf.runs import workdir as workdir_lib
from vlae_tf.training import state as training_state
from vlae_tf.training import step as train_step
from vlae_tf.training import strategies
from vlae_tf.utils import console, fields

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# The first three in nats.
_VALIDATED = ('val_elbo', 'val_rate', 'val_distortion', 'val_active_units')
# Copies of the weights: themselves, averages, gradient, Adamax's two slots.
_COPIES = 5


@dataclasses.dataclass(frozen=True)
class Limits:
  """When a run stops, saves and reports; no effect on the weights."""

  max_steps: int | None = fields.field(None, 'Step to stop at.', lower=0)
  max_minutes: float | None = fields.field(
    None, 'Minutes to stop after.', lower=0
  )
  checkpoint_every_steps: int = fields.field(
    1000, 'Steps between checkpoints.', lower=1
  )
  keep: int = fields.field(
    2, 'Last checkpoints to keep, besides the best.', lower=1
  )
  steps_per_call: int = fields.field(10, 'Steps between two reports.', lower=1)
  max_skipped_in_row: int = fields.field(
    20,
    'Updates in a row that may be skipped because they are not finite.',
    lower=1,
  )

  def __post_init__(self):
    for each in dataclasses.fields(self):
      value, bound = getattr(self, each.name), each.metadata['lower']
      # Written so that NaN, which fails every comparison, is caught as well.
      fits = value is None or bound <= value < math.inf
      fields.check(each.name, value, fits, f'at least {bound} and finite')


class Trainer:
  """Trains a VLAE in a working directory; resumes a run that is there.

  >>> import tempfile
  >>> small = dict(encoder_widths='4', prior='gaussian', decoder_depth=2)
  >>> config = Config(batch_size=4, max_epochs=3.0, **small)
  >>> images = [tf.zeros([8, 4, 4, 1], tf.bool).numpy()] * 3
  >>> data = data_lib.ImageData('black', *images)
  >>> with tempfile.TemporaryDirectory() as folder:
  ...   trainer = Trainer(config, data, folder, limits=Limits(max_steps=4))
  >>> trainer.total_steps, trainer.last_step  # Three epochs of 8 / 4 steps.
  (6, 4)
  """

  def __init__(  # noqa: PLR0913
    self,
    config: Config,
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

    The root of the data sets, `data_dir`, is recorded for other commands. The
    strategy is by default `strategies.create()`. `build` is called twice, for
    the weights and for their averages. A fresh run starts from the trained
    model `start_from`, see `loading.load_start`, if it is given.

    Raises:
      ValueError: The directory belongs to another config, another process
        trains in it, the batch cannot be divided among the replicas or is
        larger than the data, or `start_from` is no model of the same
        components.
    """
    if not isinstance(data, data_lib.ImageData):
      raise ValueError(
        f'`data` must be an `ImageData`, got {type(data).__name__}.'
      )
    self.config = config
    self.limits = limits or Limits()
    self._strategy = strategy or strategies.create()
    self._workers = strategies.Workers(self._strategy)
    self.is_chief = self._workers.is_chief  # The worker that writes files.
    self._execution = execution or train_step.Execution()
    self._images, self._data = data.split(config.train_on), data
    self._workers.check_same(self._facts)
    self._execution.check(config, self._strategy.num_replicas_in_sync)
    if config.batch_size > len(self._images):
      raise ValueError(
        f'`batch_size` must be at most the {len(self._images)} training '
        f'images, got {config.batch_size}.'
      )
    # Checked first and claimed last: a failing start leaves no trace.
    self._workdir = workdir_lib.Workdir(
      workdir, config, data, data_dir, self.is_chief
    )
    self.total_steps = math.ceil(config.max_epochs * self.steps_per_epoch)
    self._interruption = _Interruption()
    with self._workers.explained():
      self._build(build)
    folder, groups = pathlib.Path(workdir), self.state.groups()
    self._last = checkpoints.Checkpoints(
      folder / checkpoints.LAST, groups, self.limits.keep
    )
    self._best = checkpoints.Checkpoints(
      folder / checkpoints.BEST, {'averages': groups['averages']}, keep=1
    )
    start = record = None
    if start_from is not None and self.is_chief and not self._last.steps:
      start, record = loading.load_start(start_from, self.model, config, build)
    self._workdir.lock()
    self.resumed_from = self._restore_or_initialize(start)
    described = self._execution.described(self._strategy.num_replicas_in_sync)
    is_fresh = self.resumed_from is None
    self._workdir.claim(is_fresh, described, record)

  def _facts(self):
    """Everything that has to be the same on all workers of a cluster."""
    parts = (self.config, self.limits, self._execution)
    return {
      **{k: v for part in parts for k, v in dataclasses.asdict(part).items()},
      'dataset': self._data.name,
      'image_shape': self._data.image_shape,
      'kind': self._data.kind,
      'sha256': records.fingerprint(self._data, self.config),
      **records.versions(),
    }

  def _build(self, build):
    config, data = self.config, self._data
    with self._strategy.scope():
      self.state = training_state.TrainingState(
        config, data.image_shape, self.total_steps, build
      )
    # The trained weights, and their averages, which are evaluated.
    self.model, self.averages = self.state.model, self.state.averages
    pixel = getattr(self.model.likelihood, 'pixel_distribution', None)
    if pixel is not None:
      pixel_distributions.check_kind(pixel, data.kind)
    self._evaluator = likelihood.Evaluator(self.averages)
    self._probe = latents.CodeProbe(self.averages)
    # Use of the latent at the last validation.
    self.code: latents.CodeUse | None = None
    self._train_step = train_step.TrainStep(
      self._strategy, self.state, config, self._execution
    )

  def _restore_or_initialize(self, start):
    """Reads or makes all variables on the chief, for all workers."""
    found = None
    if self.is_chief:
      found = self._last.restore()
      if found is None:
        self.state.initialize(next(iter(self._local_batches([0], 1))), start)
    with self._workers.explained():
      self._workers.share(self.state.variables())
    return self.step or None if found is None else found

  @property
  def step(self) -> int:
    """Number of steps taken so far."""
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
    """A sentence on the number of parameters and the memory of the run."""
    per_replica = self.config.batch_size // self._strategy.num_replicas_in_sync
    return describe_size(
      self.averages, self._execution.microbatch or per_replica
    )

  @property
  def exit_status(self) -> int:
    """Status for the shell: 0, or that of the signal that ended the run."""
    name = self._interruption.name
    return 128 + signal.Signals[name] if name else 0

  def run(self, callbacks: Iterable[keras.callbacks.Callback] = ()) -> str:
    """Trains until the end of the run or one of its limits.

    Returns the reason for the end: 'finished', 'max_steps', 'max_minutes',
    'early stopping' or the name of a signal. Of a callback `on_train_batch_end`
    is called every `steps_per_call` steps with the training metrics,
    `on_epoch_end` after every validation with its metrics; both get the step.
    Its `params` hold the first step, `initial`, the last, `steps`, and the name
    of the validation curve, `validation`.

    Raises:
      ValueError: Too many updates in a row were not finite, the last checkpoint
        cannot be written, or another worker is gone.
      Exception: That of a callback, once the step is complete and saved.
    """
    self._failure: Exception | None = None  # Of a callback.
    listeners = keras.callbacks.CallbackList(list(callbacks), model=self.model)
    trained_on = '_trained_on' if self.config.trains_on_validation else ''
    curve = f'validation{trained_on}'
    listeners.set_params(
      dict(initial=self.step, steps=self.last_step, validation=curve)
    )
    minutes = self.limits.max_minutes
    seconds = math.inf if minutes is None else 60.0 * minutes
    with self._workdir.locked():
      listeners.on_train_begin()
      try:
        with self._interruption.watched(), self._workers.explained():
          step = self._loop(listeners, time.monotonic() + seconds)
          self._save(step)
      finally:
        listeners.on_train_end()
    if self._failure:
      raise self._failure
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
    epochs = self.config.validate_every_epochs
    # Steps between validations, 0 for none.
    period = max(1, round(epochs * self.steps_per_epoch)) if epochs else 0
    while step < self.last_step and not self.state.should_stop_early:
      late = time.monotonic() >= deadline
      if self._workers.any(late or self._interruption.name or self._failure):
        break
      ahead = self._next_stop(step, period) - step
      metrics = self._train_step(batches, tf.constant(ahead))
      metrics = {name: float(value) for name, value in metrics.items()}
      step += ahead
      self._report(callbacks.on_train_batch_end, step, metrics)
      skipped, most = metrics['skipped_in_row'], self.limits.max_skipped_in_row
      check_skipped(int(skipped), step, most, self._last.kept)
      if period and step % period == 0:
        validated = self._validate_and_adapt(step)
        self._report(callbacks.on_epoch_end, step, validated)
      if step % self.limits.checkpoint_every_steps == 0:
        with _warning():
          self._save(step)
    return step

  def _report(self, report, step, metrics):
    """Calls the callbacks; an error ends the run after this step."""
    try:
      report(step, metrics)
    except Exception as error:
      self._failure = self._failure or error

  def _next_stop(self, step, validation_period):
    """The next step at which metrics are reported or something is due."""
    limits = self.limits
    periods = (limits.steps_per_call, limits.checkpoint_every_steps)
    stops = [(step // p + 1) * p for p in (*periods, validation_period) if p]
    return min(*stops, self.last_step)

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
    count = self._strategy.num_replicas_in_sync
    if count == 1:
      return self._local_batches([0], 1)
    return self._strategy.distribute_datasets_from_function(
      # `Workers` knows what the context says.
      lambda context: self._local_batches(self._workers.replicas, count)
    )

  def _validate_and_adapt(self, step):
    """Validates, with the same result on all workers, and adapts the state."""
    result = self._workers.of_chief(self.validate, _VALIDATED)
    is_best = self.state.observe_validation(result['val_elbo'])
    # The best on images that are trained on would be the last.
    if is_best and self.is_chief and not self.config.trains_on_validation:
      with _warning():
        self._best.save(step)
    return result

  def validate(self) -> dict[str, float]:
    """Scores the averaged weights, from one posterior sample per image."""
    images, kind = self._data.validation, self._data.kind
    # Unchecked: here NaN is for the guard to count.
    parts = self._evaluator.parts(images, 'validation', kind)
    estimates = likelihood.joined([*parts])
    self.code = self._probe(images, kind=kind)
    result = estimates.summary(self._data.image_shape)
    result['active_units'] = float(self.code.active_units)
    return {name: result[name.removeprefix('val_')] for name in _VALIDATED}

  def _save(self, step):
    if not self.is_chief:
      return
    if not are_finite(self.state.variables_to_check()):
      raise ValueError(
        f'The weights at step {step} are not finite and so not saved. '
        f'{self._last.kept(step)}'
      )
    self._last.save(step, int(self.state.guard.skipped_in_row.value.numpy()))


class _Interruption:
  """The signal that asked the process to stop, if there was one."""

  def __init__(self) -> None:
    self.name: str | None = None

  @contextlib.contextmanager
  def watched(self) -> Iterator[None]:
    """Records a first signal; a second one ends the process at once."""
    if threading.current_thread() is not threading.main_thread():
      yield
      return
    # What nohup has a process ignore stays ignored.
    heeded = [s for s in _SIGNALS if signal.getsignal(s) != signal.SIG_IGN]
    before = {s: signal.signal(s, self._note) for s in heeded}
    try:
      yield
    finally:
      for number, handler in before.items():
        signal.signal(number, handler)

  def _note(self, number, frame):
    del frame
    self.name = signal.Signals(number).name
    for each in _SIGNALS:
      signal.signal(each, signal.SIG_DFL)
    # A terminal that is closed sends it twice, through its shell and itself.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


@contextlib.contextmanager
def _warning():
  """Warns of a failed save: a full disk may have room again the next time."""
  try:
    yield
  except ValueError as error:
    console.warn(error)


def check_skipped(
  in_row: int, step: int, limit: int, kept: Callable[[int], str]
) -> None:
  """Ends a run in which updates are no longer finite."""
  if in_row >= limit:
    raise ValueError(
      f'{in_row} updates in a row were not finite, up to step {step} '
      f'(--max_skipped_in_row={limit}). {kept(step - in_row)} Look at '
      'the images, or start again in another directory with a lower '
      '--learning_rate, a lower --gradient_clip_norm or --precision=float32.'
    )


def are_finite(variables: Iterable[tf.Variable]) -> bool:
  """Whether all numbers of a list of variables are finite."""
  return all(
    np.isfinite(v.numpy()).all()
    for v in variables
    if tf.as_dtype(v.dtype).is_floating
  )


def describe_size(model: VLAE, batch_size: int) -> str:
  """Number of parameters, and an estimate of the memory of a step."""
  # The activations kept for the backward pass are taken to be all floating-
  # point results of the forward pass; temporary buffers come on top.
  weights = sum(v.value.shape.num_elements() for v in model.trainable_variables)
  spec = tf.TensorSpec((batch_size, *model.image_shape), tf.float32)
  graph = tf.function(lambda x: model(x)).get_concrete_function(spec).graph
  activations = sum(
    t.dtype.size * (t.shape.num_elements() or 0)
    for op in graph.get_operations()
    for t in op.outputs
    if t.dtype.is_floating
  )
  memory = (activations + 4 * _COPIES * weights) / 2**20
  return (
    f'{weights:,} parameters; estimated memory per device: {memory:,.0f} MiB '
    f'(batch of {batch_size})'
  )
