"""A run that was killed ends where an uninterrupted one ends, to the bit."""

import json
import random
import shutil
import signal
import time

import numpy as np
import pytest
import tensorflow as tf
import toys

from training import processes
from vlae_tf.runs import records
from vlae_tf.training import step as train_step
from vlae_tf.training import trainer as trainer_lib

STEPS = 300
EVERY = 20
kills = pytest.mark.exhaustive('processes of 300 steps')


@pytest.fixture(scope='module')
def images(tmp_path_factory):
  path = tmp_path_factory.mktemp('data') / 'tiny.npz'
  data = toys.image_data()
  np.savez(path, train=data.train, validation=data.validation, test=data.test)
  return path


@pytest.fixture(scope='module')
def flags(images):
  return [
    *toys.FLAGS,
    f'--dataset={images}',
    f'--max_steps={STEPS}',
    f'--checkpoint_every_steps={EVERY}',
    '--validate_every_epochs=7',  # 42 steps, a period of its own.
    '--learning_rate_schedule=plateau',
    '--plateau_patience=1',
    '--early_stopping_patience=50',
    '--objective=soft_free_bits',
    '--keep=3',
  ]


def _start(flags, folder, *more):
  args = [*flags, f'--workdir={folder / "run"}', *more]
  return processes.command('train', args, folder / f'log{time.monotonic_ns()}')


def _state(folder, step=STEPS):
  path = str(folder / 'run/checkpoints' / f'ckpt-{step}')
  reader = tf.train.load_checkpoint(path)
  names = reader.get_variable_to_shape_map()
  return {n: reader.get_tensor(n) for n in names if '/' in n}


def _last_step(folder):
  files = (folder / 'run/checkpoints').glob('ckpt-*.index')
  return max((int(p.stem[5:]) for p in files), default=0)


def assert_same_state(a, b):
  assert a.keys() == b.keys()
  assert {name.split('/')[0] for name in a} == {
    'averages',
    'model',
    'optimizer',
    'state',
  }
  for name in a:
    np.testing.assert_array_equal(a[name], b[name], err_msg=name)


@pytest.fixture(scope='module')
def uninterrupted(flags, tmp_path_factory):
  folder = tmp_path_factory.mktemp('uninterrupted')
  result = _start(flags, folder).finish()
  assert result.status == 0, result
  assert f'max_steps at step {STEPS}' in result.stdout
  return folder


@kills
def test_kills_and_damage_change_nothing(flags, uninterrupted, tmp_path):
  """Two SIGKILLs, a SIGTERM and a truncated checkpoint, then the end."""
  rng = random.Random(0)
  for _ in range(2):
    first = _last_step(tmp_path) + EVERY
    run = _start(flags, tmp_path)
    run.wait_for(lambda first=first: _last_step(tmp_path) >= first)
    time.sleep(rng.random() * 0.2)
    run.process.kill()
    run.process.join()
  _check_sigterm(flags, tmp_path)
  good = _truncate_newest(tmp_path)
  result = _start(flags, tmp_path).finish()
  assert result.status == 0, result
  assert f'resumed from step {good}' in result.stdout
  assert 'warning: passed over a broken checkpoint' in result.stderr
  assert_same_state(_state(uninterrupted), _state(tmp_path))
  steps = [_train_steps(folder) for folder in (uninterrupted, tmp_path)]
  assert steps[0] == sorted(set(steps[0]))
  assert set(steps[0]) <= set(steps[1])
  assert steps[1] == sorted(set(steps[1]))


def _check_sigterm(flags, folder):
  before = _last_step(folder)
  run = _start(flags, folder, '--steps_per_call=1')
  run.wait_for(lambda: f'/{STEPS} ' in run.output()[1])
  run.process.terminate()
  result = run.finish()
  assert result.status == 128 + signal.SIGTERM, result
  step = _last_step(folder)
  assert before < step < STEPS
  assert f'resumed from step {before}' in result.stdout
  assert f'SIGTERM at step {step}' in result.stdout.splitlines()[-1]


def _truncate_newest(folder):
  """Breaks the newest checkpoint; the step of the one before it."""
  newest = _last_step(folder)
  path = folder / f'run/checkpoints/ckpt-{newest}.data-00000-of-00001'
  path.write_bytes(path.read_bytes()[:-1000])
  indices = (folder / 'run/checkpoints').glob('ckpt-*.index')
  return sorted(int(p.stem[5:]) for p in indices)[-2]


def _metrics(folder):
  lines = (folder / 'run/metrics.jsonl').read_text(encoding='utf-8')
  return [json.loads(line) for line in lines.splitlines()]


def _train_steps(folder):
  return [r['step'] for r in _metrics(folder) if r['split'] == 'train']


@kills
def test_last_and_best_are_kept(uninterrupted):
  run = uninterrupted / 'run'
  kept = sorted(p.name for p in (run / 'checkpoints').glob('*.index'))
  assert kept == [f'ckpt-{s}.index' for s in (260, 280, 300)]
  validations = [
    r for r in _metrics(uninterrupted) if r['split'] == 'validation'
  ]
  best = max(validations, key=lambda r: r['elbo'])['step']
  assert [p.name for p in (run / 'best').glob('*.index')] == [
    f'ckpt-{best}.index'
  ]


def test_configs_of_earlier_versions_are_read(small_run, tmp_path):
  fields = json.loads((small_run / 'config.json').read_text(encoding='utf-8'))
  for name in ('objective', 'precision', 'beta', 'kl_warmup_steps'):
    del fields[name]
  (tmp_path / 'config.json').write_text(json.dumps(fields), encoding='utf-8')
  config = records.read_config(tmp_path)
  assert (config.objective, config.precision) == ('free_bits', 'float32')


@pytest.mark.usefixtures('eagerly')
def test_a_run_that_lost_a_checkpoint_ends_at_the_same_bits(tmp_path, capsys):
  """The newest checkpoint is damaged: the one before it is gone on from."""

  def trainer(folder):
    changes = dict(
      batch_size=24,
      validate_every_epochs=1,
      learning_rate_schedule='plateau',
      plateau_patience=1,
      objective='soft_free_bits',
    )
    return trainer_lib.Trainer(
      toys.small_config(**toys.SMALLEST | changes),
      toys.image_data(),
      folder / 'run',
      limits=trainer_lib.Limits(max_steps=4, checkpoint_every_steps=1),
      execution=train_step.Execution(xla='none'),
    )

  trainer(tmp_path / 'a').run()
  shutil.copytree(tmp_path / 'a', tmp_path / 'b')
  good = _truncate_newest(tmp_path / 'b')
  again = trainer(tmp_path / 'b')
  assert again.resumed_from == good == 3
  assert 'passed over a broken checkpoint' in capsys.readouterr().err
  again.run()
  a, b = (_state(tmp_path / name, 4) for name in 'ab')
  assert_same_state(a, b)
