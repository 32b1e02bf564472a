"""Keras on another backend is refused in words, whoever says so."""

import json
import os
import subprocess
import sys

import pytest
import source_tree

from vlae_tf.utils import keras_backend


@pytest.fixture
def no_keras(monkeypatch, tmp_path):
  """A process that has not imported Keras, with settings of its own."""
  monkeypatch.delitem(sys.modules, 'keras')
  monkeypatch.delenv('KERAS_BACKEND', raising=False)
  monkeypatch.setenv('KERAS_HOME', str(tmp_path))
  return tmp_path


def test_tensorflow_is_the_default(no_keras, monkeypatch):
  keras_backend.check()
  (no_keras / 'keras.json').write_text('{torn')
  keras_backend.check()
  monkeypatch.setenv('KERAS_BACKEND', 'tensorflow')
  keras_backend.check()


@pytest.mark.parametrize('backend', ['jax', 'torch'])
def test_others_are_refused_by_who_says_so(no_keras, monkeypatch, backend):
  file = no_keras / 'keras.json'
  file.write_text(json.dumps({'backend': backend}))
  with pytest.raises(ImportError, match=rf"got '{backend}' from {file}"):
    keras_backend.check()
  monkeypatch.setenv('KERAS_BACKEND', 'tensorflow')  # Goes before the file.
  keras_backend.check()
  monkeypatch.setenv('KERAS_BACKEND', backend)
  with pytest.raises(ImportError, match='variable KERAS_BACKEND'):
    keras_backend.check()


def _python(*args):
  return subprocess.run(
    [sys.executable, *args],
    cwd=source_tree.ROOT,
    env=os.environ | {'KERAS_BACKEND': 'jax'},
    capture_output=True,
    text=True,
    timeout=60,
  )


@pytest.mark.parametrize(
  'module',
  ['distributions', 'models', 'nn', 'reporting.health', 'runs', 'training'],
)
def test_importing_what_needs_keras_says_it(module):
  code = f"""
import vlae_tf
try:
  import vlae_tf.{module}
except ImportError as error:
  print(error)
"""
  assert "Keras must run on tensorflow, got 'jax'" in _python('-c', code).stdout


@pytest.mark.parametrize('command', ['doctor', 'train'])
def test_a_command_says_it_in_one_line(command):
  result = _python('-m', f'vlae_tf.{command}')
  assert result.returncode == 1 and result.stdout == ''
  assert result.stderr.startswith('error: Keras must run on tensorflow')
  assert result.stderr.count('\n') == 1
