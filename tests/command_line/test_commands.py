"""Every command, on real data and on a small run."""

import json
import os
import shutil

import commands
import numpy as np
import pytest
import toys
from PIL import Image

from vlae_tf.runs import loading, records

pytestmark = pytest.mark.usefixtures('all_eagerly')


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


def test_train_writes_its_run(small_run):
  config = json.loads((small_run / 'config.json').read_text())
  assert config['latent_size'] == toys.SMALLEST['latent_size']
  assert (small_run / 'checkpoints').is_dir()
  assert list((small_run / 'logs').glob('events*'))


def test_train_resumes_and_refuses_another_config(small_run, tmp_path):
  run = _copy(small_run, tmp_path / 'run')
  dataset = json.loads((run / 'config.json').read_text())['dataset']
  args = (*toys.FLAGS, f'--dataset={dataset}', '--batch_size=4')
  args += ('--xla=none', f'--workdir={run}')
  before = files(run)
  other = commands.run('train', *args, '--seed=7')
  assert_fails(other, 'seed: 0 there, 7 here', str(run))
  assert files(run) == before
  result = commands.run('train', *args, '--max_steps=3')
  assert result.status == 0, result.stderr
  assert 'resumed from step 2' in result.stdout
  assert 'max_steps at step 3' in result.stdout


def test_train_ends_a_preset_by_the_clock(tmp_path):
  args = ('--preset=quickstart', *toys.FLAGS, '--xla=none', '--max_minutes=0')
  result = commands.run('train', *args, f'--workdir={tmp_path}')
  assert result.status == 0, result.stderr
  assert 'max_minutes at step 0' in result.stdout
  assert json.loads((tmp_path / 'config.json').read_text())['max_epochs'] == 30


def _copy(run, to, best=False):
  """A run to write into; `best` gives it a best checkpoint."""
  shutil.copytree(run, to)
  if best:
    shutil.copytree(to / 'checkpoints', to / 'best')
  return to


def _evaluate(run, *args, command=commands.run, **options):
  # Progress appears on slow machines only, and would differ between runs.
  args = ('--num_samples=4', '--quiet', *args)
  return command('evaluate', f'--workdir={run}', *args, **options)


def test_evaluate_prints_and_writes_the_same_figures(small_run, tmp_path):
  run = _copy(small_run, tmp_path / 'a_run')
  result = _evaluate(run)
  assert result.status == 0 and result.stderr == ''
  path = run / 'eval' / 'test_4_images_4_codes.json'
  written = json.loads(path.read_text())
  expected = dict(num_images=4, num_samples=4, step=2, checkpoint='last')
  assert {name: written[name] for name in expected} == expected
  for key in ('nll', 'elbo', 'rate', 'distortion', 'rate_bits'):
    assert f'{written[key]:.4f}' in result.stdout
  assert written['elbo'] < 0 < written['nll_stderr']
  first, *_, last = result.stdout.splitlines()
  assert (first, last) == ('a_run, step 2 (last)', f'wrote {path}')
  with np.load(path.with_suffix('.npz')) as images:
    assert -images['log_prob'].mean() == pytest.approx(written['nll'])
  before = path.read_bytes()
  assert _evaluate(run).stdout == result.stdout
  # A quick score of the best checkpoint leaves the full one alone.
  shutil.copytree(run / 'checkpoints', run / 'best')
  quick = _evaluate(run, '--max_images=2', '--seed=1', '--checkpoint=best')
  assert quick.stdout.startswith('a_run, step 2 (best)\n')
  names = {p.name for p in (run / 'eval').iterdir()}
  stems = {path.stem, 'test_2_images_4_codes_seed_1_best'}
  assert names == {f'{s}.{kind}' for s in stems for kind in ('json', 'npz')}
  assert path.read_bytes() == before
  assert max(map(records.fullness, records.read_scores(run / 'eval')))[0] == 4


