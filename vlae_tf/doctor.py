"""Looks at this machine: `python -m vlae_tf.doctor`.

Says what is there, what is missing and the line that mends it; exits with
status 1 if training would fail.
"""

from vlae_tf.system import command_line  # isort: skip (first: it quiets TensorFlow)

import sys

from absl import flags

from vlae_tf import health

FLAGS = flags.FLAGS

command_line.define_data_dir()


def main():
  findings = health.examine(FLAGS.data_dir)
  for finding in findings:
    print(finding.line(), flush=True)
  sys.exit(0 if all(f.is_good for f in findings) else 1)


if __name__ == '__main__':
  command_line.run(main)
