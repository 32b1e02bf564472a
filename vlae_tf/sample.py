"""Draws images: `python -m vlae_tf.sample --workdir=W --out=FILE.png`.

With --preset=omniglot in place of --workdir, those of a model of the package.
"""

from vlae_tf.utils import launcher  # isort: skip (first: it handles Ctrl-C)

if __name__ == '__main__':
  launcher.sample()

from collections.abc import Callable
from typing import Any

from absl import flags

from vlae_tf import data as data_lib
from vlae_tf.evaluation import exhibits, interpolation, pictures
from vlae_tf.runs import models
from vlae_tf.utils import command_line

FLAGS = flags.FLAGS

# What each mode can be told, and what it takes where the user does not say.
_DEFAULTS: dict[str, dict[str, Any]] = {
  'prior': {'num': 64},
  'decompress': {'num': 64, 'draws': 3},
  'complete': {'num': 64, 'draws': 3, 'num_given': None},
  'interpolate': {'num': 8, 'steps': 9, 'space': 'both'},
  'traverse': {'num': 1, 'steps': 9, 'space': 'eps', 'dimensions': None},
}
_OPTIONS = ('draws', 'num_given', 'steps', 'space', 'dimensions')
_EXHIBITS: dict[str, Callable[..., exhibits.Exhibit]] = {
  'decompress': exhibits.decompressions,
  'complete': exhibits.completions,
  'interpolate': exhibits.interpolations,
  'traverse': exhibits.traversals,
}
_MOST = 10_000  # Images in a picture.
# Flags that are integers: the least, the most, and help.
_NUMBERS = {
  'num': (
    1,
    _MOST,
    'Number of images, 64 by default; of pairs of them, 8, in '
    '--mode=interpolate; 1 in --mode=traverse; or all test images if they are '
    'less.',
  ),
  'draws': (
    1,
    _MOST,
    'Draws from each test image, 3 by default, in --mode=decompress and '
    'complete.',
  ),
  'num_given': (
    0,
    None,
    'Pixels given in --mode=complete, in raster order; the upper half by '
    'default.',
  ),
  'steps': (
    2,
    _MOST,
    'Images of a way in --mode=interpolate and traverse, 9 by default.',
  ),
}
_DIMENSIONS = 8  # Where the user names none.
_ENOUGH = 1000  # Images that tell which have the highest rates.


def define_flags():
  """Defines the flags of this command."""
  command_line.define_model()
  flags.DEFINE_alias('preset', 'pretrained')
  command_line.define_data_dir()
  command_line.define_seed('Seed of everything random.')
  flags.DEFINE_enum(
    'mode',
    'prior',
    list(_DEFAULTS),
    'Unconditional samples; or test images beside draws from their codes, or '
    'beside continuations of their first pixels; ways between the codes of '
    'test images; or codes in which one number at a time is changed.',
  )
  for name, (least, most, help) in _NUMBERS.items():
    flags.DEFINE_integer(name, None, help, lower_bound=least, upper_bound=most)
  flags.DEFINE_enum(
    'space',
    None,
    [*interpolation.SPACES, 'both'],
    'Where a way goes: in the noise that the prior makes codes of, or among '
    'the codes themselves; both by default in --mode=interpolate, eps in '
    '--mode=traverse.',
  )
  flags.DEFINE_list(
    'dimensions',
    None,
    'Numbers of the code, from 0, that --mode=traverse changes, 3,17; by '
    f'default the {_DIMENSIONS} of the highest rates.',
  )
  flags.DEFINE_string('out', None, 'PNG file to write.', required=True)


def main():
  """Draws what --mode says, and writes the picture."""
  _check_flags()
  loaded = models.load(FLAGS.workdir, FLAGS.checkpoint, FLAGS.pretrained)
  picture, what = _exhibit(loaded)
  text = f'{loaded.name}: {what}, seed {FLAGS.seed}'
  pictures.save_png(FLAGS.out, pictures.captioned(picture, text), 1, text)
  print(f'{text}; wrote {FLAGS.out}')


def _check_flags():
  """Refuses what cannot be, before anything is computed."""
  known = _DEFAULTS[FLAGS.mode]
  for flag in command_line.given(*(o for o in _OPTIONS if o not in known)):
    raise ValueError(f'{flag} says nothing of --mode={FLAGS.mode}.')
  for name in ('draws', 'steps'):
    if name in known and (num := _value('num') * (1 + _value(name))) > _MOST:
      raise ValueError(
        f'--num and --{name} must make at most {_MOST} images, got {num}.'
      )
  command_line.integers('dimensions')
  command_line.check_model()
  pictures.check_png_path(FLAGS.out)


def _value(name):
  """What the user gave, or what the mode takes."""
  value = FLAGS[name].value
  return _DEFAULTS[FLAGS.mode].get(name) if value is None else value


def _exhibit(loaded):
  """A picture, and what it is in words."""
  model, seed = loaded.model, FLAGS.seed
  if FLAGS.mode == 'prior':
    return exhibits.samples(model, _value('num'), seed)
  data = loaded.images(FLAGS.data_dir)
  told = {name: _value(name) for name in _DEFAULTS[FLAGS.mode]}
  if FLAGS.mode == 'traverse':
    told['dimensions'] = command_line.integers('dimensions')
    if not told['dimensions']:
      told['dimensions'] = interpolation.most_used(
        model, data.test[:_ENOUGH], _DIMENSIONS, data.kind
      )
  return _EXHIBITS[FLAGS.mode](
    model, _test_images(data, told.pop('num')), seed=seed, **told
  )


def _test_images(data, num):
  each, what = 1, 'test images'
  if FLAGS.mode == 'interpolate':
    each, what = 2, 'pairs of test images'
  there = len(data.test) // each
  num = FLAGS.num or min(num, there)
  if not 0 < num <= there:
    raise ValueError(f'`num` must be at most the {there} {what}, got {num}.')
  images = data.test[: each * num]
  return data_lib.fixed_binarization(images, 'test', kind=data.kind)
