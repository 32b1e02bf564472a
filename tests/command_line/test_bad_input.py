"""What commands say of bad input: the flag, what it must be, what came."""

import os

import commands
import numpy as np
import pytest
import tensorflow as tf
import toys

from vlae_tf.runs import loading
from vlae_tf.utils import presets

_OUT = '--out=a.png'

_FILES = ['--workdir={run}', '--in=a.vlae', '--out=a.npz']
_PAGE = ['--workdir={run}', '--out=a.html']

# Commands, arguments, and words of the line; {run} is a trained run, {tmp} an
# empty directory but for `file`.
_BAD_FLAGS = [
  (
    'train',
    ['--dataset=omniglott'],
    "--dataset must * Did you mean 'omniglot'",
  ),
  ('train', ['--dataset={tmp}/no/such.npz'], '--dataset must *'),
  ('train', ['--dataset='], '--dataset must not be empty'),
  (
    'train',
    ['--latent_size=-1'],
    '--latent_size must be an integer in the range*',
  ),
  ('train', ['--latent_size=x'], "--latent_size must be an integer * got 'x'"),
  ('train', ['--learning_rate=nan'], '--learning_rate * finite * got nan'),
  ('train', ['--start_from='], '--start_from must not be empty'),
  ('train', ['--start_from={tmp}/no'], '--start_from must be one of *'),
  ('train', ['--max_minutes=inf'], '--max_minutes must be a finite number'),
  ('train', ['--max_epochs=1e999'], '--max_epochs must be a number in *'),
  ('train', ['--encoder_widths=4,x'], '--encoder_widths must be positive int*'),
  ('train', ['--flow_units=3'], '--flow_units must be at least *'),
  ('train', ['--decoder=windw'], "--decoder must * Did you mean 'window'"),
  ('train', ['--no_such_flag=1'], '* no_such_flag'),
  (
    'train',
    ['--flagfile={tmp}/no/such'],
    '--flagfile must be a file, got * {tmp}/no/such',
  ),
  ('train', ['--flagfile=/proc'], '--flagfile /proc cannot be read'),
  ('train', ['--preset=omniglod'], "--preset must * Did you mean 'omniglot'"),
  ('train', ['--nodecoder_tied=1'], '* nodecoder_tied'),
  ('train', ['--decoder_tied=maybe'], '--decoder_tied must be true or false*'),
  ('train', ['extra'], "unexpected argument 'extra'"),
  ('train', ['--workdir=/proc/nothing'], '* /proc/nothing'),
  ('evaluate', [], '--workdir must be given'),
  ('evaluate', ['--workdir='], '--workdir must not be empty'),
  ('evaluate', ['--workdir={tmp}/file'], '--workdir * got the file {tmp}/file'),
  (
    'evaluate',
    ['--workdir={tmp}/no/such'],
    '--workdir * {tmp}/no/such. * vlae_tf.train',
  ),
  ('evaluate', ['--workdir={run}n'], "--workdir must * Did you mean 'run'"),
  ('evaluate', ['--workdir=' + 'a' * 5000], '--workdir must be *'),
  ('evaluate', ['--workdir={tmp}'], '--workdir must hold a trained model*'),
  ('evaluate', ['--worddir={run}'], "* 'worddir'. Did you mean: workdir"),
  ('evaluate', ['--preset=final', '--workdir={tmp}/no'], "* 'preset'"),
  ('evaluate', ['--split=tset', '--workdir={run}'], "--split * mean 'test'"),
  ('evaluate', ['--checkpoint=bets', '--workdir={run}'], "* mean 'best'"),
  ('evaluate', ['--checkpoint=best', '--workdir={run}'], '* none in best/'),
  (
    'evaluate',
    ['--num_samples=0', '--workdir={run}'],
    '--num_samples must be*',
  ),
  (
    'evaluate',
    ['--seed=2147483647', '--workdir={run}'],
    '--seed * 2147483646]*',
  ),
  ('evaluate', ['--seed=-1', '--workdir={run}'], "--seed * got '-1'"),
  (
    'evaluate',
    ['--data_dir={tmp}/no/such', '--workdir={run}'],
    '--data_dir must *',
  ),
  (
    'evaluate',
    ['--data_dir={tmp}/file', '--workdir={run}'],
    '--data_dir * file*',
  ),
  (
    'evaluate',
    ['--data_dir=', '--workdir={run}'],
    '--data_dir must not be em*',
  ),
  ('sample', ['--workdir={run}'], '--out must be given'),
  ('sample', ['--workdir={run}', '--out='], '--out must not be empty'),
  (
    'sample',
    ['--workdir={run}', '--out=a.jpg'],
    '--out must end in .png, got *',
  ),
  ('sample', ['--workdir={run}', '--out={tmp}/d.png'], '--out * a directory'),
  (
    'sample',
    ['--workdir={run}', '--out=/proc/a/b.png'],
    '--out * /proc/a/b.png*',
  ),
  (
    'sample',
    ['--workdir={run}', '--out={tmp}/file/b.png'],
    '--out must be a f*',
  ),
  (
    'sample',
    ['--workdir={run}', f'--out={"a" * 300}.png'],
    '--out must be a f*',
  ),
  (
    'sample',
    ['--workdir={tmp}/no/such', _OUT],
    '--workdir must * {tmp}/no/such*',
  ),
  ('sample', ['--workdir={run}', _OUT, '--num=nan'], '--num must be an integ*'),
  ('sample', ['--workdir={run}', _OUT, '--num=-1'], '--num must be *'),
  ('sample', ['--workdir={run}', _OUT, '--num=99999999'], '--num must be *'),
  (
    'sample',
    ['--workdir={run}', _OUT, '--seed=2147483647'],
    '--seed must be *',
  ),
  ('sample', ['--workdir={run}', _OUT, '--draws=3'], '--draws * --mode=prior'),
  (
    'sample',
    ['--workdir={run}', _OUT, '--mode=decompress', '--num_given=3'],
    '--num_given * --mode=decompress',
  ),
  (
    'sample',
    ['--workdir={run}', _OUT, '--mode=complete', '--num_given=43'],
    '--num_given must be in [0, 42], got 43',
  ),
  (
    'sample',
    ['--workdir={run}', _OUT, '--mode=decompress', '--num=5'],
    '--num must be at most the 4 test images, got 5',
  ),
  (
    'sample',
    ['--workdir={run}', _OUT, '--mode=complete', '--num=99', '--draws=999'],
    '--num and --draws must * 10000 images, got 99000',
  ),
  (
    'sample',
    ['--workdir={run}', _OUT, '--mode=complete', '--steps=3'],
    '--steps * --mode=complete',
  ),
  (
    'sample',
    ['--workdir={run}', _OUT, '--mode=interpolate', '--dimensions=1'],
    '--dimensions * --mode=interpolate',
  ),
  (
    'sample',
    ['--workdir={run}', _OUT, '--mode=interpolate', '--num=3'],
    '--num must be at most the 2 pairs of test images, got 3',
  ),
  (
    'sample',
    ['--workdir={run}', _OUT, '--mode=interpolate', '--steps=1'],
    '--steps must be *',
  ),
  (
    'sample',
    ['--workdir={run}', _OUT, '--mode=traverse', '--steps=9999', '--num=2'],
    '--num and --steps must * 10000 images, got 20000',
  ),
  (
    'sample',
    ['--workdir={run}', _OUT, '--mode=traverse', '--dimensions=1,x'],
    "--dimensions must be integers * got '1,x'",
  ),
  (
    'sample',
    ['--workdir={run}', _OUT, '--mode=traverse', '--dimensions=1,4'],
    '--dimensions must be in [0, 3], got 4',
  ),
  (
    'sample',
    ['--workdir={run}', _OUT, '--mode=traverse', '--space=x'],
    '--space must be one of eps, z, both*',
  ),
  ('embed', ['--workdir={run}'], '--out must be given'),
  ('embed', ['--workdir={run}', _OUT], '--out must end in .npz, got *a.png*'),
  (
    'embed',
    ['--workdir={run}', '--out={tmp}/file/a.npz'],
    '--out must be a file to write*',
  ),
  (
    'embed',
    ['--workdir={tmp}/no', '--out=a.npz'],
    '--workdir must * {tmp}/no*',
  ),
  (
    'embed',
    ['--workdir={run}', '--out=a.npz', '--split=tset'],
    "--split must * mean 'test'",
  ),
  ('export', ['--workdir={run}', '--out=a[1]'], '--out must be * UTF-8 *'),
  ('export', ['--workdir={run}', '--out=\udce9'], '--out must be * UTF-8 *'),
  ('evaluate', ['--workdir=gs://a/run'], '--workdir must be a local path, *'),
  ('train', ['--dataset=s3://a/b.npz'], '--dataset must be a local path, *'),
  ('sample', ['--workdir={run}', '--out=~no/a.png'], '--out must be in a home'),
  ('decompress', [*_FILES, '--images='], '--images must not be empty'),
  (
    'sample',
    ['--pretrained=digits', '--preset=omniglot', _OUT],
    '--preset is --pretrained*',
  ),
  (
    'compress',
    ['--workdir={run}', '--in=a.npz', '--out=a.vlae', '--report=a.txt'],
    '--report must end in .json',
  ),
  (
    'anomaly',
    ['--workdir={run}', '--against=digits', '--background={tmp}'],
    '--background must hold a trained model*',
  ),
  (
    'probe',
    ['--workdir={run}', '--baseline={tmp}'],
    '--baseline must hold a trained model*',
  ),
  ('probe', ['--workdir={run}', '--num_labels='], '--num_labels must not be *'),
  ('probe', ['--workdir={run}', '--num_labels=,'], '--num_labels must not be'),
  ('report', [*_PAGE, '--workdir='], '--workdir must not be empty'),
  ('receptive_field', [_OUT], '--workdir or --decoder must be given'),
  ('receptive_field', [_OUT, '--window=5x3'], '--workdir or --decoder must *'),
  (
    'receptive_field',
    [_OUT, '--decoder=window', '--window=0x3'],
    '--window m*',
  ),
  (
    'receptive_field',
    [_OUT, '--decoder=pixelcnn', '--window=5x3'],
    '--window *',
  ),
  (
    'receptive_field',
    [_OUT, '--decoder=window', '--checkpoint=last'],
    '--che*',
  ),
  ('receptive_field', [_OUT, '--decoder=window', '--learning_rate=1'], '*'),
  ('receptive_field', [_OUT, '--workdir={run}', '--window=5x3'], '--window *'),
  ('receptive_field', ['--workdir={run}', '--out=a.jpg'], '--out must end *'),
  ('doctor', ['--data_dir='], '--data_dir must not be empty'),
  ('doctor', ['everything'], "unexpected argument 'everything'"),
]


