"""Keras on another backend is refused in words, whoever says so."""

import json
import os
import subprocess
import sys

import pytest
import source_tree


def _python(*args, **environment):
  return subprocess.run(
    [sys.executable, *args],
    cwd=source_tree.ROOT,
    env=os.environ | environment,
    capture_output=True,
    text=True,
    timeout=60,
  )


_REFUSAL = 'Keras must run on tensorflow'


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
  assert _REFUSAL in _python('-c', code, KERAS_BACKEND='jax').stdout


def test_a_backend_that_is_installed_is_refused_by_name():
  code = """
import keras
keras.config.backend = lambda: 'jax'
import vlae_tf.nn
"""
  assert f"{_REFUSAL}, got 'jax'" in _python('-c', code).stderr


def test_the_file_of_settings_is_named(tmp_path):
  (tmp_path / 'keras.json').write_text(json.dumps({'backend': 'jax'}))
  result = _python('-m', 'vlae_tf.doctor', KERAS_HOME=str(tmp_path))
  assert result.stderr.startswith(f'error: {_REFUSAL}')
  assert 'keras.json' in result.stderr


@pytest.mark.parametrize('command', ['doctor', 'train'])
def test_a_command_says_it_in_one_line(command):
  result = _python('-m', f'vlae_tf.{command}', KERAS_BACKEND='jax')
  assert result.returncode == 1 and result.stdout == ''
  assert result.stderr.startswith(f'error: {_REFUSAL}')
  assert result.stderr.count('\n') == 1
