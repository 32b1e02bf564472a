"""`reproduce` goes the whole way, goes on where it was killed, then rests."""

import json
import shutil
import signal

import commands
import pytest
from PIL import Image
from training import processes as training_processes

from vlae_tf.reproduction import records, runner


def _in_process(args, log, tell):
  """In place of `processes.run`: without a start of Python and TensorFlow."""
  del tell
  module, *flags = args
  result = commands.run(module.removeprefix('vlae_tf.'), *flags)
  log.parent.mkdir(parents=True, exist_ok=True)
  with open(log, 'a', encoding='utf-8') as file:
    file.write(result.stdout + result.stderr)
  if result.status:
    raise ValueError(result.stderr)


@pytest.fixture(scope='module', autouse=True)
def _one_process():
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(runner.processes, 'run', _in_process)
    yield


@pytest.fixture(scope='module')
def tried(tmp_path_factory):
  """The way of one experiment and a figure."""
  folder = tmp_path_factory.mktemp('tried')
  args = ('--smoke', f'--runs={folder}/runs', f'--out={folder}/out')
  result = commands.run('reproduce', *args, '--experiment=smoke_vlae')
  assert result.status == 0, result.stderr
  lines = result.stdout.splitlines()
  assert lines[0].startswith('smoke_vlae: train, see ')
  assert 'smoke_vlae: at step 26 of 26' in lines
  return folder, args


@pytest.mark.exhaustive('a process that is killed, and its children')
def test_a_killed_one_goes_on(tmp_path):
  args = ('--smoke', f'--runs={tmp_path}/runs', f'--out={tmp_path}/out')
  args += ('--figure=2',)
  first = training_processes.command('reproduce', args, tmp_path / 'it')
  checkpoint = tmp_path / 'runs/smoke_vlae/checkpoints/ckpt-10.index'
  first.wait_for(checkpoint.exists)
  first.wait_for(lambda: first.output()[0].count('train, see') == 2)
  first.process.terminate()
  assert first.finish().status == 128 + signal.SIGTERM
  result = commands.spawn('reproduce', *args)
  assert result.status == 0, result.stderr
  log = (tmp_path / 'runs/smoke_vlae.log').read_text()
  assert log.count('resumed from step 10\n') >= 1
  assert log.count('finished at step 26') == 1
  assert 'Traceback' not in log
  assert 'smoke_vlae: at step 26 of 26' in result.stdout.splitlines()
  with Image.open(tmp_path / 'out/results/figure_2.png') as picture:
    assert (
      'smoke_vlae, step 26 (last): 64 samples' in picture.text['Description']
    )


def test_what_is_told_was_measured(tried):
  folder = tried[0]
  record = records.read(folder / 'out', 'smoke_vlae')
  assert record.finished and record.environment['tensorflow']
  (path,) = (folder / 'runs/smoke_vlae/eval').glob('*.json')
  measured = json.loads(path.read_text())
  assert record.scores == [measured] and measured['num_images'] == 300
  text = (folder / 'out/RESULTS.md').read_text()
  assert f'| {measured["nll"]:.2f} +- {measured["nll_stderr"]:.2f} |' in text
  assert '1 of 6 rows' in text and text.count('not run') == 5


def test_what_is_done_is_not_done_again(tried):
  folder, args, *_ = tried
  before = (folder / 'out/RESULTS.md').read_bytes()
  again = commands.run('reproduce', *args, '--experiment=smoke_vlae')
  assert again.status == 0, again.stderr
  assert ' see ' not in again.stdout
  assert (folder / 'out/RESULTS.md').read_bytes() == before


def test_the_results_come_from_the_records_alone(tried, tmp_path):
  folder = tried[0]
  shutil.copytree(folder / 'out/results', tmp_path / 'results')
  args = ('--render', '--smoke', '--runs=nowhere', f'--out={tmp_path}')
  assert commands.run('reproduce', *args).status == 0
  written = (tmp_path / 'RESULTS.md').read_bytes()
  assert written == (folder / 'out/RESULTS.md').read_bytes()


def test_one_that_fails_keeps_nothing_else_back(tried, tmp_path):
  folder = tried[0]
  for name in ('smoke_vlae', 'smoke_af_vae'):
    shutil.copytree(folder / 'runs/smoke_vlae', tmp_path / 'runs' / name)
  args = ['--smoke', f'--runs={tmp_path}/runs', f'--out={tmp_path}']
  args += [f'--experiment=smoke_{name}' for name in ('af_vae', 'vlae')]
  result = commands.run('reproduce', *args)
  assert result.status == 1
  assert records.read(tmp_path, 'smoke_vlae').finished
  warning, error = result.stderr.strip().splitlines()
  assert warning.startswith('warning: smoke_af_vae failed: ')
  assert "decoder: 'pixelcnn' there, 'factorised' here" in warning
  assert error == 'error: failed: smoke_af_vae'


@pytest.mark.exhaustive('trains two models')
def test_what_another_starts_from_is_trained_first(tmp_path):
  args = ['--smoke', f'--runs={tmp_path}/runs', f'--out={tmp_path}']
  args += ['--experiment=smoke_gaussian_prior']
  result = commands.run('reproduce', *args, '--minutes_per_model=0.01')
  assert result.status == 0, result.stderr
  assert 'waits for smoke_start to be finished' in result.stdout
  assert not (tmp_path / 'runs/smoke_gaussian_prior').exists()
  result = commands.run('reproduce', *args)
  assert result.status == 0, result.stderr
  record = records.read(tmp_path, 'smoke_gaussian_prior')
  assert record.started_from['name'] == 'smoke_start'
  assert record.started_from['about']['steps'] == 13
  assert record.epochs_before == [pytest.approx(0.5, abs=0.05)]
  assert '| 1 + 1 |' in (tmp_path / 'RESULTS.md').read_text()


def test_without_training_nothing_is_trained(tmp_path):
  args = ('--smoke', '--notrain', f'--runs={tmp_path}', f'--out={tmp_path}')
  result = commands.run('reproduce', *args, '--experiment=smoke_vlae')
  assert result.status == 0, result.stderr
  assert f'smoke_vlae: not run, {tmp_path}/smoke_vlae holds' in result.stdout
  assert not (tmp_path / 'smoke_vlae').exists()


@pytest.mark.parametrize(
  'args, words',
  [
    (['--table=mnist'], '--table must be one of static_mnist, '),
    (['--figure=3'], '--figure must be'),
    (['--experiment=omniglott'], "Did you mean 'omniglot'?"),
    (['--smoke'], '--out must be given with --smoke'),
    (
      ['--smoke', '--table=1', '--out=a'],
      '--table static_mnist is not measured',
    ),
    (['--num_samples=1'], '--num_samples must be'),
    (['--max_images=0'], '--max_images must be'),
    (['--minutes_per_model=0'], '--minutes_per_model must be'),
    (['--out=/dev/null/a'], 'Cannot write /dev/null/a'),
  ],
)
def test_it_says_what_it_cannot_do(args, words):
  result = commands.run('reproduce', *args)
  assert result.status == 1
  (line,) = result.stderr.strip().splitlines()
  assert line.startswith('error: ') and words in line, line
