"""The same steps on one replica, two replicas and two workers."""

import concurrent.futures as futures
import contextlib
import functools
import json
import shutil
import signal
import socket
import threading
import types

import commands
import numpy as np
import pytest
import tensorflow as tf
import toys

from training import processes, steps
from vlae_tf.training import strategies

# A floor that is passed within the first steps, and a norm that clips.
CHANGES = (
  ('free_bits', 0.03),
  ('gradient_clip_norm', 20.0),
  ('prior', 'gaussian'),
  ('encoder_widths', '4'),
)


@pytest.fixture(scope='module')
def one_replica(tmp_path_factory):
  folder = tmp_path_factory.mktemp('one')
  return _record(folder, 'one_device', 1)


def _record(folder, strategy, cpus):
  path = folder / 'steps.npz'
  args = (path, folder / 'run', strategy, cpus, 10, CHANGES)
  result = processes.Running((steps.record, args), folder / 'log').finish()
  assert result.status == 0, result.stderr
  return np.load(path)


def _cluster(folder, target, count=2):
  """Starts workers on free ports of this machine."""
  ports = []
  for _ in range(count):
    with socket.socket() as s:
      s.bind(('localhost', 0))
      ports.append(s.getsockname()[1])
  cluster = {'worker': [f'localhost:{port}' for port in ports]}
  workers = []
  for i in range(count):
    task = {'cluster': cluster, 'task': {'type': 'worker', 'index': i}}
    environment = {'TF_CONFIG': json.dumps(task)}
    workers.append(target(i, folder / f'worker{i}', environment))
  return workers


def assert_same_steps(a, b):
  np.testing.assert_allclose(a['metrics'], b['metrics'], rtol=1e-5, atol=1e-5)
  weights = [name for name in a.files if name.startswith(('model', 'av'))]
  assert len(weights) > 40
  for name in weights:
    np.testing.assert_allclose(a[name], b[name], rtol=1e-4, atol=1e-5)


def test_floor_and_clipping_are_at_work(one_replica):
  loss, elbo, rate, norm, skipped = one_replica['metrics'].T
  floor = 0.03 * 64
  assert (rate < floor).any() and (rate > floor).any()
  np.testing.assert_allclose(
    loss + elbo, np.maximum(floor - rate, 0), atol=1e-3
  )
  assert (norm > 20.0).any()
  assert not skipped.any()


def test_two_replicas_take_the_steps_of_one(one_replica, tmp_path):
  assert_same_steps(one_replica, _record(tmp_path, 'mirrored', 2))


@pytest.mark.exhaustive('two workers')
def test_two_workers_take_the_steps_of_one(one_replica, tmp_path):
  def start(i, folder, environment):
    path = tmp_path / f'{i}.npz'
    args = (path, tmp_path / 'run', 'multi_worker', 1, 10, CHANGES)
    return processes.Running((steps.record, args), folder, environment)

  for worker in _cluster(tmp_path, start):
    result = worker.finish()
    assert result.status == 0, result.stderr
  results = [np.load(tmp_path / f'{i}.npz') for i in range(2)]
  assert_same_steps(one_replica, results[0])
  for name in results[0].files:
    np.testing.assert_array_equal(results[0][name], results[1][name])


@pytest.mark.exhaustive('workers that are killed')
def test_a_lost_worker_ends_its_peer_and_the_run_resumes(tmp_path):
  flags = [
    *toys.FLAGS,
    '--strategy=multi_worker',
    f'--workdir={tmp_path / "run"}',
    '--checkpoint_every_steps=20',
    '--validate_every_epochs=0',
  ]

  def start(i, folder, environment, last=100_000):
    del i
    args = [*flags, f'--max_steps={last}', '--learning_rate_schedule=constant']
    args.append('--max_epochs=100000')
    return processes.command('train', args, folder, environment)

  chief, other = _cluster(tmp_path, start)
  chief.wait_for((tmp_path / 'run/checkpoints/ckpt-40.index').exists)
  other.process.kill()
  result = chief.finish(120)
  assert result.status not in (0, -signal.SIGABRT), result
  assert 'lost' in result.stderr.splitlines()[-1]
  step = max(
    int(p.stem[5:]) for p in (tmp_path / 'run/checkpoints').glob('*.index')
  )
  again = _cluster(tmp_path, lambda *a: start(*a, last=step + 10))
  for worker in again:
    result = worker.finish()
    assert result.status == 0, result.stderr
    assert f'resumed from step {step}' in result.stdout


@pytest.mark.parametrize(
  'gpus, batch_size, taken',
  [(3, 100, 2), (6, 100, 5), (7, 100, 5), (8, 100, 5), (8, 64, 8), (3, 7, 0)],
)
def test_auto_takes_as_many_gpus_as_divide_the_batch(
  monkeypatch, capsys, gpus, batch_size, taken
):
  devices = [types.SimpleNamespace(name=f'GPU:{i}') for i in range(gpus)]
  monkeypatch.setattr(tf.config, 'list_logical_devices', lambda kind: devices)
  monkeypatch.setattr(tf.distribute, 'MirroredStrategy', lambda names: names)
  made = strategies.create('auto', batch_size)
  said = capsys.readouterr().err
  if taken == gpus:
    assert not said
  else:
    assert f'training on {max(taken, 1)} of {gpus} GPUs' in said
  if taken:
    assert made == [f'GPU:{i}' for i in range(taken)]
  else:
    assert made is tf.distribute.get_strategy()


