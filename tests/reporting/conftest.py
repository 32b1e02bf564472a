"""Runs for pages to be about."""

import commands
import numpy as np
import pytest
import toys

from vlae_tf.reporting import report


@pytest.fixture(scope='session')
def runs(tmp_path_factory):
  """Directories of a run with a code, one without, and one of colour images.

  The first has scores, and files that are broken or of other weights.
  """
  path = tmp_path_factory.mktemp('runs')
  rng = np.random.default_rng(0)
  np.savez(path / 'mine.npz', rng.integers(0, 2, (60, 8, 7)).astype(bool))
  np.savez(
    path / 'colour.npz', rng.integers(0, 256, (60, 8, 8, 3)).astype('uint8')
  )
  for name, data, *flags in (
    ('with', 'mine', '--prior=flow', '--flow_steps=1', '--seed=7'),
    ('without', 'mine', '--latent_size=0'),
    ('colour', 'colour', '--pixel_law=logistic_mixture'),
  ):
    result = commands.run(
      'train',
      *toys.FLAGS,
      *flags,
      f'--dataset={path}/{data}.npz',
      '--batch_size=6',
      '--max_steps=20',
      '--xla=none',
      f'--workdir={path}/{name}',
    )
    assert result.status == 0, result.stderr
  scored = commands.run('evaluate', f'--workdir={path}/with', '--num_samples=4')
  assert scored.status == 0, scored.stderr
  return {name: path / name for name in ('with', 'without', 'colour')}


@pytest.fixture(scope='session')
def told(runs):
  """What each of the runs tells."""
  return {
    name: report.read([str(path)], num_scored=12)[0]
    for name, path in runs.items()
  }
