"""Exports a run: `python -m vlae_tf.export --workdir=W --out=DIR`.

Writes its averaged weights as a SavedModel that runs wherever TensorFlow does:
encode, decode, elbo, log_prob, sample, reconstruct, complete and score.
"""

from vlae_tf.system import launcher  # isort: skip (first: it handles Ctrl-C)

if __name__ == '__main__':
  launcher.export()

from absl import flags

from vlae_tf.exporting import saved_model
from vlae_tf.runs import images as images_lib
from vlae_tf.runs import workdirs
from vlae_tf.system import atomic, command_line

FLAGS = flags.FLAGS


def define_flags():
  """Defines the flags of this command."""
  command_line.define_workdir()
  command_line.define_checkpoint()
  flags.DEFINE_string('out', None, 'Directory to make.', required=True)
  flags.DEFINE_bool('overwrite', False, 'Replace an earlier export.')


def main():
  command_line.check_workdir(FLAGS.workdir)
  atomic.check_new_directory(FLAGS.out, FLAGS.overwrite, saved_model.MARKER)
  run = workdirs.restore(FLAGS.workdir, FLAGS.checkpoint)
  label = images_lib.label(FLAGS.workdir, run)
  about = {'run': label, 'dataset': run.config.dataset}
  saved_model.write(run.model, FLAGS.out, about, FLAGS.overwrite)
  print(f'{label}: wrote {FLAGS.out}')
