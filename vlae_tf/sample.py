"""Draws images: `python -m vlae_tf.sample --workdir=W --out=FILE.png`.

With --preset=omniglot in place of --workdir, by a model of the package.
"""

from vlae_tf.utils import launcher  # isort: skip (first: it handles Ctrl-C)

if __name__ == '__main__':
  launcher.sample()

from collections.abc import Callable
from typing import Any

from absl import flags

from vlae_tf import data as data_lib
from vlae_tf.evaluation import figures, sampling
from vlae_tf.runs import loading
from vlae_tf.utils import command_line, files

FLAGS = flags.FLAGS

# Options of each mode, with defaults.
_DEFAULTS: dict[str, dict[str, Any]] = {
  'prior': {'num': 64},
  'decompress': {'num': 64, 'draws': 3},
  'complete': {'num': 64, 'draws': 3, 'num_given': None},
  'interpolate': {'num': 8, 'steps': 9, 'space': 'both'},
  'traverse': {'num': 1, 'steps': 9, 'space': 'eps', 'dimensions': None},
}
_FIGURES: dict[str, Callable[..., figures.Captioned]] = {
  'decompress': figures.decompressions,
  'complete': figures.completions,
  'interpolate': figures.interpolations,
  'traverse': figures.traversals,
}
_MOST = 10_000  # Images in a picture.
_DIMENSIONS = 8  # Latent dimensions of a traversal by default.
_RANKED = 1000  # Images by which latent dimensions are ranked.


def define_flags():
  command_line.define_model()
  flags.DEFINE_alias('preset', 'pretrained')
  command_line.define('data_dir')
  command_line.define_seed('Seed of all random numbers.')
  flags.DEFINE_enum(
    'mode',
    'prior',
    list(_DEFAULTS),
    'prior: unconditional samples; decompress: test images beside lossy '
    'reconstructions; complete: test images beside completions of their first '
    'pixels; interpolate: paths between the latents of test images; traverse: '
    'one latent dimension varied at a time.',
  )
  for name, least, text in [
    (
      'num',
      1,
      'Number of images, 64 by default; in --mode=interpolate number of pairs, '
      '8; in --mode=traverse 1. At most all test images.',
    ),
    (
      'draws',
      1,
      'Draws for each test image in --mode=decompress and complete, 3 by '
      'default.',
    ),
    (
      'steps',
      2,
      'Images of a path in --mode=interpolate and traverse, 9 by default.',
    ),
  ]:
    flags.DEFINE_integer(name, None, text, least, _MOST)
  flags.DEFINE_integer(
    'num_given',
    None,
    'Pixels given in --mode=complete, in raster order; the upper half by '
    'default.',
    lower_bound=0,
  )
  flags.DEFINE_enum(
    'space',
    None,
    [*sampling.SPACES, 'both'],
    'Interpolation space: eps, the noise of the prior, or z, the latent; by '
    'default both in --mode=interpolate, eps in --mode=traverse.',
  )
  flags.DEFINE_list(
    'dimensions',
    None,
    'Latent dimensions, from 0, that --mode=traverse varies, 3,17; by default '
    f'the {_DIMENSIONS} with the highest rates.',
  )
  flags.DEFINE_string('out', None, 'PNG file to write.', required=True)


def main():
  """Draws images by --mode, and writes the picture."""
  options = _options()
  # Of the alias absl counts both names.
  if FLAGS['pretrained'].present > FLAGS['preset'].present > 0:
    raise ValueError('--preset is --pretrained: only one of them may be given.')
  loaded = loading.load(FLAGS.workdir, FLAGS.checkpoint, FLAGS.pretrained)
  picture, what = _figure(loaded, **options)
  text = f'{loaded.label}: {what}, seed {FLAGS.seed}'
  figures.save_png(FLAGS.out, figures.captioned(picture, text), text)
  print(f'{text}; wrote {FLAGS.out}')


def _options():
  """Options of the mode by name, checked; defaults where none are given."""
  defaults = _DEFAULTS[FLAGS.mode]
  every = ('draws', 'num_given', 'steps', 'space', 'dimensions')
  for flag in command_line.given(*(o for o in every if o not in defaults)):
    raise ValueError(f'{flag} does not apply to --mode={FLAGS.mode}.')
  options: dict[str, Any] = {
    name: default if FLAGS[name].value is None else FLAGS[name].value
    for name, default in defaults.items()
  }
  for name in ('draws', 'steps'):
    total = options['num'] * (1 + options.get(name, 0))
    if total > _MOST:
      raise ValueError(
        f'--num and --{name} must make at most {_MOST} images, got {total}.'
      )
  if 'dimensions' in options:
    options['dimensions'] = command_line.integers('dimensions')
  command_line.check_model()
  files.check_new_file(FLAGS.out, True, '.png')
  return options


def _figure(loaded, num, **options):
  model, mode = loaded.model, FLAGS.mode
  if mode == 'prior':
    return figures.samples(model, num, FLAGS.seed)
  data = loaded.images(FLAGS.data_dir)
  if options.get('dimensions') == []:
    options['dimensions'] = sampling.most_used(
      model, data.test[:_RANKED], _DIMENSIONS, data.kind
    )
  each, what = 1, 'test images'
  if mode == 'interpolate':
    each, what = 2, 'pairs of test images'
  there = len(data.test) // each
  num = FLAGS.num or min(num, there)
  if not 0 < num <= there:
    raise ValueError(f'`num` must be at most the {there} {what}, got {num}.')
  images = data.test[: each * num]
  images = data_lib.fixed_binarization(images, 'test', kind=data.kind)
  return _FIGURES[mode](model, images, seed=FLAGS.seed, **options)