def test_a_killed_evaluation_goes_on(small_run, tmp_path):
  run = _copy(small_run, tmp_path / 'run')
  _evaluate(run)
  whole = run / 'eval' / 'test_4_images_4_codes.npz'
  with np.load(whole) as file:
    expected = dict(file)
  # Two images are done; their changed values show that they are kept.
  part = {k: v[:2] if v.ndim else v for k, v in expected.items()}
  part['log_prob'] = part['log_prob'] + np.float32(1000)
  np.savez(whole.with_suffix('.part.npz'), **part)
  result = _evaluate(run)
  assert result.status == 0
  assert result.stdout.startswith('2 images were done before\n')
  with np.load(whole) as file:
    found = file['log_prob'] - expected['log_prob']
    np.testing.assert_allclose(found, [1000, 1000, 0, 0], atol=1e-3)
  assert not whole.with_suffix('.part.npz').exists()


def test_a_score_of_more_images_than_it_says_is_refused(small_run, tmp_path):
  run = _copy(small_run, tmp_path / 'run')
  _evaluate(run)
  whole = run / 'eval' / 'test_4_images_4_codes.npz'
  with np.load(whole) as file:
    part = {k: np.append(v, v) if v.ndim else v for k, v in file.items()}
  np.savez(whole.with_suffix('.part.npz'), **part)
  whole.with_suffix('.json').unlink()
  assert_fails(_evaluate(run), 'must be of 4 images', 'of 8', '.part.npz')
  assert not whole.with_suffix('.json').exists()


def test_images_from_all_over_score_as_among_all(small_run, tmp_path):
  run = _copy(small_run, tmp_path / 'run')
  for args in ([], ['--max_images=2', '--spread']):
    result = _evaluate(run, *args)
    assert result.status == 0, result.stderr
  whole, some = (
    run / 'eval' / f'test_{name}.json'
    for name in ('4_images_4_codes', '2_images_4_codes_spread')
  )
  assert json.loads(some.read_text())['spread'] is True
  with np.load(whole.with_suffix('.npz')) as file:
    expected = file['log_prob'][[0, 2]]
  with np.load(some.with_suffix('.npz')) as file:
    np.testing.assert_allclose(file['log_prob'], expected, rtol=1e-6)
  assert max(map(records.fullness, records.read_scores(run / 'eval')))[0] == 4


def test_one_image_has_no_standard_error(small_run, tmp_path):
  run = _copy(small_run, tmp_path / 'run')
  result = _evaluate(run, '--max_images=1')
  assert result.status == 0 and 'nan' not in result.stdout
  score = json.loads((run / 'eval/test_1_images_4_codes.json').read_text())
  assert score['nll_stderr'] is None and score['nll'] > 0


def test_useless_weights_have_no_score(small_run, tmp_path, monkeypatch):
  run = _copy(small_run, tmp_path / 'run')

  def restore(*args, **kwargs):
    found = restored(*args, **kwargs)
    for weight in found.model.trainable_variables:
      weight.assign(weight.value * 1e30)
    return found

  restored = loading.restore
  monkeypatch.setattr(loading, 'restore', restore)
  assert_fails(_evaluate(run), '`model` must give finite', '4 of 4 images')
  assert not list(run.glob('eval/*'))
  monkeypatch.undo()
  assert _evaluate(run).status == 0


@pytest.mark.exhaustive('two processes')
def test_devices_share_the_images(small_run, tmp_path):
  run = _copy(small_run, tmp_path / 'run')
  found = []
  for args in ([], ['--strategy=mirrored']):
    result = _evaluate(
      run,
      '--max_images=3',
      *args,
      command=commands.spawn,
      prepare=_two_devices,
    )
    assert result.status == 0, result.stderr
    with np.load(run / 'eval' / 'test_3_images_4_codes.npz') as file:
      found.append(file['log_prob'])
  np.testing.assert_allclose(*found, rtol=1e-5)


def _two_devices():
  import tensorflow as tf

  cpu = tf.config.list_physical_devices('CPU')[0]
  two = [tf.config.LogicalDeviceConfiguration()] * 2
  tf.config.set_logical_device_configuration(cpu, two)


