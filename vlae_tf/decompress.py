"""Decompresses: `python -m vlae_tf.decompress --workdir=W --in=F --out=I`.

Reads a file that `python -m vlae_tf.compress` wrote with the same model, and
writes its images as the array `images` of a .npz file.
"""

from vlae_tf.utils import launcher  # isort: skip (first: it handles Ctrl-C)

if __name__ == '__main__':
  launcher.decompress()

from absl import flags

from vlae_tf.compression import exact_model, files, lossy
from vlae_tf.data import collections
from vlae_tf.formats import container
from vlae_tf.runs import loading
from vlae_tf.utils import command_line, console
from vlae_tf.utils import files as files_lib

FLAGS = flags.FLAGS


def define_flags():
  command_line.define_model()
  command_line.define('quiet')
  flags.DEFINE_string('in', None, '.vlae file to read.', required=True)
  command_line.define_out('.npz file to write.')
  flags.DEFINE_list(
    'images',
    None,
    'Numbers of the images to decode, such as 3,17; only their chunks are '
    'read. All by default.',
  )
  flags.DEFINE_bool(
    'salvage',
    False,
    'Decode the undamaged images of a damaged file, and print the numbers of '
    'the lost ones.',
  )
  flags.DEFINE_integer(
    'draws',
    None,
    'Images drawn from each latent of a lossy file, one after the other; 1 by '
    'default.',
    lower_bound=1,
  )
  flags.DEFINE_bool(
    'most_probable',
    False,
    'Decode lossy files to the likeliest value, pixel by pixel, not to draws.',
  )
  command_line.define_seed('Seed of the draws.')
  command_line.define('jobs')


def main():
  """Reads the file, whole or in part, and writes its images."""
  command_line.check_model()
  files_lib.check_new_file(FLAGS.out, FLAGS.overwrite, '.npz')
  if FLAGS.salvage and command_line.given('images'):
    raise ValueError('--images does not apply to --salvage.')
  path = command_line.text('in')
  wanted = command_line.integers('images')
  if FLAGS.salvage:
    left = container.salvage(path)
    for message in left.messages:
      console.warn(f'{path}: {message}')
    _decompress(left.header, left.payloads.get, sorted(left.payloads), [])
    return
  with container.Archive(path) as archive:
    header = archive.header
    chunks = list(range(header.num_chunks))
    if wanted:
      chunks = sorted({header.chunk_of(image) for image in wanted})
    if len(chunks) == header.num_chunks:
      archive.check()
    _decompress(header, archive.payload, chunks, wanted)


def _decompress(header, payload, chunks, wanted):
  path = command_line.text('in')
  if not chunks:
    raise ValueError(f'{path} has no undamaged chunk.')
  given = command_line.given('draws', 'most_probable')
  if given and header.mode != 'lossy':
    raise ValueError(
      f'{given[0]} applies to lossy files only; {path} is lossless.'
    )
  loaded = loading.load(FLAGS.workdir, FLAGS.checkpoint, FLAGS.pretrained)
  coder = files.Coder(exact_model.ExactModel(loaded.model), jobs=FLAGS.jobs)
  coder.check_header(header, path)
  num_decoded = sum(len(header.images_of(k)) for k in chunks)
  with console.Meter(num_decoded, 'image') as meter:
    pairs = ((k, payload(k)) for k in chunks)
    parts = _picked(header, coder.decode(header, pairs, meter.advance), wanted)
    draws = None if FLAGS.most_probable else FLAGS.draws or 1
    if header.mode == 'lossy':
      parts = lossy.reconstructions(
        loaded.model, parts, header.step, draws, FLAGS.seed
      )
    total = (draws or 1) * (len(wanted) or num_decoded)
    collections.write(FLAGS.out, parts, total, FLAGS.overwrite)
  print(f'{loaded.label}: {total:,} images of {header.count:,} in the file')
  print(f'wrote {FLAGS.out}')


def _picked(header, parts, wanted):
  """The images of each chunk in order, or the wanted ones one by one."""
  found: dict = {}
  for chunk, images in parts:
    if not wanted:
      yield images
      continue
    pairs = zip(header.images_of(chunk), images)
    found |= {number: image for number, image in pairs if number in wanted}
  yield from (found[number][None] for number in wanted)
