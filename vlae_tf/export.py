"""Exports a model: `python -m vlae_tf.export --workdir=W --out=DIR`.

Writes the averaged weights of a run, or the weights of a shared model, as a
SavedModel that runs wherever TensorFlow does (encode, decode, elbo, log_prob,
sample, reconstruct, complete and score), as a folder for
`vlae_tf.from_pretrained`, or as StableHLO of encode and elbo.
"""

from vlae_tf.utils import launcher  # isort: skip (first: it handles Ctrl-C)

if __name__ == '__main__':
  launcher.export()

from absl import flags

from vlae_tf.exporting import saved_model, stablehlo
from vlae_tf.formats import folder
from vlae_tf.runs import loading
from vlae_tf.utils import command_line, files

FLAGS = flags.FLAGS


def define_flags():
  command_line.define_model()
  command_line.define_out('Directory to create.')
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
    'Type of the weights of --format=pretrained.',
  )
  flags.DEFINE_integer(
    'batch_size',
    1,
    'Batch size of --format=stablehlo.',
    lower_bound=1,
    upper_bound=2**16,
  )


def main():
  """Writes a model in the format of --format."""
  form, target, overwrite = FLAGS.format, FLAGS.out, FLAGS.overwrite
  for name, only in (('dtype', 'pretrained'), ('batch_size', 'stablehlo')):
    if form != only and command_line.given(name):
      raise ValueError(f'--{name} does not apply to --format={form}.')
  command_line.check_model()
  if form == 'pretrained':
    folder.check_target(target, overwrite, 'out')
  elif form == 'saved_model':
    saved_model.check_target(target, overwrite)
  else:
    files.check_new_directory(target, stablehlo.KIND, overwrite)
  run = loading.load(FLAGS.workdir, FLAGS.checkpoint, FLAGS.pretrained)
  label = run.label
  if form == 'stablehlo':
    stablehlo.write(run.model, target, FLAGS.batch_size, overwrite)
  else:
    facts = {'run': label} | run.about()
    if form == 'saved_model':
      saved_model.write(run.model, target, facts, overwrite)
    else:
      run.model.save_pretrained(
        target, about=facts, dtype=FLAGS.dtype, overwrite=overwrite
      )
  print(f'{label}: wrote {target}')