@pytest.mark.parametrize(
  'batch_size, cores, parts',
  [(100, 1, 1), (100, 2, 2), (100, 3, 2), (100, 64, 4), (9, 2, 1), (7, 8, 1)],
)
def test_parts_are_equal_and_no_more_than_cores(batch_size, cores, parts):
  assert strategies.parts_of(batch_size, cores) == parts


def test_unknown_strategies_are_refused():
  with pytest.raises(ValueError, match='`strategy` must be one of'):
    strategies.create('fast')


@pytest.mark.parametrize('text', ['', '{}', '{"cluster": {}}', ' '])
def test_a_missing_cluster_is_refused_where_it_is_asked_for(
  tmp_path, monkeypatch, text
):
  monkeypatch.setenv('TF_CONFIG', text)
  result = commands.run(
    'train', '--strategy=multi_worker', f'--workdir={tmp_path}/w'
  )
  assert result.status == 1
  assert '`TF_CONFIG` must have a `cluster`' in result.stderr
  # Schedulers set it so for a single process.
  assert strategies.cluster() is None


def _tf_config(cluster=None, kind='worker', index=0):
  cluster = cluster or {'chief': ['a:1'], 'worker': ['b:2', '[::1]:3']}
  task = {'type': kind, 'index': index}
  return json.dumps({'cluster': cluster, 'task': task})


def test_workers_are_numbered_from_the_chief(monkeypatch):
  for kind, index in [('chief', 0), ('worker', 1)]:
    monkeypatch.setenv('TF_CONFIG', _tf_config(kind=kind, index=index))
    found = strategies.cluster()
    assert found.own == f'{kind} {index}'
    assert [*found.addresses] == ['chief 0', 'worker 0', 'worker 1']
    assert [*found.addresses.values()] == ['a:1', 'b:2', '[::1]:3']


@pytest.mark.parametrize(
  'text, words',
  [
    ('{', 'a JSON object'),
    pytest.param('[' * 99_999, 'a JSON object', id='deep'),
    ('[]', 'a JSON object'),
    ('{"cluster": []}', 'lists of HOST:PORT'),
    (_tf_config({'worker': 'a:1'}), 'lists of HOST:PORT'),
    (_tf_config({'worker': ['a']}), 'lists of HOST:PORT'),
    (_tf_config({'worker': [None]}), 'lists of HOST:PORT'),
    (_tf_config({'worker': ['a:99999']}), 'lists of HOST:PORT'),
    (_tf_config({'worker': ['a:1'], 'ps': ['b:2']}), 'without `ps`'),
    (_tf_config({'worker': ['a:1'], 'master': ['b:2']}), 'lists of HOST:PORT'),
    (_tf_config({'chief': ['a:1', 'b:1'], 'worker': ['c:1']}), 'at most one'),
    (_tf_config({'worker': ['a:1', 'a:1']}), 'each once'),
    (_tf_config(kind='evaluator'), "'chief' or 'worker' .* got 'evaluator'"),
    (_tf_config(kind='ps'), "'chief' or 'worker' .* got 'ps'"),
    (_tf_config(kind=['worker']), "'chief' or 'worker' .* got "),
    (
      _tf_config({'worker': ['a:1']}, 'chief'),
      "'chief' or 'worker' .* 'chief'",
    ),
    ('{"cluster": {"worker": ["a:1"]}, "task": 3}', 'got None'),
    (_tf_config(index=-1), r'in \[0, 1\], got -1'),
    (_tf_config(index=2), r'in \[0, 1\], got 2'),
    (_tf_config(index='0'), "an integer, got '0'"),
    (_tf_config(index=True), 'an integer, got True'),
  ],
)
def test_what_is_no_worker_is_refused(monkeypatch, text, words):
  monkeypatch.setenv('TF_CONFIG', text)
  with pytest.raises(ValueError, match=f'TF_CONFIG.* must be .*{words}'):
    strategies.create()


def test_a_worker_that_waits_says_for_whom_and_gives_up(monkeypatch, capsys):
  with socket.socket() as s:
    s.bind(('localhost', 0))
    free = s.getsockname()[1]
  with socket.create_server(('localhost', 0)) as there:
    ports = [free, there.getsockname()[1], 1]
    cluster = {'worker': [f'localhost:{port}' for port in ports]}
    monkeypatch.setenv('TF_CONFIG', _tf_config(cluster))
    monkeypatch.setattr(strategies, '_SECONDS_BEFORE_WARNING', 0)
    words = r'worker 0 waited 0 s for worker 2 \(localhost:1\) of TF_CONFIG'
    with pytest.raises(ValueError, match=words):
      strategies.create(patience=0.1)
    assert 'worker 0 waits for worker 2 (loc' in capsys.readouterr().err
    with pytest.raises(ValueError, match='worker 1 a free port, got localhost'):
      monkeypatch.setenv('TF_CONFIG', _tf_config(cluster, index=1))
      strategies.create(patience=0.1)


