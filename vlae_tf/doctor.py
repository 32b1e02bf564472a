"""Checks this machine: `python -m vlae_tf.doctor`.

Prints versions, devices, data sets and models, and the command that installs
what is missing; exits with status 1 if training would fail.
"""

from vlae_tf.utils import launcher  # isort: skip (first: it handles Ctrl-C)

if __name__ == '__main__':
  launcher.doctor()

import sys

from absl import flags

from vlae_tf.reporting import health
from vlae_tf.utils import command_line

FLAGS = flags.FLAGS


def define_flags():
  command_line.define('data_dir')


def main():
  """Prints the findings, and exits."""
  is_good = True
  for finding in health.examine(FLAGS.data_dir):
    mark = 'ok  ' if finding.is_good else 'FAIL'
    print(f'{mark} {finding.name}: {finding.text}', flush=True)
    is_good &= finding.is_good
  sys.exit(0 if is_good else 1)