@pytest.mark.parametrize('command, args, words', _BAD_FLAGS)
def test_bad_flags_get_one_line(
  command, args, words, small_run, tmp_path, monkeypatch
):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'file').touch()
  (tmp_path / 'd.png').mkdir()
  names = dict(run=small_run, tmp=tmp_path)
  before = _files(small_run)
  result = commands.run(command, *(arg.format(**names) for arg in args))
  assert result.status == 1
  (line,) = result.stderr.strip().splitlines()
  assert line.startswith('error: ')
  place = 0
  for part in words.format(**names).split('*'):
    place = line.find(part.strip(), place)
    assert place >= 0, (part, line)
  if not words.startswith('*'):
    assert line.startswith(f'error: {words.split("*")[0].split()[0]}')
  assert _files(small_run) == before
  assert sorted(os.listdir(tmp_path)) == ['d.png', 'file']


@pytest.mark.parametrize(
  'text, words',
  [
    ('a; No space left on device', 'not enough disk space: a;'),
    ('OOM when allocating tensor', 'not enough memory: OOM'),
  ],
)
def test_a_full_disk_is_not_taken_for_memory(
  monkeypatch, small_run, text, words
):
  def fail(*args):
    raise tf.errors.ResourceExhaustedError(None, None, text)

  monkeypatch.setattr(loading, 'restore', fail)
  result = commands.run('evaluate', f'--workdir={small_run}')
  assert result.status == 1 and result.stderr.startswith(f'error: {words}')


