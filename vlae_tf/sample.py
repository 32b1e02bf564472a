"""Draws images: `python -m vlae_tf.sample --workdir=W --out=FILE.png`."""

from vlae_tf.system import launcher  # isort: skip (first: it handles Ctrl-C)

if __name__ == '__main__':
  launcher.sample()

from absl import flags

from vlae_tf import data as data_lib
from vlae_tf.analysis import pictures, sampling
from vlae_tf.runs import images as images_lib
from vlae_tf.runs import workdirs
from vlae_tf.system import command_line

FLAGS = flags.FLAGS

_NUM, _DRAWS = 64, 3  # Where the user does not say.
_MOST = 10_000  # Images in a picture.


def define_flags():
  """Defines the flags of this command."""
  command_line.define_workdir()
  command_line.define_checkpoint()
  command_line.define_data_dir()
  command_line.define_seed('Seed of everything random.')
  flags.DEFINE_enum(
    'mode',
    'prior',
    ['prior', 'decompress', 'complete'],
    'Unconditional samples; or test images beside draws from their codes, or '
    'beside continuations of their first pixels.',
  )
  flags.DEFINE_integer(
    'num',
    None,
    f'Number of images; {_NUM}, or all test images if they are less, by '
    'default.',
    lower_bound=1,
    upper_bound=_MOST,
  )
  flags.DEFINE_integer(
    'draws',
    None,
    f'Draws from each test image, {_DRAWS} by default; not with --mode=prior.',
    lower_bound=1,
    upper_bound=_MOST,
  )
  flags.DEFINE_integer(
    'num_given',
    None,
    'Pixels given in --mode=complete, in raster order; the upper half by '
    'default.',
    lower_bound=0,
  )
  flags.DEFINE_string('out', None, 'PNG file to write.', required=True)


def main():
  _check_flags()
  run = workdirs.restore(FLAGS.workdir, FLAGS.checkpoint)
  if FLAGS.mode == 'prior':
    picture, what = _samples(run)
  else:
    picture, what = _beside_test_images(run)
  name = images_lib.label(FLAGS.workdir, run)
  text = f'{name}: {what}, seed {FLAGS.seed}'
  pictures.save_png(FLAGS.out, pictures.captioned(picture, text), 1, text)
  print(f'{text}; wrote {FLAGS.out}')


def _check_flags():
  """Refuses what cannot be, before anything is computed."""
  unused = {'prior': ('draws', 'num_given'), 'decompress': ('num_given',)}
  for flag in command_line.given(*unused.get(FLAGS.mode, ())):
    raise ValueError(f'{flag} says nothing of --mode={FLAGS.mode}.')
  num = (FLAGS.num or _NUM) * (1 + (FLAGS.draws or _DRAWS))
  if FLAGS.mode != 'prior' and num > _MOST:
    raise ValueError(
      f'--num and --draws must make at most {_MOST} images, got {num}.'
    )
  command_line.check_workdir(FLAGS.workdir)
  pictures.check_png_path(FLAGS.out)


def _samples(run):
  num = FLAGS.num or _NUM
  samples = sampling.sample_prior(run.model, num, FLAGS.seed)
  return pictures.grid(samples), f'{_count(num, "sample")} of the prior'


def _beside_test_images(run):
  given, draws = FLAGS.num_given, FLAGS.draws or _DRAWS
  height, width, _ = run.image_shape
  if given is None:
    given = height // 2 * width
  originals = _test_images(run)
  what = f'{_count(len(originals), "test image")} (framed), each with '
  if FLAGS.mode == 'decompress':
    made = sampling.decompress(run.model, originals, draws, FLAGS.seed)
    what += f'{_count(draws, "draw")} from its code'
  else:
    made = sampling.complete(run.model, originals, given, draws, FLAGS.seed)
    what += f'{_count(draws, "continuation")} of its first {given} pixels'
  return pictures.beside(originals, made), what


def _test_images(run):
  data = images_lib.load(run, FLAGS.data_dir)
  num, there = FLAGS.num or min(_NUM, len(data.test)), len(data.test)
  if num > there:
    raise ValueError(
      f'`num` must be at most the {there} test images, got {num}.'
    )
  return data_lib.fixed_binarization(data.test[:num], 'test', kind=data.kind)


def _count(num, what):
  return f'{num} {what}' + 's' * (num != 1)
