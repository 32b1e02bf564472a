"""Draws images: `python -m vlae_tf.sample --workdir=W --out=FILE.png`."""

from vlae_tf.system import command_line  # isort: skip (first: it quiets TensorFlow)

from absl import flags

from vlae_tf import data as data_lib
from vlae_tf.analysis import pictures, sampling
from vlae_tf.runs import workdirs

FLAGS = flags.FLAGS

command_line.define_workdir()
command_line.define_data_dir()
flags.DEFINE_enum(
  'mode',
  'prior',
  ['prior', 'decompress', 'complete'],
  'Unconditional samples; or test images beside draws from their codes, or '
  'beside continuations of their first pixels.',
)
flags.DEFINE_integer('num', 64, 'Number of images.', lower_bound=1)
flags.DEFINE_integer('draws', 3, 'Draws from each test image.', lower_bound=1)
flags.DEFINE_integer('seed', 0, 'Seed of everything random.', lower_bound=0)
flags.DEFINE_string('out', None, 'PNG file to write.', required=True)


flags.DEFINE_integer(
  'num_given',
  None,
  'Pixels given in mode complete, in raster order; the upper half by default.',
  lower_bound=0,
)


def main():
  run = workdirs.restore(FLAGS.workdir)
  pictures.check_png_path(FLAGS.out)
  pictures.save_png(FLAGS.out, _picture(run))
  print(f'wrote {FLAGS.out}')


def _picture(run):
  if FLAGS.mode == 'prior':
    samples = sampling.sample_prior(run.model, FLAGS.num, FLAGS.seed)
    return pictures.grid(samples)
  originals = _test_images(run)
  if FLAGS.mode == 'decompress':
    draws = sampling.decompress(run.model, originals, FLAGS.draws, FLAGS.seed)
  else:
    height, width, _ = run.image_shape
    given = height // 2 * width if FLAGS.num_given is None else FLAGS.num_given
    draws = sampling.complete(
      run.model, originals, given, FLAGS.draws, FLAGS.seed
    )
  return pictures.beside(originals, draws)


def _test_images(run):
  data = data_lib.load(run.config.dataset, FLAGS.data_dir or run.data_dir)
  return data_lib.fixed_binarization(
    data.test[: FLAGS.num], 'test', kind=data.kind
  )


if __name__ == '__main__':
  command_line.run(main)