def _files(path):
  """All files below a path, with their bytes."""
  return {p: p.read_bytes() for p in sorted(path.rglob('*')) if p.is_file()}


@pytest.mark.parametrize(
  'command', ['train', 'evaluate', 'sample', 'anomaly', 'doctor']
)
@pytest.mark.parametrize('flag', ['--help', '--helpshort', '-?'])
def test_help_lists_the_flags_that_must_be_given_first(command, flag):
  result = commands.run(command, flag)
  assert result.status == 0 and result.stderr == ''
  names = [
    line.split(':')[0].strip()
    for line in result.stdout.splitlines()
    if line.startswith('  --')
  ]
  first = {
    'evaluate': ['--workdir'],
    'sample': ['--out'],
    'anomaly': ['--against', '--workdir'],
  }
  required = first.get(command, [])
  assert names == [*required, *sorted(set(names) - set(required), key=_plain)]
  assert result.stdout.count('(required)') == len(required)
  assert '--[no]tf32' in names and '--log_dir' not in result.stdout
  if command == 'train':
    assert '--[no]decoder_tied' in names
    first, second, *_ = presets.names()
    assert f'--preset: <{first}|{second}|' in result.stdout


def _plain(name):
  return name.replace('[no]', '')


def test_a_preset_inside_a_flagfile_counts(tmp_path):
  flagfile = tmp_path / 'mine.flags'
  flagfile.write_text('--preset=quickstart\n--latent_size=7\n')
  result = commands.run(
    'train',
    f'--flagfile={flagfile}',
    *toys.FLAGS,
    f'--workdir={tmp_path}/run',
    '--max_minutes=0',
  )
  assert result.status == 0, result.stderr
  assert '"max_epochs": 30' in (tmp_path / 'run' / 'config.json').read_text()


