"""A run for the commands to read."""

import commands
import numpy as np
import pytest
import toys


@pytest.fixture(scope='session')
def small_run(tmp_path_factory):
  """A run of two steps on forty small images, four of them for testing."""
  path = tmp_path_factory.mktemp('small')
  images = np.random.default_rng(0).integers(0, 2, (40, 6, 7)).astype(bool)
  np.savez(path / 'mine.npz', images)
  result = commands.run(
    'train',
    *toys.FLAGS,
    f'--dataset={path}/mine.npz',
    '--batch_size=4',
    '--max_steps=2',
    '--xla=none',
    f'--workdir={path}/run',
  )
  assert result.status == 0, result.stderr
  return path / 'run'