class _Threads:
  """Workers of one process that meet in `_sum`."""

  def __init__(self, count):
    self._barrier, self._given = threading.Barrier(count), {}
    self.workers = [strategies.Workers(None) for _ in range(count)]
    for i, worker in enumerate(self.workers):
      worker._is_alone, worker._id, worker.is_chief = False, i, not i
      worker._names = [f'worker {k}' for k in range(count)]
      worker._sum = functools.partial(self._sum, i)
      worker.explained = contextlib.nullcontext

  def _sum(self, i, x):
    self._barrier.wait(10)
    self._given[i] = x
    self._barrier.wait(10)
    assert len({x.shape for x in self._given.values()}) == 1
    return tf.add_n([*self._given.values()])

  def check_same(self, facts):
    """The errors of all workers, or `None`."""

    def check(worker, mine):
      try:
        worker.check_same(lambda: mine)
      except ValueError as error:
        return str(error)

    with futures.ThreadPoolExecutor(len(facts)) as pool:
      return [*pool.map(check, self.workers, facts)]


@pytest.mark.parametrize(
  'change, words',
  [
    (dict(learning_rate=0.1), 'learning_rate is 0.1, not 0.2'),
    (dict(sha256='b' * 90), f"sha256 is '{'b' * 90}', not 'a'"),
    (dict(later=None, learning_rate=0.2000001), 'learning_rate is 0.2000001'),
  ],
)
def test_a_worker_that_differs_is_named_by_all(monkeypatch, change, words):
  monkeypatch.setattr(strategies.Workers, 'replicas', range(1))
  facts = dict(learning_rate=0.2, sha256='a', nested=[1, {'b': None}])
  threads = _Threads(3)
  assert threads.check_same([facts] * 3) == [None] * 3
  for odd in (1, 2):
    given = [facts | change if i == odd else facts for i in range(3)]
    found = threads.check_same(given)
    assert found[0] == found[1] == found[2]
    assert f'worker {odd} differs from worker 0: {words}' in found[0]


@pytest.mark.exhaustive('two workers')
@pytest.mark.parametrize(
  'flag, words',
  [
    ('--learning_rate=0.1', 'learning_rate is 0.1, not'),
    ('--seed=1', 'seed is 1, not 0'),
    ('--latent_size=3', 'latent_size is 3, not'),
    ('--max_steps=3', 'max_steps is 3, not 2'),
    ('--train_on=train+validation', 'sha256 is'),
  ],
)
def test_workers_that_differ_take_no_step(tmp_path, flag, words):
  def start(i, folder, environment):
    args = [*toys.FLAGS, f'--workdir={tmp_path}/run', '--max_steps=2']
    args += [flag] * i
    return processes.command('train', args, folder, environment)

  for worker in _cluster(tmp_path, start):
    result = worker.finish(120)
    assert result.status == 1
    assert 'Traceback' not in result.stderr
    assert words in result.stderr.splitlines()[-1]
  assert not (tmp_path / 'run').exists()


@pytest.mark.exhaustive('two workers')
@pytest.mark.parametrize('command', ['train', 'evaluate'])
def test_a_worker_that_fails_ends_its_peer_in_one_line(
  small_run, tmp_path, command
):
  run = shutil.copytree(small_run, tmp_path / 'run')

  def start(i, folder, environment):
    args = [f'--workdir={run}']
    if command == 'train':  # The chief finds another config.
      args += [*toys.FLAGS, '--dataset=digits', '--seed=9']
    elif i:
      args[0] += '-no-such-run'
    return processes.command(command, args, folder, environment)

  for worker in _cluster(tmp_path, start):
    result = worker.finish(120)
    assert result.status == 1
    assert (
      len(result.stderr.splitlines()) <= 3 and '  File' not in result.stderr
    )


@pytest.mark.exhaustive('two workers')
def test_workers_share_the_images_of_a_score(small_run, tmp_path):
  run = shutil.copytree(small_run, tmp_path / 'run')
  args = [f'--workdir={run}', '--num_samples=2', '--max_images=3', '--quiet']
  assert commands.spawn('evaluate', *args).status == 0
  [path] = (run / 'eval').glob('*.npz')
  alone = dict(np.load(path))
  shutil.rmtree(run / 'eval')

  def start(i, folder, environment):
    return processes.command('evaluate', args, folder, environment)

  results = [w.finish(120) for w in _cluster(tmp_path, start)]
  assert [r.status for r in results] == [0, 0], results
  assert [r.stdout.count('3 images, 2 importance') for r in results] == [1, 0]
  with np.load(path) as found:
    for name in ('log_prob', 'elbo', 'rate', 'distortion'):
      np.testing.assert_allclose(found[name], alone[name], rtol=1e-5)
  score = json.loads(path.with_suffix('.json').read_text())
  assert score['num_images'] == 3
