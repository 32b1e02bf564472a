"""What every test needs: a quiet TensorFlow, GPU memory as it is used; data."""

import os
import pathlib

import pytest

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
os.environ.setdefault('TF_FORCE_GPU_ALLOW_GROWTH', 'true')

_REPOSITORY = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope='session')
def real_data_dir():
  given = os.environ.get('VLAE_TF_DATA_DIR')
  folder = pathlib.Path(given or _REPOSITORY.parent / 'shared' / 'data')
  if not (folder / 'originals').is_dir():
    pytest.skip(f'no real data in {folder}: set VLAE_TF_DATA_DIR')
  return folder
