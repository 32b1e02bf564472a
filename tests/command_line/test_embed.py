"""`embed` writes the latents of a split."""

import json

import commands
import numpy as np
import pytest

from vlae_tf.data import fixed_binarization
from vlae_tf.runs import loading

pytestmark = pytest.mark.usefixtures('all_eagerly')


def _embed(run, out, *args):
  # Progress appears on slow machines only, and would differ between runs.
  args = ('--quiet', *args)
  return commands.run('embed', f'--workdir={run}', f'--out={out}', *args)


def test_it_writes_codes_of_the_images_of_a_split(small_run, tmp_path):
  out = tmp_path / 'new' / 'codes.npz'
  result = _embed(small_run, out, '--split=validation')
  assert result.status == 0 and result.stderr == ''
  assert result.stdout == (
    'run, step 2 (last): latents of --split=validation, [4, 4], without '
    'labels\n'
    f'wrote {out}\n'
  )
  run = loading.restore(small_run)
  images = run.images().validation
  q = run.model.posterior(fixed_binarization(images, 'validation'))
  with np.load(out) as found:
    assert {*found} == {'mean', 'stddev', 'eps', 'index', 'metadata'}
    np.testing.assert_allclose(found['mean'], q.mean(), 1e-5, 1e-6)
    np.testing.assert_allclose(found['stddev'], q.stddev(), 1e-5)
    # The prior is a standard normal.
    np.testing.assert_array_equal(found['eps'], found['mean'])
    np.testing.assert_array_equal(found['index'], range(4))
    about = json.loads(str(found['metadata']))
  assert about['run'] == 'run, step 2 (last)' and about['step'] == 2
  assert about['split'] == 'validation'
  assert about['fingerprint'] == run.fingerprint


def test_what_is_there_is_replaced_only_if_asked_to(small_run, tmp_path):
  out = tmp_path / 'codes.npz'
  out.write_text('dear')
  result = _embed(small_run, out)
  assert result.status == 1 and out.read_text() == 'dear'
  assert result.stderr == (
    f'error: --out must be a new file, got {out}, which is there already. It '
    'is kept; --overwrite replaces it.\n'
  )
  assert _embed(small_run, out, '--overwrite').status == 0
  assert len(np.load(out)['mean']) == 4
  assert [p.name for p in tmp_path.iterdir()] == ['codes.npz']


def test_labels_come_with_the_images_that_have_them(trained_run, tmp_path):
  result = _embed(trained_run('digits'), tmp_path / 'codes.npz')
  assert result.status == 0, result.stderr
  with np.load(tmp_path / 'codes.npz') as found:
    assert found['labels'].shape == (300,) and len(set(found['labels'])) == 10


def test_a_model_without_a_code_is_refused(trained_run, tmp_path):
  result = _embed(trained_run('no_latent'), tmp_path / 'codes.npz')
  assert result.status == 1 and not (tmp_path / 'codes.npz').exists()
  assert result.stderr == (
    'error: --workdir must be a model with latents, got one of `latent_size` '
    '0.\n'
  )
