"""The flags of how images are coded."""

from absl import flags

from vlae_tf.compression import lattice, settings
from vlae_tf.formats import layout


def define() -> None:
  """Defines those of `Settings`, and `--jobs`."""
  flags.DEFINE_integer(
    'chunk_size',
    settings.CHUNK_SIZE,
    'Images that are read and, if a byte is damaged, lost together: fewer cost '
    'some 80 bytes a chunk.',
    lower_bound=1,
  )
  flags.DEFINE_enum(
    'lanes',
    str(settings.LANES),
    [str(n) for n in layout.LANES],
    'Images that are coded side by side; the most that fit the caches go '
    'fastest.',
  )
  flags.DEFINE_enum(
    'step',
    None,
    [f'{s:.15g}' for s in lattice.STEPS],
    'Distance of the points that codes are rounded to; by default 0.0625, and '
    '2 in --mode=lossy.',
  )
  flags.DEFINE_enum(
    'mode',
    'lossless',
    ['lossless', 'lossy'],
    'The images, or their codes alone, of which other images are drawn.',
  )
  flags.DEFINE_integer(
    'jobs', None, 'Chunks at a time, one a processor by default.', lower_bound=1
  )
