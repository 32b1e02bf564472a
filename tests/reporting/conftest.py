"""Runs for pages to be about."""

import shutil

import commands
import pytest
import toys

from vlae_tf.reporting import run_results


@pytest.fixture(scope='session')
def runs(trained_run):
  """Directories of a run with a code, which has a score, and of one without."""
  names = {'with': 'flow', 'without': 'no_latent'}
  found = {name: trained_run(kind) for name, kind in names.items()}
  # A page tells runs by the names of their directories.
  found = {
    name: shutil.copytree(p, p.parent / name) for name, p in found.items()
  }
  with toys.functions_run_eagerly():
    scored = commands.run(
      'evaluate', f'--workdir={found["with"]}', '--num_samples=4'
    )
  assert scored.status == 0, scored.stderr
  return found


@pytest.fixture(scope='session')
def read(runs):
  """The `RunResults` by the names of their runs."""
  with toys.functions_run_eagerly():
    return {
      name: run_results.read([str(path)], num_scored=12)[0]
      for name, path in runs.items()
    }