@pytest.mark.parametrize('is_in_file', [False, True])
def test_a_tilde_is_the_home_directory(
  small_run, tmp_path, monkeypatch, is_in_file
):
  monkeypatch.chdir(tmp_path)
  args = ['--workdir=~/run', '--out=~/out/a.png', '--num=1']
  if is_in_file:
    (tmp_path / 'mine.flags').write_text('\n'.join(args))
    args = ['--flagfile=~/mine.flags']
  (tmp_path / 'run').symlink_to(small_run)
  result = commands.run('sample', *args, HOME=str(tmp_path))
  assert result.status == 0, result.stderr
  assert (tmp_path / 'out' / 'a.png').exists()
  assert not (tmp_path / '~').exists()


def test_a_path_that_is_no_text_is_said(tmp_path):
  result = commands.spawn('evaluate', f'--workdir={tmp_path}/\udc80')
  assert result.status == 1
  assert r'/\udc80. Train one' in result.stderr


def test_files_that_are_no_images_are_named(tmp_path):
  (tmp_path / 'empty.npz').touch()
  np.savez(tmp_path / 'none.npz')
  (tmp_path / 'folder').mkdir()
  (tmp_path / 'folder' / 'a.png').touch()
  for name in ('empty.npz', 'none.npz', 'folder'):
    result = commands.run(
      'train', f'--dataset={tmp_path}/{name}', f'--workdir={tmp_path}/run'
    )
    assert result.status == 1
    assert result.stderr.startswith(f'error: {tmp_path}/{name}')
    assert not (tmp_path / 'run').exists()
