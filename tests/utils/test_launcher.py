"""Commands end in one line by Ctrl-C, in none when their reader has left."""

import functools
import os
import pwd
import signal
import subprocess
import sys
import tempfile
import time

import commands
import pytest
import source_tree

_COMMANDS = (
  'train',
  'evaluate',
  'sample',
  'embed',
  'probe',
  'anomaly',
  'receptive_field',
  'reproduce',
  'window_sweep',
  'doctor',
)


def _while_tensorflow_is_imported(process):
  """Waits until its library is mapped, and sends Ctrl-C."""
  end = time.monotonic() + 60
  while process.poll() is None and time.monotonic() < end:
    with open(f'/proc/{process.pid}/maps', encoding='utf-8') as maps:
      if 'libtensorflow' in maps.read():
        break
    time.sleep(0.01)
  process.send_signal(signal.SIGINT)


@pytest.mark.skipif(not os.path.exists('/proc/self/maps'), reason='no /proc')
def test_ctrl_c_while_tensorflow_is_imported_is_one_line():
  process = subprocess.Popen(
    [sys.executable, '-m', 'vlae_tf.sample', '--workdir=a', '--out=a.png'],
    cwd=source_tree.ROOT,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    # Whoever runs the tests in the background may ignore it.
    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
  )
  _while_tensorflow_is_imported(process)
  assert process.communicate(timeout=60) == ('', 'interrupted\n')
  assert process.returncode == 130


def test_ctrl_c_is_one_line_even_if_it_becomes_another_error():
  result = commands.spawn('toys.slow_command', interrupt_at='waiting')
  assert result == (130, 'waiting\n', 'interrupted\n')


def _without_a_home(folder):
  os.chdir(folder)
  os.environ.pop('HOME', None)
  # A container may run as a user whom its system does not know.
  pwd.getpwuid = {}.__getitem__


def test_a_user_without_a_home_can_run_commands(tmp_path):
  out = tmp_path / 'a.png'
  args = ('--pretrained=digits', '--num=1', f'--out={out}')
  prepare = functools.partial(_without_a_home, tmp_path)
  result = commands.spawn('sample', *args, prepare=prepare)
  assert result.status == 0 and result.stderr == ''
  assert os.listdir(tmp_path) == ['a.png']


def _without_a_temporary_directory():
  tempfile.tempdir = None
  tempfile._candidate_tempdir_list = lambda: ['/proc']


def test_a_file_system_that_is_read_only_is_one_line():
  result = commands.spawn('doctor', prepare=_without_a_temporary_directory)
  assert result.status == 1
  (line,) = result.stderr.splitlines()
  assert line.startswith('error: ') and line.endswith('(TMPDIR names another)')


def _close_reader():
  reader, writer = os.pipe()
  os.dup2(writer, 1)
  os.close(reader)


def _fill_disk():
  os.dup2(os.open('/dev/full', os.O_WRONLY), 1)


def _close_streams():
  os.close(1)
  os.close(2)
  sys.stdout = sys.stderr = None


@pytest.mark.parametrize(
  'prepare, status, words',
  [
    (_close_reader, 141, ''),
    (_fill_disk, 1, 'error: '),
    (_close_streams, 0, ''),
  ],
)
def test_a_standard_output_that_fails_makes_no_traceback(
  prepare, status, words
):
  # Help is short: it is written when Python flushes its buffer at the end.
  result = commands.spawn('doctor', '--help', prepare=prepare)
  assert result.status == status
  assert result.stderr.startswith(words)
  assert result.stderr.count('\n') == bool(words)


def test_importing_commands_changes_nothing():
  code = f"""
import os, signal, sys
import tensorflow, tensorflow_probability, keras
before = dict(os.environ), [signal.getsignal(s) for s in (2, 15)]
print('-----', file=sys.stderr, flush=True)
import {', '.join(f'vlae_tf.{name}' for name in _COMMANDS)}
assert before == (dict(os.environ), [signal.getsignal(s) for s in (2, 15)])
from absl import flags
assert 'workdir' not in flags.FLAGS and 'tf32' not in flags.FLAGS
"""
  result = subprocess.run(
    [sys.executable, '-c', code],
    cwd=source_tree.ROOT,
    capture_output=True,
    text=True,
    timeout=600,
  )
  assert result.returncode == 0, result.stderr
  assert result.stderr.split('-----\n')[1] == ''
