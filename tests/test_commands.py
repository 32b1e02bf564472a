"""Every command on real data, and what it says of bad input."""

import json
import os

import commands
import numpy as np
import pytest
from PIL import Image

SMALL = (
  '--dataset=digits',
  '--latent_size=8',
  '--encoder_widths=4,8',
  '--encoder_units=16',
  '--flow_steps=2',
  '--flow_units=32',
  '--decoder_units=4',
  '--decoder_depth=3',
)


@pytest.fixture(scope='module')
def workdir(tmp_path_factory):
  """A run on digits, one epoch long."""
  path = tmp_path_factory.mktemp('run')
  result = commands.run('train', *SMALL, '--max_epochs=1', f'--workdir={path}')
  assert result.status == 0, result.stderr
  return path


def files(path):
  """All files below a path, with their bytes."""
  return {p: p.read_bytes() for p in sorted(path.rglob('*')) if p.is_file()}


def assert_fails(result, *words):
  """One line on stderr, with these words; no traceback; not zero."""
  assert result.status not in (0, None)
  lines = result.stderr.strip().splitlines()
  assert len(lines) == 1, result.stderr
  for word in words:
    assert word in lines[0]


def test_train_writes_its_run(workdir):
  config = json.loads((workdir / 'config.json').read_text())
  assert config['dataset'] == 'digits'
  assert config['latent_size'] == 8
  assert (workdir / 'checkpoints').is_dir()
  assert list((workdir / 'logs').glob('events*'))


def test_the_help_of_train_names_the_presets():
  shown = commands.run('train', '--help').stdout
  assert '--preset: <caltech101|dynamic_mnist' in shown


def test_train_resumes_by_the_same_command(tmp_path):
  command = ('train', *SMALL, '--max_epochs=1', f'--workdir={tmp_path}')
  first = commands.run(*command, '--max_steps=5')
  assert 'max_steps at step 5' in first.stdout
  second = commands.run(*command)
  assert second.status == 0, second.stderr
  assert 'resumed from step 5' in second.stdout
  assert 'finished at step 13' in second.stdout


def test_train_ends_a_preset_by_the_clock(tmp_path):
  result = commands.run(
    'train',
    '--preset=quickstart',
    *SMALL,
    f'--workdir={tmp_path}',
    '--max_minutes=0',
  )
  assert result.status == 0, result.stderr
  assert 'max_minutes at step 0' in result.stdout
  assert json.loads((tmp_path / 'config.json').read_text())['max_epochs'] == 30


def test_train_refuses_a_directory_of_another_config(workdir):
  before = files(workdir)
  result = commands.run(
    'train', *SMALL, '--max_epochs=1', '--seed=7', f'--workdir={workdir}'
  )
  assert_fails(result, 'seed: 0 there, 7 here', str(workdir))
  assert files(workdir) == before


def test_train_on_own_images(tmp_path):
  images = np.random.default_rng(0).integers(0, 2, (40, 6, 7)).astype(bool)
  np.savez(tmp_path / 'mine.npz', train=images)
  result = commands.run(
    'train',
    f'--dataset={tmp_path}/mine.npz',
    *SMALL[1:],
    '--batch_size=10',
    '--max_steps=3',
    f'--workdir={tmp_path}/run',
  )
  assert result.status == 0, result.stderr
  sampled = commands.run(
    'sample', f'--workdir={tmp_path}/run', '--num=4', f'--out={tmp_path}/a.png'
  )
  assert sampled.status == 0, sampled.stderr


def test_evaluate_prints_and_writes_the_same_figures(workdir):
  command = ('evaluate', f'--workdir={workdir}', '--num_samples=8')
  result = commands.run(*command, '--max_images=20')
  assert result.status == 0, result.stderr
  written = json.loads((workdir / 'eval' / 'test.json').read_text())
  assert written['num_images'] == 20
  assert written['num_samples'] == 8
  assert written['step'] == 13
  for key in ('nll', 'elbo', 'rate', 'distortion', 'rate_bits'):
    assert f'{written[key]:.4f}' in result.stdout
  assert written['elbo'] < 0 < written['nll_stderr']
  again = commands.run(*command, '--max_images=20')
  assert again.stdout == result.stdout


@pytest.mark.parametrize('mode', ['prior', 'decompress', 'complete'])
def test_sample_writes_the_same_picture_for_a_seed(workdir, tmp_path, mode):
  pictures = []
  for seed in (0, 0, 1):
    out = tmp_path / f'{len(pictures)}.png'
    result = commands.run(
      'sample',
      f'--workdir={workdir}',
      f'--mode={mode}',
      '--num=4',
      f'--seed={seed}',
      f'--out={out}',
    )
    assert result.status == 0, result.stderr
    pictures.append(np.asarray(Image.open(out)))
  np.testing.assert_array_equal(pictures[0], pictures[1])
  assert (pictures[0] != pictures[2]).any()


BAD_FLAGS = [
  ('train', ['--dataset=nothing'], ['nothing', 'digits']),
  ('train', ['--dataset=/no/such.npz'], ['/no/such.npz']),
  ('train', ['--latent_size=-1'], ['latent_size']),
  ('train', ['--latent_size=x'], ['latent_size']),
  ('train', ['--learning_rate=nan'], ['learning_rate', 'nan']),
  ('train', ['--encoder_widths=4,x'], ['encoder_widths']),
  ('train', ['--flow_units=3'], ['flow_units', 'latent_size']),
  ('train', ['--decoder=nothing'], ['decoder', 'pixelcnn']),
  ('train', ['--no_such_flag=1'], ['no_such_flag']),
  ('train', ['--flagfile=/no/such'], ['/no/such']),
  ('train', ['--preset=omniglod'], ['preset', "'omniglot'"]),
  ('train', ['--nodecoder_tied=1'], ['nodecoder_tied']),
  ('train', ['extra'], ['extra']),
  ('train', ['--workdir=/proc/nothing'], ['/proc/nothing']),
  ('evaluate', [], ['workdir']),
  ('evaluate', ['--preset=final', '--workdir=/no'], ["'preset'"]),
  ('evaluate', ['--workdir=/no/such'], ['/no/such', 'vlae_tf.train']),
  ('evaluate', ['--num_samples=0', '--workdir=/no'], ['num_samples']),
  ('sample', ['--workdir=/no/such'], ['out']),
  ('sample', ['--workdir=/no/such', '--out=a.png'], ['/no/such']),
]


@pytest.mark.parametrize('command, args, words', BAD_FLAGS)
def test_bad_flags_get_one_line(command, args, words):
  assert_fails(commands.run(command, *args), *words)


def test_sample_refuses_paths_it_cannot_write(workdir, tmp_path):
  for out, word in [('a.jpg', '.png'), ('/proc/a/b.png', '/proc/a/b.png')]:
    result = commands.run('sample', f'--workdir={workdir}', f'--out={out}')
    assert_fails(result, word)


def test_a_run_without_checkpoint_is_named(tmp_path, workdir):
  for name in ('config.json', 'data.json'):
    os.link(workdir / name, tmp_path / name)
  result = commands.run('evaluate', f'--workdir={tmp_path}')
  assert_fails(result, 'checkpoint', str(tmp_path))


def test_a_damaged_config_is_named(tmp_path):
  (tmp_path / 'config.json').write_text('{"dataset": 3}')
  result = commands.run('evaluate', f'--workdir={tmp_path}')
  assert_fails(result, 'config.json', 'dataset')
