"""Decompresses: `python -m vlae_tf.decompress --workdir=W --in=F --out=I`.

Reads what `python -m vlae_tf.compress` wrote with the same model, and writes
the images as the array `images` of a .npz file.
"""

from vlae_tf.utils import launcher  # isort: skip (first: it handles Ctrl-C)

if __name__ == '__main__':
  launcher.decompress()

from absl import flags

from vlae_tf.compression import decompression, exact_model, files
from vlae_tf.data import collections
from vlae_tf.formats import container, salvage
from vlae_tf.runs import models
from vlae_tf.utils import command_line, console
from vlae_tf.utils import files as files_lib

FLAGS = flags.FLAGS


def define_flags():
  """Defines the flags of this command."""
  command_line.define_model()
  command_line.define_overwrite()
  command_line.define_quiet()
  flags.DEFINE_string('in', None, '.vlae file to read.', required=True)
  flags.DEFINE_string('out', None, '.npz file to write.', required=True)
  flags.DEFINE_list(
    'images',
    None,
    'Numbers of images, 3,17: these alone, and of the file the chunks alone '
    'that they are in.',
  )
  flags.DEFINE_bool(
    'salvage',
    False,
    'Of a damaged file, read the images that are whole, and say which are '
    'lost.',
  )
  flags.DEFINE_integer(
    'draws',
    None,
    'Images drawn of each code of a lossy file, one after the other; 1 by '
    'default.',
    lower_bound=1,
  )
  flags.DEFINE_bool(
    'most_probable',
    False,
    'Of a lossy file: in place of a draw, pixel by pixel the likelier value.',
  )
  command_line.define_seed('Seed of the draws.')
  flags.DEFINE_integer(
    'jobs', None, 'Chunks at a time, one a processor by default.', lower_bound=1
  )


def main():
  """Reads the archive, whole or in part, and writes its images."""
  _check_flags()
  path = command_line.text('in')
  wanted = command_line.integers('images')
  if FLAGS.salvage:
    left = salvage.salvage(path)
    for message in left.messages:
      console.warn(f'{path}: {message}')
    _decompress(left.header, left.payloads.get, sorted(left.payloads), [])
    return
  with container.Archive(path) as archive:
    chunks = container.chunks_with(archive.header, wanted)
    if len(chunks) == archive.header.num_chunks:
      archive.check()
    _decompress(archive.header, archive.payload, chunks, wanted)


def _check_flags():
  """Refuses what cannot be, before anything is computed."""
  command_line.check_model()
  files_lib.check_new_file(FLAGS.out, FLAGS.overwrite, '.npz')
  if FLAGS.salvage and command_line.given('images'):
    raise ValueError('--images says nothing of --salvage.')


def _decompress(header, payload, chunks, wanted):
  path = command_line.text('in')
  if not chunks:
    raise ValueError(f'{path} holds no chunk that is whole.')
  given = command_line.given('draws', 'most_probable')
  if given and header.mode != 'lossy':
    raise ValueError(f'{given[0]} says nothing of {path}, which has no loss.')
  loaded = models.load(FLAGS.workdir, FLAGS.checkpoint, FLAGS.pretrained)
  coder = files.Coder(exact_model.ExactModel(loaded.model), jobs=FLAGS.jobs)
  coder.check_header(header, path)
  found = container.Picked(header, chunks, wanted)
  with console.Meter(found.num_decoded, 'image') as meter:
    pairs = ((k, payload(k)) for k in chunks)
    parts = found.pick(coder.decode(header, pairs, meter.advance))
    each = 1
    if header.mode == 'lossy':
      each = 1 if FLAGS.most_probable else FLAGS.draws or 1
      draws = None if FLAGS.most_probable else each
      parts = decompression.images(
        loaded.model, parts, header.step, draws, FLAGS.seed
      )
    total = each * found.num_wanted
    collections.write(FLAGS.out, parts, total, FLAGS.overwrite)
  print(f'{loaded.name}: {total:,} images of {header.count:,} in the file')
  print(f'wrote {FLAGS.out}')
