"""Detects out-of-distribution images: `python -m vlae_tf.anomaly --workdir=W`.

Scores test images of the run and of --against by their likelihood and, with
--background, by its ratio to that of a second run. Prints a table and writes
`W/eval/anomaly_....json`; --out gets the score of each image.
"""

from vlae_tf.utils import launcher  # isort: skip (first: it handles Ctrl-C)

if __name__ == '__main__':
  launcher.anomaly()

import json

from absl import flags

from vlae_tf.evaluation import anomaly
from vlae_tf.runs import loading, records
from vlae_tf.utils import command_line, console, fields, files, json_files

FLAGS = flags.FLAGS


def define_flags():
  command_line.define_run('Seed of the importance samples.')
  flags.DEFINE_string(
    'against',
    None,
    'Data set of the other test images: a name or a path, see --dataset of '
    'train.',
    required=True,
  )
  flags.DEFINE_string(
    'background',
    None,
    'Directory of a background run on the same images: a small window and no '
    'latents, --decoder=window --window=2x1 --latent_size=0.',
  )
  command_line.define_num_samples('Importance samples per image.', 16)
  command_line.define_max_images(
    'Number of images, the first of each data set; all by default.'
  )
  command_line.define_out(
    '.npz file for the score of each image.', required=False
  )


def main():
  """Scores both sets of images; prints and writes how well scores differ."""
  command_line.check_workdir(FLAGS.workdir)
  if FLAGS.out is not None:
    files.check_new_file(FLAGS.out, FLAGS.overwrite, '.npz')
  run = loading.restore(FLAGS.workdir, FLAGS.checkpoint)
  background = None
  if FLAGS.background is not None:
    command_line.check_workdir(FLAGS.background, 'background')
    with fields.named('background', 'workdir'):
      background = loading.restore(FLAGS.background)
  scorer = anomaly.Scorer(
    run.model, FLAGS.num_samples, FLAGS.seed, background and background.model
  )
  own = run.images(FLAGS.data_dir)
  other = loading.load_other(FLAGS.against, run, FLAGS.data_dir, 'against')
  images = []
  for name, data in (('dataset', own), ('against', other)):
    scorer.check(data.test, data.kind, name)
    images.append(loading.first(data.test, FLAGS.max_images, data.name))
  result = {
    'step': run.step,
    'checkpoint': run.checkpoint,
    'dataset': own.name,
    'against': other.name,
    'num_images': len(images[0]),
    'num_others': len(images[1]),
    'num_samples': FLAGS.num_samples,
    'background': loading.name_of(FLAGS.background),
    'background_step': background and background.step,
    'seed': FLAGS.seed,
  }
  path = records.anomaly_path(FLAGS.workdir, result)
  files.check_writable(path)
  total = len(scorer.models) * sum(map(len, images))
  with console.Meter(total, 'image') as meter:
    found = [
      scorer(x, meter.advance, data.kind)
      for x, data in zip(images, (own, other))
    ]
  rows = anomaly.separations(*found)
  print(run.label)
  print(anomaly.table(rows, own.name, other.name))
  if FLAGS.out is not None:
    arrays = anomaly.arrays(*found) | {'metadata': json.dumps(result)}
    files.write_arrays(FLAGS.out, arrays)
    print(f'wrote {FLAGS.out}')
  scores = {name: row._asdict() for name, row in rows.items()}
  json_files.write(path, result | {'scores': scores})
  print(f'wrote {path}')