def test_more_images_than_there_are_is_said(small_run, tmp_path):
  run = _copy(small_run, tmp_path / 'run')
  result = _evaluate(run, '--max_images=100')
  assert result.status == 0
  assert result.stderr == (
    'warning: --max_images=100 is more than the 4 of --split=test: all are '
    'taken\n'
  )


def test_other_images_than_those_of_the_training_are_refused(
  small_run, tmp_path
):
  run = _copy(small_run, tmp_path / 'run')
  config = json.loads((run / 'config.json').read_text())
  (run / 'config.json').write_text(json.dumps(config | {'dataset': 'digits'}))
  result = _evaluate(run)
  assert_fails(result, '`dataset` digits must be the images')


CAPTIONS = [
  ((), '64 samples of the prior'),
  (
    ('--mode=decompress',),
    '4 test images (framed), each with 3 draws from its latent',
  ),
  (
    ('--mode=complete', '--num=1', '--draws=1'),
    '1 test image (framed), each with 1 continuation of its first 21 pixels',
  ),
  (
    ('--mode=interpolate', '--steps=3'),
    '2 pairs of test images (framed), between them draws from 3 latents on '
    'the way from one to the other in eps (along great circles) and below in z '
    '(straight), all with the same pixel noise',
  ),
  (
    ('--mode=traverse', '--steps=3', '--dimensions=3,1', '--space=z'),
    '1 test image (framed), on the right draws from the latent with one '
    'number of z going from -3 to 3 standard deviations, in rows number 3, 1, '
    'all with the same pixel noise',
  ),
]


_MODES = pytest.mark.exhaustive('other modes')


@pytest.mark.parametrize(
  'args, what',
  [*CAPTIONS[:2], *(pytest.param(*c, marks=_MODES) for c in CAPTIONS[2:])],
)
def test_sample_writes_the_same_captioned_picture_for_a_seed(
  small_run, tmp_path, args, what
):
  pictures = []
  for seed in (0, 0, 1):
    out = tmp_path / f'{len(pictures)}.png'
    result = commands.run(
      'sample',
      f'--workdir={small_run}',
      *args,
      f'--seed={seed}',
      f'--out={out}',
    )
    assert result.status == 0, result.stderr
    image = Image.open(out)
    text = f'run, step 2 (last): {what}, seed {seed}'
    assert image.text == {'Description': text}
    assert result.stdout == f'{text}; wrote {out}\n'
    pictures.append(np.asarray(image))
    # The caption is the white strip below.
    assert (pictures[-1][-3:] == 255).all()
  np.testing.assert_array_equal(pictures[0], pictures[1])
  # The images differ, not the caption alone.
  assert (pictures[0] != pictures[2])[:-60].any()


def test_a_run_without_checkpoint_is_named(tmp_path, small_run):
  for name in ('config.json', 'data.json'):
    os.link(small_run / name, tmp_path / name)
  result = commands.run('evaluate', f'--workdir={tmp_path}')
  assert_fails(result, 'checkpoint', str(tmp_path))


def test_a_damaged_config_is_named(tmp_path):
  (tmp_path / 'config.json').write_text('{"dataset": 3}')
  result = commands.run('evaluate', f'--workdir={tmp_path}')
  assert_fails(result, 'config.json', 'dataset')


def test_train_remembers_where_its_images_are(tmp_path, monkeypatch):
  """Also where the environment or the working directory said so."""
  images = np.random.default_rng(0).integers(0, 2, (40, 6, 7)).astype(bool)
  np.savez(tmp_path / 'mine.npz', images)
  monkeypatch.chdir(tmp_path)
  result = commands.run(
    'train',
    *toys.FLAGS,
    '--dataset=mine.npz',
    '--batch_size=4',
    '--max_minutes=0',
    '--xla=none',
    '--workdir=run',
    VLAE_TF_DATA_DIR=str(tmp_path / 'root'),
  )
  assert result.status == 0, result.stderr
  config = json.loads((tmp_path / 'run/config.json').read_text())
  assert config['dataset'] == str(tmp_path / 'mine.npz')
  facts = json.loads((tmp_path / 'run/data.json').read_text())
  assert facts['data_dir'] == str(tmp_path / 'root')
