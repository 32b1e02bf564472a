"""Decompresses: `python -m vlae_tf.decompress --workdir=W --in=F --out=I`.

Reads what `python -m vlae_tf.compress` wrote with the same model, and writes
the images as the array `images` of a .npz file.
"""

from vlae_tf.system import launcher  # isort: skip (first: it handles Ctrl-C)

if __name__ == '__main__':
  launcher.decompress()

from absl import flags

from vlae_tf.archives import container, salvage
from vlae_tf.coding import exact_model, files
from vlae_tf.data import collections
from vlae_tf.runs import models
from vlae_tf.system import (
  atomic,
  command_line,
  model_flags,
  notices,
  progress,
)

FLAGS = flags.FLAGS


def define_flags():
  """Defines the flags of this command."""
  model_flags.define()
  command_line.define_overwrite()
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
    'jobs', None, 'Chunks at a time, one a processor by default.', lower_bound=1
  )


def main():
  _check_flags()
  path = command_line.text('in')
  wanted = command_line.integers('images')
  if FLAGS.salvage:
    left = salvage.salvage(path)
    for message in left.messages:
      notices.warn(f'{path}: {message}')
    _decompress(left.header, left.payloads.get, sorted(left.payloads), [])
    return
  with container.Archive(path) as archive:
    chunks = _chunks_with(archive.header, wanted)
    if len(chunks) == archive.header.num_chunks:
      archive.check()
    _decompress(archive.header, archive.payload, chunks, wanted)


def _check_flags():
  """Refuses what cannot be, before anything is computed."""
  model_flags.check()
  atomic.check_new_file(FLAGS.out, FLAGS.overwrite, '.npz')
  if FLAGS.salvage and command_line.given('images'):
    raise ValueError('--images says nothing of --salvage.')


def _chunks_with(header, images):
  """Numbers of the chunks that some images are in, of all if there are none."""
  if not images:
    return list(range(header.num_chunks))
  return sorted({header.chunk_of(image)[0] for image in images})


def _decompress(header, payload, chunks, wanted):
  if not chunks:
    raise ValueError(f'{command_line.text("in")} holds no chunk that is whole.')
  loaded = models.load(FLAGS.workdir, FLAGS.checkpoint, FLAGS.pretrained)
  coder = files.Coder(exact_model.ExactModel(loaded.model), jobs=FLAGS.jobs)
  coder.check_header(header, command_line.text('in'))
  total = sum(len(header.images_of(k)) for k in chunks)
  with progress.Meter(total, 'image') as meter:
    pairs = ((k, payload(k)) for k in chunks)
    parts = coder.decode(header, pairs, meter.advance)
    if wanted:
      arrays, total = _picked(header, parts, wanted), len(wanted)
    else:
      arrays = (images for _, images in parts)
    collections.write(FLAGS.out, arrays, total, FLAGS.overwrite)
  print(f'{loaded.name}: {total:,} of {header.count:,} images')
  print(f'wrote {FLAGS.out}')


def _picked(header, parts, wanted):
  """The images of some numbers, one by one."""
  found = {}
  for chunk, images in parts:
    for number in header.images_of(chunk):
      if number in wanted:
        found[number] = images[header.chunk_of(number)[1]]
  for number in wanted:
    yield found[number][None]
