"""A run becomes a SavedModel, a shared folder, or StableHLO."""

import json

import commands
import numpy as np
import pytest
import tensorflow as tf
import toys

import vlae_tf


def _export(run, out, *args):
  return commands.run('export', f'--workdir={run}', f'--out={out}', *args)


def _assert_refused(result, *words):
  assert result.status == 1
  (line,) = result.stderr.strip().splitlines()
  for word in words:
    assert word in line


def _files(path):
  return {p: p.read_bytes() for p in sorted(path.rglob('*')) if p.is_file()}


@pytest.fixture(scope='module')
def exported(small_run, tmp_path_factory):
  """An export as a SavedModel."""
  out = tmp_path_factory.mktemp('exports') / 'export'
  result = _export(small_run, out)
  assert result.status == 0, result.stderr
  assert result.stdout == f'run, step 2 (last): wrote {out}\n'
  return out


def test_a_saved_model_has_the_averaged_weights_and_says_which(
  small_run, exported
):
  model = vlae_tf.restore(small_run).model
  images = toys.binary_images(3, (6, 7, 1))
  found = tf.saved_model.load(str(exported)).signatures['encode'](
    images=tf.constant(images)
  )
  np.testing.assert_allclose(
    found['mean'], model.posterior(images).mean(), rtol=1e-5, atol=1e-6
  )
  about = json.loads(
    (exported / 'assets.extra' / 'signatures.json').read_text()
  )['about']
  assert about['run'] == 'run, step 2 (last)'
  assert about['dataset'] == 'path/to/mine.npz'


def test_a_shared_folder_gives_the_model_back(small_run, tmp_path):
  result = _export(small_run, tmp_path / 'a', '--format=pretrained')
  assert result.status == 0, result.stderr
  model = vlae_tf.from_pretrained(tmp_path / 'a')
  for found, expected in zip(
    model.variables, vlae_tf.restore(small_run).model.variables, strict=True
  ):
    np.testing.assert_array_equal(found, expected)
  half = ('--format=pretrained', '--dtype=float16', '--overwrite')
  assert _export(small_run, tmp_path / 'a', *half).status == 0
  config = json.loads((tmp_path / 'a' / 'config.json').read_text())
  assert config['weights_dtype'] == 'float16'


def test_a_shared_model_is_exported(tmp_path):
  args = ('--pretrained=digits', '--format=pretrained', f'--out={tmp_path}/a')
  result = commands.run('export', *args)
  assert (result.status, result.stdout) == (0, f'digits: wrote {tmp_path}/a\n')
  found = vlae_tf.from_pretrained(tmp_path / 'a')
  expected = vlae_tf.from_pretrained('digits')
  for x, y in zip(found.variables, expected.variables, strict=True):
    np.testing.assert_array_equal(x, y)


def test_stablehlo_is_written_for_a_number_of_images(small_run, tmp_path):
  args = ('--format=stablehlo', '--batch_size=3')
  assert _export(small_run, tmp_path / 'a', *args).status == 0
  told = json.loads((tmp_path / 'a' / 'signatures.json').read_text())
  assert told['elbo']['inputs']['images'] == [3, 6, 7, 1]
  for name in told:
    data = (tmp_path / 'a' / f'{name}.stablehlo').read_bytes()
    assert data.startswith(b'ML\xefR')  # Bytecode of MLIR.


def test_what_is_there_is_kept(small_run, exported):
  before = _files(exported)
  _assert_refused(
    _export(small_run, exported), 'there already', '--overwrite', str(exported)
  )
  for form in ('pretrained', 'stablehlo'):
    _assert_refused(
      _export(small_run, exported, f'--format={form}', '--overwrite'),
      '--out must be new, or a directory of the same kind',
    )
  assert _files(exported) == before


def test_a_run_is_never_replaced(small_run):
  before = _files(small_run)
  for form in ('saved_model', 'pretrained', 'stablehlo'):
    result = _export(small_run, small_run, f'--format={form}', '--overwrite')
    _assert_refused(result, '--out must be', 'It is kept')
  assert _files(small_run) == before


@pytest.mark.parametrize(
  'args, words',
  [
    (('--dtype=float16',), '--dtype does not apply to --format=saved_model'),
    (('--batch_size=2',), '--batch_size does not apply'),
    (('--format=onnx',), '--format must be one of saved_model, pretrained'),
    (('--batch_size=0', '--format=stablehlo'), '--batch_size must be'),
  ],
)
def test_bad_flags_are_refused(small_run, tmp_path, args, words):
  _assert_refused(_export(small_run, tmp_path / 'a', *args), words)
  assert not (tmp_path / 'a').exists()


def test_a_path_below_a_file_is_refused(small_run, tmp_path):
  (tmp_path / 'file').write_text('')
  result = _export(small_run, tmp_path / 'file' / 'a')
  _assert_refused(result, '--out must be a path to write')
