"""`anomaly` and `probe`, on a small run on labelled digits."""

import json
import shutil

import commands
import numpy as np
import pytest
from scipy import stats

from vlae_tf import data
from vlae_tf.evaluation import likelihood
from vlae_tf.runs import loading, records

pytestmark = pytest.mark.usefixtures('all_eagerly')


@pytest.fixture(scope='module')
def run(trained_run):
  return trained_run('digits')


@pytest.fixture(scope='module')
def background(trained_run):
  run = trained_run('digits_background')
  return shutil.copytree(run, run.parent / 'background')


@pytest.fixture(scope='module')
def noise(run):
  """Images of nothing, of the size of the digits."""
  path = run.parent / 'noise.npz'
  rng = np.random.default_rng(0)
  np.savez(path, rng.integers(0, 2, (200, 28, 28)).astype(bool))
  return path


def _fails(result, *words):
  assert result.status == 1
  (line,) = result.stderr.strip().splitlines()
  for word in words:
    assert word in line, line


def test_anomaly_prints_and_writes_the_same_figures(
  run, background, noise, tmp_path
):
  run = shutil.copytree(run, tmp_path / 'run')
  args = (
    f'--workdir={run}',
    f'--against={noise}',
    f'--background={background}',
    '--num_samples=2',
    '--max_images=15',
    f'--out={tmp_path}/scores.npz',
  )
  result = commands.run('anomaly', *args)
  assert result.status == 0 and 'WARN' not in result.stderr.upper()
  name = 'anomaly_noise_15_and_15_images_2_codes_over_background.json'
  path = run / 'eval' / name
  written = json.loads(path.read_text())
  assert written['dataset'] == 'digits' and written['against'] == 'noise'
  lines = result.stdout.splitlines()
  assert lines[0] == 'run, step 4 (last)'
  assert lines[-2:] == [f'wrote {tmp_path}/scores.npz', f'wrote {path}']
  for score in written['scores'].values():
    assert f'{score["auroc"]:.4f} +- {score["auroc_stderr"]:.4f}' in (
      result.stdout
    )
  with np.load(tmp_path / 'scores.npz') as found:
    nll, other = found['nll'], found['is_other']
    assert json.loads(str(found['metadata']))['num_others'] == 15
    assert found['ratio'].shape == (30,)
  wins = stats.mannwhitneyu(nll[other], nll[~other]).statistic
  assert written['scores']['nll']['auroc'] == pytest.approx(wins / 15**2)
  restored = loading.restore(run)
  images = data.load('digits').test[:15]
  exact = likelihood.Evaluator(restored.model, 2)(images).log_prob
  bits = -exact / np.log(2) / 28**2
  np.testing.assert_allclose(nll[:15], bits, rtol=1e-5)
  # Nor is it taken for a score of `evaluate`.
  assert records.read_scores(run / 'eval') == []
  _fails(commands.run('anomaly', *args), '--out must be a new file')


def test_anomaly_says_what_it_cannot_compare(run, noise, small_run, tmp_path):
  run = shutil.copytree(run, tmp_path / 'run')
  for args, words in (
    ([], ['--against must be given']),
    (['--against=omniglott'], ['--against must', "mean 'omniglot'"]),
    (
      [f'--against={small_run.parent}/mine.npz'],
      ['--against must be of the shape', '(28, 28, 1), got (6, 7, 1)'],
    ),
    (
      [f'--against={noise}', f'--background={small_run}'],
      ['--background must', '(28, 28, 1), got one of (6, 7, 1)'],
    ),
    (
      [f'--against={noise}', f'--background={tmp_path}/no'],
      ['--background must be the directory of a run'],
    ),
    ([f'--against={noise}', '--out=a.png'], ['--out must end in .npz']),
  ):
    _fails(commands.run('anomaly', f'--workdir={run}', *args), *words)
  assert not (run / 'eval').exists()


def test_probe_prints_and_writes_the_same_figures(run, tmp_path):
  run = shutil.copytree(run, tmp_path / 'run')
  other = shutil.copytree(run, tmp_path / 'other')
  args = ('--num_labels=20,all', '--repeats=2', '--max_images=200')
  args = (f'--workdir={run}', f'--baseline={other}', *args, '--features=mean')
  result = commands.run('probe', *args)
  assert result.status == 0 and 'WARN' not in result.stderr.upper()
  path = run / 'eval/probe_200_images_20_200_labels_2_draws_beside_other.json'
  written = json.loads(path.read_text())
  lines = result.stdout.splitlines()
  assert lines[0] == 'run, step 4 (last)'
  assert lines[1] == '200 training and 200 test images of digits, 10 digits'
  assert lines[-1] == f'wrote {path}'
  names = ['code, mean', 'baseline code, mean', 'raw pixels']
  rows = written['rows']
  assert [r['features'] for r in rows[:4]] == [*names, 'code, mean, shuffled']
  # The baseline is a copy of the run.
  assert rows[0]['accuracies'] == rows[1]['accuracies']
  for row in [*rows, *written['of_few']]:
    (line,) = [
      line
      for line in lines
      if line.startswith(f'{row["classifier"]}: {row["features"]}  ')
      and f'{100 * np.mean(list(row["accuracies"].values())[-1]):.2f}' in line
    ] or ['none']
    assert line != 'none', row
  assert len(written['of_few']) == 3 * 3
  again = commands.run('probe', *args, f'--out={tmp_path}/a.json')
  assert again.stdout.splitlines()[:-1] == lines[:-1]
  assert json.loads((tmp_path / 'a.json').read_text()) == written
  again = commands.run('probe', *args, f'--out={tmp_path}/a.json')
  _fails(again, '--out must be a new file')


def test_probe_says_what_it_cannot_ask(run, background, small_run, tmp_path):
  run = shutil.copytree(run, tmp_path / 'run')
  for args, words in (
    ([f'--workdir={small_run}'], ['with labels', 'got mine, which has none']),
    ([f'--workdir={background}'], ['--workdir must be a model with latents']),
    (
      [f'--baseline={background}'],
      ['--baseline must be a model with latents'],
    ),
    (
      [f'--baseline={small_run}'],
      ['--baseline must be a run on the same images, those of digits, got'],
    ),
    (['--num_labels=10,x'], ["--num_labels must be integers or 'all'"]),
    (['--num_labels=9'], ['--num_labels must be in [10, 1297], got 9']),
    (['--num_labels=all,1297'], ['each once, got [1297, 1297]']),
    (['--features=z'], ['--features must be one of mean, eps, both']),
    (['--out=a.npz'], ['--out must end in .json']),
  ):
    result = commands.run('probe', f'--workdir={run}', *args)
    _fails(result, *words)
  assert not (run / 'eval').exists()
  assert not (small_run / 'eval').exists()
