"""What codes keep of images: `python -m vlae_tf.retention --workdir=W --out=F`.

Decompresses test images by one or several runs on the same images, and says how
much of luminance and of colour comes back at several scales: what the window of
the decoder sees need not be in the code. Writes --out, originals beside the
decompressions of each run, with all numbers in a `.json` beside it.
"""

from vlae_tf.utils import launcher  # isort: skip (first: it handles Ctrl-C)

if __name__ == '__main__':
  launcher.retention()

import os

import numpy as np
from absl import flags

from vlae_tf import data as data_lib
from vlae_tf.evaluation import inputs, pictures, retention, sampling
from vlae_tf.runs import images as images_lib
from vlae_tf.runs import scores, workdirs
from vlae_tf.utils import command_line, console, files

FLAGS = flags.FLAGS


def define_flags():
  """Defines the flags of this command."""
  flags.DEFINE_multi_string(
    'workdir',
    None,
    'Directory of a run; once for each of several.',
    required=True,
  )
  command_line.define_checkpoint()
  command_line.define_data_dir()
  command_line.define_quiet()
  command_line.define_seed('Seed of all draws.')
  command_line.define_overwrite()
  flags.DEFINE_integer(
    'max_images', 500, 'Take the first test images.', lower_bound=2
  )
  flags.DEFINE_integer(
    'shown', 24, 'How many of them are in the picture.', lower_bound=1
  )
  flags.DEFINE_string('out', None, '.png file to write.', required=True)


def main():
  """Decompresses images by each run, and writes numbers and picture."""
  numbers = os.path.splitext(FLAGS.out)[0] + '.json'
  files.check_new_file(FLAGS.out, FLAGS.overwrite, '.png')
  files.check_new_file(numbers, FLAGS.overwrite, '.json')
  for workdir in FLAGS.workdir:
    command_line.check_workdir(workdir)
  runs = [workdirs.restore(w, FLAGS.checkpoint) for w in FLAGS.workdir]
  labels = [images_lib.label(*pair) for pair in zip(FLAGS.workdir, runs)]
  if len(set(labels)) < len(labels):
    raise ValueError(f'`workdir` must be runs of other names, got {labels}.')
  images, name = _images(runs)
  made = {}
  with console.Meter(len(runs), 'run') as meter:
    for label, run in zip(labels, runs):
      made[label] = sampling.decompress(run.model, images, 1, FLAGS.seed)[0]
      meter.advance(1)
  rows = {n: retention.measure(images, x[None]) for n, x in made.items()}
  print(f'{len(images):,} test images of {name}, a draw of each code')
  print(retention.table(rows))
  text = f'originals, framed, and decompressions by {", ".join(labels)}'
  picture = pictures.beside(
    images[: FLAGS.shown], np.stack([x[: FLAGS.shown] for x in made.values()])
  )
  pictures.save_png(FLAGS.out, pictures.captioned(picture, text), 1, text)
  found = {label: retention.as_json(r) for label, r in rows.items()}
  told = {'dataset': name, 'num_images': len(images), 'seed': FLAGS.seed}
  scores.write_to(numbers, told | {'runs': found})
  print(f'wrote {FLAGS.out} and {numbers}')


def _images(runs):
  """Test images as all models see them, and the name of their data set."""
  data = images_lib.load(runs[0], FLAGS.data_dir)
  for workdir, run in zip(FLAGS.workdir, runs):
    inputs.check_code(run.model, 'workdir')
    images_lib.check_same(run, data, FLAGS.data_dir, workdir)
  images = images_lib.first(data.test, FLAGS.max_images, data.name)
  seen = data_lib.fixed_binarization(images, 'test', kind=data.kind)
  return seen, data.name
