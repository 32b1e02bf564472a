"""The same steps on one replica, two replicas and two workers."""

import json
import signal
import socket
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


def test_a_missing_cluster_is_refused(tmp_path):
  result = commands.run(
    'train', '--strategy=multi_worker', f'--workdir={tmp_path}/w'
  )
  assert result.status == 1
  assert '`TF_CONFIG` must be JSON' in result.stderr
