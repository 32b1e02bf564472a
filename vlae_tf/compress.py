"""Compresses images: `python -m vlae_tf.compress --workdir=W --in=I --out=F`.

Writes a file without loss, by bits-back coding with the model of a run, decodes
it before it says done, and tells its size beside the -ELBO of the images and
what general codecs need. With --mode=lossy, the file holds their codes alone.
`python -m vlae_tf.decompress` reads it.
"""

from vlae_tf.utils import launcher  # isort: skip (first: it handles Ctrl-C)

if __name__ == '__main__':
  launcher.compress()

from absl import flags

from vlae_tf.compression import exact_model, files, settings, size_report
from vlae_tf.compression import flags as coding_flags
from vlae_tf.data import collections
from vlae_tf.formats import container
from vlae_tf.runs import models, scores
from vlae_tf.utils import command_line, console
from vlae_tf.utils import files as files_lib

FLAGS = flags.FLAGS


def define_flags():
  """Defines the flags of this command."""
  command_line.define_model()
  command_line.define_data_dir()
  command_line.define_overwrite()
  command_line.define_quiet()
  flags.DEFINE_string(
    'in',
    None,
    'Images: FILE.npz or FILE.npz:NAME, a directory of images, or '
    'DATASET:SPLIT, omniglot:test.',
    required=True,
  )
  flags.DEFINE_string('out', None, '.vlae file to write.', required=True)
  flags.DEFINE_bool(
    'append', False, 'Put the images behind those that --out has already.'
  )
  flags.DEFINE_bool(
    'verify', True, 'Decode all of it before it is said to be done.'
  )
  flags.DEFINE_integer(
    'elbo_samples',
    16,
    'Codes of each image that the -ELBO beside the size is made of; or 0.',
    lower_bound=0,
  )
  flags.DEFINE_bool('baselines', True, 'Show what general codecs need.')
  flags.DEFINE_string('report', None, '.json file for the sizes.')
  coding_flags.define()


def main():
  """Writes the archive or adds to it, and says what it takes."""
  _check_flags()
  given = collections.read(command_line.text('in'), FLAGS.data_dir, 'in')
  loaded = models.load(FLAGS.workdir, FLAGS.checkpoint, FLAGS.pretrained)
  exact = exact_model.ExactModel(loaded.model)
  coder = files.Coder(exact, _settings(), FLAGS.jobs)
  with _meter(len(given.images)) as meter:
    told = FLAGS.verify, meter.advance
    if FLAGS.append:
      sizes = coder.append(given.images, FLAGS.out, *told)
    else:
      overwrite = FLAGS.overwrite
      sizes = coder.compress(given.images, FLAGS.out, *told, overwrite)
  print(f'{loaded.name}: {given.name}, wrote {FLAGS.out}', flush=True)
  if FLAGS.append:
    print(f'{sizes.gross_bits // 8:,} bytes in all')
    return
  fields = {'model': loaded.name, 'in': given.name} | _settings()._asdict()
  # What other images are drawn of stands beside no code of these.
  beside = FLAGS.mode == 'lossless'
  fields |= size_report.account(
    loaded.model,
    given,
    sizes,
    beside * FLAGS.elbo_samples,
    beside and FLAGS.baselines,
    _meter,
  )
  print(size_report.text(fields))
  if FLAGS.report is not None:
    scores.write_to(FLAGS.report, fields)
    print(f'wrote {FLAGS.report}')


def _check_flags():
  """Refuses what cannot be, before anything is computed."""
  command_line.check_model()
  if FLAGS.append:
    given = command_line.given('chunk_size', 'lanes', 'step', 'mode', 'report')
    if given:
      raise ValueError(f'{given[0]} says nothing of --append.')
    with container.Archive(FLAGS.out):
      pass
  else:
    files_lib.check_new_file(FLAGS.out, FLAGS.overwrite, container.SUFFIX)
  if FLAGS.report is not None:
    files_lib.check_new_file(FLAGS.report, FLAGS.overwrite, '.json')


def _settings():
  step = None if FLAGS.step is None else float(FLAGS.step)
  lanes = int(FLAGS.lanes)
  return settings.Settings(FLAGS.chunk_size, lanes, step, mode=FLAGS.mode)


def _meter(num):
  return console.Meter(num, 'image')
