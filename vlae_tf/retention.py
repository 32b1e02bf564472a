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
from vlae_tf.runs import loading
from vlae_tf.utils import command_line, console, fields, files, json_files

FLAGS = flags.FLAGS


def define_flags():
  command_line.define_run('Seed of all draws.', several=True)
  command_line.define_max_images(
    'Number of test images, the first of the data set.', 500, least=2
  )
  flags.DEFINE_integer(
    'shown', 24, 'Number of these images in the picture.', lower_bound=1
  )
  command_line.define_out('.png file to write.')


def main():
  """Decompresses images by each run; writes numbers and a picture."""
  numbers = os.path.splitext(FLAGS.out)[0] + '.json'
  files.check_new_file(FLAGS.out, FLAGS.overwrite, '.png')
  files.check_new_file(numbers, FLAGS.overwrite, '.json')
  for workdir in FLAGS.workdir:
    command_line.check_workdir(workdir)
  runs = [loading.restore(w, FLAGS.checkpoint) for w in FLAGS.workdir]
  labels = [run.label for run in runs]
  differ = len(set(labels)) == len(labels)
  fields.check('workdir', labels, differ, 'runs of other names')
  data = runs[0].images(FLAGS.data_dir)
  for workdir, run in zip(FLAGS.workdir, runs):
    latents.check_code(run.model, 'workdir')
    loading.check_same(run, data, FLAGS.data_dir, workdir)
  images = loading.first(data.test, FLAGS.max_images, data.name)
  images = data_lib.fixed_binarization(images, 'test', kind=data.kind)
  made = {}
  with console.Meter(len(runs), 'run') as meter:
    for label, run in zip(labels, runs):
      made[label] = sampling.decompress(run.model, images, 1, FLAGS.seed)[0]
      meter.advance(1)
  rows = {n: retention.measure(images, x[None]) for n, x in made.items()}
  print(f'{len(images):,} test images of {data.name}, a draw of each latent')
  print(retention.table(rows))
  text = f'originals, framed, and decompressions by {", ".join(labels)}'
  picture = figures.beside(
    images[: FLAGS.shown], np.stack([x[: FLAGS.shown] for x in made.values()])
  )
  figures.save_png(FLAGS.out, figures.captioned(picture, text), text)
  found = {label: retention.as_json(r) for label, r in rows.items()}
  about = {'dataset': data.name, 'num_images': len(images)}
  about |= {'seed': FLAGS.seed, 'runs': found}
  json_files.write(numbers, about)
  print(f'wrote {FLAGS.out} and {numbers}')
