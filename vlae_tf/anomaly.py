"""Tells images from a run's own: `python -m vlae_tf.anomaly --workdir=W`.

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
from vlae_tf.runs import images as images_lib
from vlae_tf.runs import scores, workdirs
from vlae_tf.utils import command_line, console, files

FLAGS = flags.FLAGS


def define_flags():
  """Defines the flags of this command."""
  command_line.define_workdir()
  command_line.define_checkpoint()
  command_line.define_data_dir()
  command_line.define_quiet()
  command_line.define_seed('Seed of the codes.')
  command_line.define_overwrite()
  flags.DEFINE_string(
    'against',
    None,
    'Data set whose test images are the others, or a path, see --dataset of '
    'train.',
    required=True,
  )
  flags.DEFINE_string(
    'background',
    None,
    'Directory of a run on the same images that knows little of them: a small '
    'window and no code, --decoder=window --window=2x1 --latent_size=0.',
  )
  flags.DEFINE_integer(
    'num_samples',
    16,
    'Codes of each image.',
    lower_bound=1,
    upper_bound=1_000_000,
  )
  flags.DEFINE_integer(
    'max_images',
    None,
    'Score the first ones of each; all by default.',
    lower_bound=1,
  )
  flags.DEFINE_string('out', None, '.npz file for the score of each image.')


def main():
  """Scores both sets of images, and says how well scores part them."""
  command_line.check_workdir(FLAGS.workdir)
  if FLAGS.out is not None:
    files.check_new_file(FLAGS.out, FLAGS.overwrite, '.npz')
  run = workdirs.restore(FLAGS.workdir, FLAGS.checkpoint)
  background = _background()
  scorer = anomaly.Scorer(
    run.model,
    FLAGS.num_samples,
    FLAGS.seed,
    background and background.model,
  )
  data = _data_sets(run, scorer)
  images = [images_lib.first(d.test, FLAGS.max_images, d.name) for d in data]
  result = _settings(run, background, data, images)
  path = scores.anomaly_path(FLAGS.workdir, result)
  files.check_writable(path)
  found = []
  total = scorer.num_models * sum(map(len, images))
  with console.Meter(total, 'image') as meter:
    for x, d in zip(images, data):
      found.append(scorer(x, meter.advance, d.kind))
  rows = anomaly.separations(*found)
  print(images_lib.label(FLAGS.workdir, run))
  print(anomaly.table(rows, *(d.name for d in data)))
  if FLAGS.out is not None:
    arrays = anomaly.arrays(*found) | {'metadata': json.dumps(result)}
    files.write_arrays(FLAGS.out, arrays)
    print(f'wrote {FLAGS.out}')
  scores.write_to(path, result | {'scores': anomaly.as_json(rows)})
  print(f'wrote {path}')


def _background():
  """The run of --background."""
  if FLAGS.background is None:
    return None
  command_line.check_workdir(FLAGS.background, 'background')
  return workdirs.restore(FLAGS.background)


def _data_sets(run, scorer):
  """The run's own data and that of --against, both checked."""
  own = images_lib.load(run, FLAGS.data_dir)
  other = images_lib.load_other(FLAGS.against, run, FLAGS.data_dir, 'against')
  anomaly.check_shape(run.model, other, 'against')
  for data in (own, other):
    scorer.check(data.test, data.kind)
  return own, other


def _settings(run, background, data, images):
  """What was asked for."""
  return {
    'step': run.step,
    'checkpoint': run.checkpoint,
    'dataset': data[0].name,
    'against': data[1].name,
    'num_images': len(images[0]),
    'num_others': len(images[1]),
    'num_samples': FLAGS.num_samples,
    'background': images_lib.name_of(FLAGS.background),
    'background_step': background and background.step,
    'seed': FLAGS.seed,
  }
