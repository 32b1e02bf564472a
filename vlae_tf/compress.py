"""Compresses images: `python -m vlae_tf.compress --workdir=W --in=I --out=F`.

Writes a lossless file by bits-back coding with the model of a run, decodes it
to verify it, and prints its size beside the -ELBO of the images and their sizes
in general-purpose codecs. With --mode=lossy, the file holds latents alone.
`python -m vlae_tf.decompress` reads it.
"""

from vlae_tf.utils import launcher  # isort: skip (first: it handles Ctrl-C)

if __name__ == '__main__':
  launcher.compress()

from absl import flags

from vlae_tf.compression import exact_model, files, lattice, size_report
from vlae_tf.data import collections
from vlae_tf.formats import container, layout
from vlae_tf.runs import loading
from vlae_tf.utils import command_line, console, fields, json_files
from vlae_tf.utils import files as files_lib

FLAGS = flags.FLAGS


def define_flags():
  command_line.define_model()
  command_line.define('data_dir', 'quiet')
  flags.DEFINE_string(
    'in',
    None,
    'Images: FILE.npz or FILE.npz:NAME, a directory of images, or '
    'DATASET:SPLIT, omniglot:test.',
    required=True,
  )
  command_line.define_out('.vlae file to write.')
  flags.DEFINE_bool('append', False, 'Append the images to an existing file.')
  flags.DEFINE_bool('verify', True, 'Decode every chunk before it is written.')
  flags.DEFINE_integer(
    'elbo_samples',
    16,
    'Importance samples per image for the -ELBO; 0 leaves it out.',
    lower_bound=0,
  )
  flags.DEFINE_bool('baselines', True, 'Print sizes in general-purpose codecs.')
  flags.DEFINE_string('report', None, '.json file for the sizes.')
  flags.DEFINE_integer(
    'chunk_size',
    files.CHUNK_SIZE,
    'Images per chunk. A damaged byte loses one chunk; each chunk adds about '
    '80 bytes.',
    lower_bound=1,
  )
  flags.DEFINE_enum(
    'lanes',
    str(files.LANES),
    [str(n) for n in layout.LANES],
    'Images that are coded side by side; fastest is the largest number that '
    'fits the caches.',
  )
  flags.DEFINE_enum(
    'step',
    None,
    [f'{s:.15g}' for s in lattice.STEPS],
    'Step of the lattice that latents are rounded to; by default 0.0625, and '
    '2 with --mode=lossy.',
  )
  flags.DEFINE_enum(
    'mode',
    'lossless',
    ['lossless', 'lossy'],
    'lossless, or lossy: latents alone, from which the decoder samples images.',
  )
  command_line.define('jobs')


def main():
  """Writes the file or appends to it, and prints its size."""
  command_line.check_model()
  if FLAGS.append:
    wrong = command_line.given('chunk_size', 'lanes', 'step', 'mode', 'report')
    if wrong:
      raise ValueError(f'{wrong[0]} does not apply to --append.')
    with container.Archive(FLAGS.out):
      pass
  else:
    files_lib.check_new_file(FLAGS.out, FLAGS.overwrite, container.SUFFIX)
  if FLAGS.report is not None:
    files_lib.check_new_file(FLAGS.report, FLAGS.overwrite, '.json', 'report')
  given = collections.read(command_line.text('in'), FLAGS.data_dir, 'in')
  loaded = loading.load(FLAGS.workdir, FLAGS.checkpoint, FLAGS.pretrained)
  exact = exact_model.ExactModel(loaded.model)
  step = None if FLAGS.step is None else float(FLAGS.step)
  lanes = int(FLAGS.lanes)
  settings = files.Settings(FLAGS.chunk_size, lanes, step, mode=FLAGS.mode)
  coder = files.Coder(exact, settings, FLAGS.jobs)
  with (
    console.Meter(len(given.images), 'image') as meter,
    fields.named('in', 'images'),
  ):
    args = given.images, FLAGS.out, FLAGS.verify, meter.advance
    if FLAGS.append:
      sizes = coder.append(*args)
    else:
      sizes = coder.compress(*args, FLAGS.overwrite)
  print(f'{loaded.label}: {given.name}, wrote {FLAGS.out}', flush=True)
  if FLAGS.append:
    print(f'{sizes.gross_bits // 8:,} bytes in total')
    return
  found = {'model': loaded.label, 'in': given.name} | settings._asdict()
  # The size of a lossy file is not comparable with lossless ones.
  is_lossless = FLAGS.mode == 'lossless'
  found |= size_report.report(
    loaded.model,
    given,
    sizes,
    is_lossless * FLAGS.elbo_samples,
    is_lossless and FLAGS.baselines,
  )
  print(size_report.text(found))
  if FLAGS.report is not None:
    json_files.write(FLAGS.report, found)
    print(f'wrote {FLAGS.report}')
