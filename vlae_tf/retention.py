"""Compares decompressions: `python -m vlae_tf.retention --workdir=W --out=F`.

Decompresses test images by one or several runs on the same images, and measures
how much of luminance and of colour is preserved at several scales: what is in
the window of the decoder need not be in the latents. Writes --out, originals
beside the decompressions of each run, with all numbers in a `.json` beside it.
"""

from vlae_tf.utils import launcher  # isort: skip (first: it handles Ctrl-C)

if __name__ == '__main__':
  launcher.retention()

import os

import numpy as np
from absl import flags

from vlae_tf import data as data_lib
from vlae_tf.evaluation import figures, latents, retention, sampling
from vlae_tf.runs import loading, records
from vlae_tf.utils import command_line, console, files

FLAGS = flags.FLAGS


def define_flags():
  flags.DEFINE_multi_string(
    'workdir',
    None,
    'Directory of a run; repeat the flag for several runs.',
    required=True,
  )
  command_line.define('checkpoint', 'data_dir', 'quiet', 'overwrite')
  command_line.define_seed('Seed of all draws.')
  flags.DEFINE_integer(
    'max_images',
    500,
    'Number of test images, the first of the data set.',
    lower_bound=2,
  )
  flags.DEFINE_integer(
    'shown', 24, 'Number of these images in the picture.', lower_bound=1
  )
  flags.DEFINE_string('out', None, '.png file to write.', required=True)


def main():
  """Decompresses images by each run; writes numbers and a picture."""
  numbers = os.path.splitext(FLAGS.out)[0] + '.json'
  files.check_new_file(FLAGS.out, FLAGS.overwrite, '.png')
  files.check_new_file(numbers, FLAGS.overwrite, '.json')
  for workdir in FLAGS.workdir:
    command_line.check_workdir(workdir)
  runs = [loading.restore(w, FLAGS.checkpoint) for w in FLAGS.workdir]
  labels = [run.label for run in runs]
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
  picture = figures.beside(
    images[: FLAGS.shown], np.stack([x[: FLAGS.shown] for x in made.values()])
  )
  figures.save_png(FLAGS.out, figures.captioned(picture, text), 1, text)
  found = {label: retention.as_json(r) for label, r in rows.items()}
  about = {'dataset': name, 'num_images': len(images), 'seed': FLAGS.seed}
  records.write_json(numbers, about | {'runs': found})
  print(f'wrote {FLAGS.out} and {numbers}')


def _images(runs):
  """Binarised test images of all runs, and the name of their data set."""
  data = runs[0].images(FLAGS.data_dir)
  for workdir, run in zip(FLAGS.workdir, runs):
    latents.check_code(run.model, 'workdir')
    loading.check_same(run, data, FLAGS.data_dir, workdir)
  images = loading.first(data.test, FLAGS.max_images, data.name)
  seen = data_lib.fixed_binarization(images, 'test', kind=data.kind)
  return seen, data.name
