"""Devices of a run: one, several, or those of several machines; CPU threads.

#### References

[1]: Multi-worker training with Keras.
     https://www.tensorflow.org/tutorials/distribute/multi_worker_with_keras
     (the layout of `TF_CONFIG`)
"""

import contextlib
import hashlib
import json
import os
import re
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from vlae_tf.evaluation import likelihood
from vlae_tf.utils import checks, console, devices, fields, json_files

# More parts make a bigger graph, and smaller operations.
_MOST_PARTS = 4
# Jobs that compute, in the order of their replicas.
_JOBS = ('chief', 'worker')
_ADDRESS = re.compile(r'.+:[1-9]\d{0,4}')
_SECONDS_BEFORE_WARNING = 5.0


def create(
  name: str = 'auto', batch_size: int | None = None, patience: float = 600.0
) -> tf.distribute.Strategy:
  """A strategy by name; workers wait for each other, for `patience` seconds.

  Raises:
    ValueError: The name is unknown, `TF_CONFIG` is wrong or missing, or another
      worker did not start.
  """
  known = tuple(STRATEGIES)
  fields.check('strategy', name, name in known, f'one of {known}')
  found = cluster() if name in ('auto', 'multi_worker') else None
  if found:
    _meet(found, patience)
  elif name == 'multi_worker':
    raise ValueError(
      '`TF_CONFIG` must have a `cluster` for --strategy=multi_worker, got '
      f'{os.environ.get("TF_CONFIG", "")!r}.'
    )
  devices.configure()  # Listing logical devices initialises them.
  if found:
    with _explained(found.own):
      return STRATEGIES['multi_worker'](batch_size)
  return STRATEGIES[name](batch_size)


class Cluster(NamedTuple):
  """Workers of a cluster, and the one that this process is."""

  addresses: dict[str, str]  # HOST:PORT of 'chief 0', 'worker 0', 'worker 1'.
  own: str


def cluster() -> Cluster | None:
  """The cluster of `TF_CONFIG` [1]; `None` without one."""
  text = os.environ.get('TF_CONFIG', '').strip()
  try:
    config = json_files.parse(text or '{}')
  except ValueError as error:
    raise ValueError(
      f'`TF_CONFIG` must be a JSON object, got {text[:200]!r}: {error}'
    ) from error
  jobs, task = config.get('cluster'), config.get('task')
  if jobs is None or jobs == {}:
    return None  # Schedulers set `{}` for a single process.
  fields.check(
    "TF_CONFIG['cluster']",
    jobs,
    _are_jobs(jobs),
    'lists of HOST:PORT of `worker` and of at most one `chief`, without `ps` '
    'or other jobs',
  )
  kind = task.get('type') if isinstance(task, dict) else None
  fields.check(
    "TF_CONFIG['task']['type']",
    kind,
    kind in _JOBS and kind in jobs,
    "'chief' or 'worker' and in the cluster (--strategy=one_device ignores "
    'TF_CONFIG)',
  )
  last = len(jobs[kind]) - 1
  index = checks.integer(
    "TF_CONFIG['task']['index']", task.get('index'), 0, last
  )
  addresses = _by_name(jobs)
  checks.distinct("TF_CONFIG['cluster']", [*addresses.values()])
  return Cluster(addresses, f'{kind} {index}')


def _are_jobs(jobs):
  return (
    isinstance(jobs, dict)
    # An evaluator takes no part, but may be listed.
    and jobs.keys() <= {*_JOBS, 'evaluator'}
    and all(isinstance(of, list) and of for of in jobs.values())
    and all(_is_address(a) for of in jobs.values() for a in of)
    and len(jobs.get('chief', ())) <= 1
  )


def _is_address(address):
  fits = isinstance(address, str) and _ADDRESS.fullmatch(address)
  return bool(fits) and _host_and_port(address)[1] < 2**16


def _host_and_port(address):
  host, _, port = address.rpartition(':')
  return host.strip('[]'), int(port)


def _by_name(jobs):
  """Addresses of the workers by name, in the order of their replicas."""
  of = [(job, k, a) for job in _JOBS for k, a in enumerate(jobs.get(job, ()))]
  return {f'{job} {k}': address for job, k, address in of}


