"""Exports a run: `python -m vlae_tf.export --workdir=W --out=DIR`.

Writes its averaged weights as a SavedModel that runs wherever TensorFlow does
(encode, decode, elbo, log_prob, sample, reconstruct, complete and score), as a
folder for `vlae_tf.from_pretrained`, or as StableHLO of encode and elbo.
"""

from vlae_tf.utils import launcher  # isort: skip (first: it handles Ctrl-C)

if __name__ == '__main__':
  launcher.export()

from absl import flags

from vlae_tf.exporting import saved_model, stablehlo
from vlae_tf.formats import folder
from vlae_tf.runs import about, workdirs
from vlae_tf.runs import images as images_lib
from vlae_tf.utils import command_line, files

FLAGS = flags.FLAGS


def define_flags():
  """Defines the flags of this command."""
  command_line.define_workdir()
  command_line.define_checkpoint()
  flags.DEFINE_string('out', None, 'Directory to make.', required=True)
  command_line.define_overwrite()
  flags.DEFINE_enum(
    'format',
    'saved_model',
    ['saved_model', 'pretrained', 'stablehlo'],
    'A SavedModel; a folder that from_pretrained reads; or two files of MLIR.',
  )
  flags.DEFINE_enum(
    'dtype',
    'float32',
    ['float32', 'float16'],
    'How --format=pretrained writes weights: as they are, or half as long.',
  )
  flags.DEFINE_integer(
    'batch_size',
    1,
    'Images at a time, of --format=stablehlo.',
    lower_bound=1,
    upper_bound=2**16,
  )


def main():
  """Writes the model of a run in the format of --format."""
  _check_flags()
  run = workdirs.restore(FLAGS.workdir, FLAGS.checkpoint)
  label = images_lib.label(FLAGS.workdir, run)
  if FLAGS.format == 'stablehlo':
    stablehlo.write(run.model, FLAGS.out, FLAGS.batch_size, FLAGS.overwrite)
  else:
    facts = about.of_run(FLAGS.workdir, run)
    _write(run.model, {'run': label} | facts)
  print(f'{label}: wrote {FLAGS.out}')


def _write(model, facts):
  if FLAGS.format == 'saved_model':
    saved_model.write(model, FLAGS.out, facts, FLAGS.overwrite)
  else:
    model.save_pretrained(
      FLAGS.out, about=facts, dtype=FLAGS.dtype, overwrite=FLAGS.overwrite
    )


def _check_flags():
  """Refuses what cannot be, before anything is computed."""
  only = {'dtype': 'pretrained', 'batch_size': 'stablehlo'}
  for name, kind in only.items():
    if FLAGS.format != kind and command_line.given(name):
      raise ValueError(f'--{name} says nothing of --format={FLAGS.format}.')
  command_line.check_workdir(FLAGS.workdir)
  if FLAGS.format == 'pretrained':
    folder.check_target(FLAGS.out, FLAGS.overwrite, 'out')
    return
  kinds = {'saved_model': saved_model.KIND, 'stablehlo': stablehlo.KIND}
  files.check_new_directory(FLAGS.out, kinds[FLAGS.format], FLAGS.overwrite)
