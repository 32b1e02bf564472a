"""Devices of a run: one, several, or those of several machines; CPU threads.

#### References

[1]: Multi-worker training with Keras.
     https://www.tensorflow.org/tutorials/distribute/multi_worker_with_keras
     (the layout of `TF_CONFIG`)
"""

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Sequence

import tensorflow as tf

from vlae_tf.evaluation import likelihood
from vlae_tf.utils import console, devices, fields

# More parts make a bigger graph, and smaller operations.
_MOST_PARTS = 4


def create(
  name: str = 'auto', batch_size: int | None = None
) -> tf.distribute.Strategy:
  """A strategy by name."""
  known = tuple(STRATEGIES)
  fields.check('strategy', name, name in known, f'one of {known}')
  devices.configure()  # Listing logical devices initialises them.
  return STRATEGIES[name](batch_size)


def is_one_cpu(name: str) -> bool:
  """Whether a strategy, not created yet, will compute on one CPU device."""
  if name == 'auto' and os.environ.get('TF_CONFIG'):
    return False
  one_device = name in ('auto', 'one_device')
  return one_device and not tf.config.list_physical_devices('GPU')


def num_cores() -> int:
  """Number of cores that this process may use."""
  if hasattr(os, 'sched_getaffinity'):  # Linux
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


# TensorFlow spreads each operation over all cores, which wastes much of the
# time for convolutions with few channels. Two halves of the batch in parallel,
# each operation on one core, took 0.9 of the time on two cores.
def parts_of(batch_size: int, num_cores: int) -> int:
  """Number of equal parts of a batch to compute in parallel."""
  return likelihood.largest_divisor(batch_size, min(num_cores, _MOST_PARTS))


def set_threads(parts: int, num_cores: int) -> None:
  """Gives each part its share of the cores, before TensorFlow starts."""
  if parts > 1:
    each = max(1, num_cores // parts)
    tf.config.threading.set_inter_op_parallelism_threads(parts)
    tf.config.threading.set_intra_op_parallelism_threads(each)


def _auto(batch_size):
  if os.environ.get('TF_CONFIG'):
    return _multi_worker()
  gpus = [d.name for d in tf.config.list_logical_devices('GPU')]
  count = len(gpus)
  if gpus and batch_size is not None:
    count = likelihood.largest_divisor(batch_size, len(gpus))
  if count < len(gpus):
    console.warn(
      f'training on {count} of {len(gpus)} GPUs: --batch_size={batch_size} '
      f'cannot be divided among more of them. A multiple of {len(gpus)} uses '
      'all.'
    )
  if count < 2:
    return tf.distribute.get_strategy()
  return tf.distribute.MirroredStrategy(gpus[:count])


def _mirrored():
  gpus = tf.config.list_logical_devices('GPU')
  chosen = gpus or tf.config.list_logical_devices('CPU')
  return tf.distribute.MirroredStrategy([d.name for d in chosen])


def _multi_worker():
  # TensorFlow would fail on a bad variable much later.
  text = os.environ.get('TF_CONFIG', '')
  try:
    config = json.loads(text)
    task = config['task']
    config['cluster'][task['type']][task['index']]
  except (ValueError, KeyError, IndexError, TypeError) as error:
    raise ValueError(
      '`TF_CONFIG` must be JSON with `cluster` and with a `task` in it for '
      f'--strategy=multi_worker, got {text!r}.'
    ) from error
  return tf.distribute.MultiWorkerMirroredStrategy()


STRATEGIES = {
  'auto': _auto,
  'one_device': lambda _: tf.distribute.get_strategy(),
  'mirrored': lambda _: _mirrored(),
  'multi_worker': lambda _: _multi_worker(),
}


class Workers:
  """Agreement between the workers of a run, by sums over all of them."""

  # All workers run the same loop, so whatever controls it (the clock, a signal,
  # a validation score) must have the same value on all of them.

  def __init__(self, strategy: tf.distribute.Strategy):
    self._strategy = strategy
    self._id, self._count = 0, 1
    self._is_alone = not isinstance(
      strategy, tf.distribute.MultiWorkerMirroredStrategy
    )
    if not self._is_alone:
      resolver = strategy.cluster_resolver
      spec = resolver.cluster_spec().as_dict()
      self._id = resolver.task_id
      self._count = sum(len(spec.get(k, ())) for k in ('chief', 'worker'))
      if resolver.task_type == 'worker' and 'chief' in spec:
        self._id += 1
    self.is_chief = self._id == 0

  @property
  def replicas(self) -> range:
    """Numbers of this worker's replicas."""
    per_worker = self._strategy.num_replicas_in_sync // self._count
    return range(self._id * per_worker, (self._id + 1) * per_worker)

  def any(self, flag: object) -> bool:
    """Whether a flag is set on any worker."""
    if self._is_alone:
      return bool(flag)
    return float(self._sum(tf.constant(float(bool(flag))))) > 0

  def of_chief(
    self, compute: Callable[[], dict[str, float]], names: Sequence[str]
  ) -> dict[str, float]:
    """Computes named numbers on the chief, for all workers."""
    if self._is_alone:
      return compute()
    values = compute() if self.is_chief else dict.fromkeys(names, 0.0)
    vector = tf.constant([values[name] for name in names], tf.float64)
    return dict(zip(names, self._sum(vector).numpy().tolist()))

  def share(self, variables: Sequence[tf.Variable]) -> None:
    """Gives all workers the chief's values of variables."""
    if self._is_alone:
      return
    for dtype in (tf.float32, tf.float64, tf.int64):
      of_type = [v for v in variables if v.dtype == dtype]
      if not of_type:
        continue
      flat = tf.concat([tf.reshape(v.read_value(), [-1]) for v in of_type], 0)
      flat = self._sum(flat if self.is_chief else tf.zeros_like(flat))
      sizes = [v.shape.num_elements() for v in of_type]
      for variable, values in zip(of_type, tf.split(flat, sizes)):
        variable.assign(tf.reshape(values, variable.shape))

  @tf.function(reduce_retracing=True)
  def _sum(self, x):

    def on_replica():
      context = tf.distribute.get_replica_context()
      first = tf.equal(context.replica_id_in_sync_group, self.replicas[0])
      mine = tf.where(first, x, tf.zeros_like(x))
      return context.all_reduce(tf.distribute.ReduceOp.SUM, mine)

    total = self._strategy.run(on_replica)
    return self._strategy.experimental_local_results(total)[0]

  @contextlib.contextmanager
  def explained(self) -> Iterator[None]:
    """Turns the loss of a peer into a `ValueError`."""
    try:
      yield
    except tf.errors.OpError as error:
      if self._is_alone:
        raise
      raise ValueError(
        f'worker {self._id} lost the connection to other workers ('
        f'{console.brief(error)}). Start the same command on all workers '
        'again: it resumes from the last checkpoint.'
      ) from error