def _meet(found, patience):
  """Waits until all workers listen, for which TensorFlow waits for ever."""
  others = {n: a for n, a in found.addresses.items() if n != found.own}
  start, warned = time.monotonic(), False
  with _listening(found):
    while others := {n: a for n, a in others.items() if not _answers(a)}:
      waited = time.monotonic() - start
      names = ', '.join(f'{name} ({a})' for name, a in others.items())
      if waited > patience:
        raise ValueError(
          f'{found.own} waited {patience:.0f} s for {names} of TF_CONFIG. '
          'Start all workers, or unset TF_CONFIG to compute without them.'
        )
      if waited > _SECONDS_BEFORE_WARNING and not warned:
        console.warn(f'{found.own} waits for {names}, as TF_CONFIG says')
        warned = True
      time.sleep(0.2)


def _listening(found):
  """A socket at the port of this process, for the others to find."""
  address = found.addresses[found.own]
  dual = socket.has_dualstack_ipv6()
  try:
    return socket.create_server(
      ('', _host_and_port(address)[1]),
      family=socket.AF_INET6 if dual else socket.AF_INET,
      dualstack_ipv6=dual,
    )
  except OSError as error:
    raise ValueError(
      f'TF_CONFIG must give {found.own} a free port, got {address}: '
      f'{error.strerror}.'
    ) from error


def _answers(address):
  try:
    with socket.create_connection(_host_and_port(address), 1.0) as found:
      # A free port of this machine may be connected to itself.
      return found.getsockname() != found.getpeername()
  except (OSError, UnicodeError):
    return False


def is_one_cpu(name: str) -> bool:
  """Whether a strategy, not created yet, will compute on one CPU device."""
  if name == 'auto' and cluster():
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


STRATEGIES = {
  'auto': _auto,
  'one_device': lambda _: tf.distribute.get_strategy(),
  'mirrored': lambda _: _mirrored(),
  'multi_worker': lambda _: tf.distribute.MultiWorkerMirroredStrategy(),
}


class Workers:
  """Agreement between the workers of a run, by sums over all of them."""

  # All workers run the same loop, so whatever controls it (the clock, a signal,
  # a validation score) must have the same value on all of them.

  def __init__(self, strategy: tf.distribute.Strategy):
    self._strategy = strategy
    self._id, self._names = 0, ['worker 0']
    self._is_alone = not isinstance(
      strategy, tf.distribute.MultiWorkerMirroredStrategy
    )
    if not self._is_alone:
      resolver = strategy.cluster_resolver
      spec = resolver.cluster_spec().as_dict()
      self._names = [*_by_name(spec)]
      own = f'{resolver.task_type} {resolver.task_id}'
      self._id = self._names.index(own)
    self.is_chief = self._id == 0

  @property
  def replicas(self) -> range:
    """Numbers of this worker's replicas."""
    per_worker = self._strategy.num_replicas_in_sync // len(self._names)
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

  def check_same(self, compute: Callable[[], dict[str, Any]]) -> None:
    """Checks that named facts, as JSON, are the same on all workers.

    Raises:
      ValueError: They are not, on every worker; it names the first that differs
        from the chief, and the facts.
    """
    if self._is_alone:
      return
    facts = compute() | {'devices': len(self.replicas)}
    text = json.dumps(facts, sort_keys=True).encode()
    digest = np.frombuffer(hashlib.sha256(text).digest(), np.uint8)
    with self.explained():
      found = self._gathered([*digest, len(text)])
      if (found == found[0]).all():
        return
      rows = self._gathered(np.frombuffer(text.ljust(found[:, -1].max()), 'u1'))
    chiefs, *others = (json.loads(bytes(row.astype('u1'))) for row in rows)
    for name, theirs in zip(self._names[1:], others):
      differ = [
        f'{key} is {theirs.get(key)!r}, not {chiefs.get(key)!r}'
        for key in sorted(theirs.keys() | chiefs.keys())
        if theirs.get(key) != chiefs.get(key)
      ]
      if differ:
        raise ValueError(
          f'all workers must be started alike, but {name} differs from '
          f'{self._names[0]}: {"; ".join(differ)}.'
        )

  def _gathered(self, row):
    """Integers of all workers, `[workers, num]`, from each worker's `[num]`."""
    rows = np.zeros([len(self._names), len(row)], np.int64)
    rows[self._id] = row
    return self._sum(tf.constant(rows)).numpy()

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

  def explained(self) -> contextlib.AbstractContextManager[None]:
    """Turns the loss of a peer into a `ValueError`."""
    if self._is_alone:
      return contextlib.nullcontext()
    return _explained(self._names[self._id])


@contextlib.contextmanager
def _explained(name):
  try:
    yield
  except tf.errors.OpError as error:
    raise ValueError(
      f'{name} lost the connection to other workers ({console.brief(error)}). '
      'Their messages say why. Start the same command on all workers again: it '
      'resumes from the last checkpoint.'
    ) from error
