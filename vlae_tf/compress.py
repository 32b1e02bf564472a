"""Compresses images: `python -m vlae_tf.compress --workdir=W --in=I --out=F`.

Writes a file without loss, by bits-back coding with the model of a run, decodes
it before it says done, and tells its size beside the -ELBO of the images and
what general codecs need. `python -m vlae_tf.decompress` reads it.
"""

from vlae_tf.system import launcher  # isort: skip (first: it handles Ctrl-C)

if __name__ == '__main__':
  launcher.compress()

from absl import flags

from vlae_tf.archives import container
from vlae_tf.coding import accounts, baselines, exact_model, files, lattice
from vlae_tf.data import collections
from vlae_tf.runs import models, scores
from vlae_tf.system import atomic, command_line, progress

FLAGS = flags.FLAGS


def define_flags():
  """Defines the flags of this command."""
  models.define_flags()
  command_line.define_data_dir()
  command_line.define_overwrite()
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
    'chunk_size',
    files.CHUNK_SIZE,
    'Images that are read and, if a byte is damaged, lost together: fewer cost '
    'some 80 bytes a chunk.',
    lower_bound=1,
  )
  flags.DEFINE_enum(
    'lanes',
    str(files.LANES),
    [str(n) for n in container.LANES],
    'Images that are coded side by side; the most that fit the caches go '
    'fastest.',
  )
  flags.DEFINE_enum(
    'step',
    '0.0625',
    [f'{s:.15g}' for s in lattice.STEPS],
    'Distance of the points that codes are rounded to.',
  )
  flags.DEFINE_integer(
    'jobs', None, 'Chunks at a time, one a processor by default.', lower_bound=1
  )
  flags.DEFINE_integer(
    'elbo_samples',
    16,
    'Codes of each image that the -ELBO beside the size is made of; or 0.',
    lower_bound=0,
  )
  flags.DEFINE_bool('baselines', True, 'Show what general codecs need.')
  flags.DEFINE_string('report', None, '.json file for the sizes.')


def main():
  _check_flags()
  images = collections.read(command_line.text('in'), FLAGS.data_dir, 'in')
  loaded = models.load()
  exact = exact_model.ExactModel(loaded.model)
  coder = files.Coder(exact, _settings(), FLAGS.jobs)
  with progress.Meter(len(images.images), 'image') as meter:
    if FLAGS.append:
      sizes = coder.append(
        images.images, FLAGS.out, FLAGS.verify, meter.advance
      )
    else:
      sizes = coder.compress(
        images.images, FLAGS.out, FLAGS.verify, FLAGS.overwrite, meter.advance
      )
  print(f'{loaded.name}: {images.name}, wrote {FLAGS.out}', flush=True)
  if FLAGS.append:
    print(f'{sizes.gross_bits // 8:,} bytes in all')
    return
  fields = accounts.report(
    images.images, sizes, _elbo(loaded.model, images), _baselines(images)
  )
  print(accounts.text(fields))
  if FLAGS.report is not None:
    scores.write_to(FLAGS.report, _about(loaded, images) | fields)
    print(f'wrote {FLAGS.report}')


def _check_flags():
  """Refuses what cannot be, before anything is computed."""
  models.check_flags()
  if FLAGS.append:
    given = command_line.given('chunk_size', 'lanes', 'step', 'report')
    if given:
      raise ValueError(f'{given[0]} says nothing of --append.')
    with container.Archive(FLAGS.out):
      pass
  else:
    atomic.check_new_file(FLAGS.out, FLAGS.overwrite, container.SUFFIX)
  if FLAGS.report is not None:
    atomic.check_new_file(FLAGS.report, FLAGS.overwrite, '.json')


def _settings():
  return files.Settings(FLAGS.chunk_size, int(FLAGS.lanes), float(FLAGS.step))


def _elbo(model, images):
  if not FLAGS.elbo_samples:
    return None
  with progress.Meter(2 * len(images.images), 'image') as meter:
    return accounts.negative_elbo_bits(
      model,
      images.images,
      images.kind,
      FLAGS.elbo_samples,
      progress=meter.advance,
    )


def _baselines(images):
  if not FLAGS.baselines:
    return None
  with progress.Meter(len(images.images), 'image') as meter:
    return baselines.measure(images.images, meter.advance)


def _about(loaded, images):
  """Which model and images these are."""
  return {
    'model': loaded.name,
    'in': images.name,
    'chunk_size': FLAGS.chunk_size,
    'lanes': int(FLAGS.lanes),
    'step': float(FLAGS.step),
    'elbo_samples': FLAGS.elbo_samples,
  }
