"""Classifies images by their latents: `python -m vlae_tf.probe --workdir=W`.

Fits a linear probe and a vote of nearest neighbours to latents of few or all
training images, and spreads few labels among the latents of all of them. Prints
accuracies on the test images beside controls: raw pixels, shuffled latents, and
the latents of --baseline. Writes `W/eval/probe_....json`, or --out.
"""

from vlae_tf.utils import launcher  # isort: skip (first: it handles Ctrl-C)

if __name__ == '__main__':
  launcher.probe()

from absl import flags

from vlae_tf.evaluation import latents, probing
from vlae_tf.runs import loading, records
from vlae_tf.utils import command_line, console, fields, files, json_files

FLAGS = flags.FLAGS

# Names of the classes, by data set.
_CLASSES = {
  'digits': 'digits',
  'dynamic_mnist': 'digits',
  'omniglot': 'alphabets',
  'caltech101': 'objects',
}


def define_flags():
  command_line.define_run('Seed of the draws of labelled images.')
  flags.DEFINE_string(
    'baseline',
    None,
    'Directory of another run on the same images, such as one with '
    '--decoder=factorised, which has only the latents.',
  )
  flags.DEFINE_list(
    'num_labels',
    None,
    'Numbers of labelled images, 100,1000,10000,all by default, as far as '
    'there are; classes are balanced as far as possible.',
  )
  flags.DEFINE_integer(
    'repeats', 5, 'Draws of labelled images for each number.', 1, 1000
  )
  flags.DEFINE_enum(
    'features',
    'both',
    ['mean', 'eps', 'both'],
    'The posterior mean, or the noise from which the prior computes it.',
  )
  flags.DEFINE_integer(
    'num_neighbors', 5, 'Neighbours that vote.', lower_bound=1
  )
  command_line.define_max_images(
    'Number of training images and of test images, the first of each; all by '
    'default.'
  )
  command_line.define_out(
    '.json file to write, in place of the one in --workdir.', required=False
  )


def main():
  """Fits classifiers to features of images; prints and writes accuracies."""
  command_line.check_workdir(FLAGS.workdir)
  if FLAGS.baseline is not None:
    command_line.check_workdir(FLAGS.baseline, 'baseline')
  if FLAGS.out is not None:
    files.check_new_file(FLAGS.out, FLAGS.overwrite, '.json')
  command_line.integers('num_labels', {'all': 0})  # Checks them early.
  run = loading.restore(FLAGS.workdir, FLAGS.checkpoint)
  latents.check_code(run.model, 'workdir')
  data = run.images(FLAGS.data_dir)
  baseline = None
  if FLAGS.baseline is not None:
    with fields.named('baseline', 'workdir'):
      baseline = loading.restore(FLAGS.baseline)
    latents.check_code(baseline.model, 'baseline')
    loading.check_same(baseline, data, FLAGS.data_dir, 'baseline')
  data = loading.trimmed(data, FLAGS.max_images)
  prober = probing.Prober(data, FLAGS.repeats, FLAGS.num_neighbors, FLAGS.seed)
  every = {'all': prober.num_train}
  numbers = command_line.integers('num_labels', every) or prober.usual()
  prober.check(numbers)
  settings = {
    'step': run.step,
    'checkpoint': run.checkpoint,
    'dataset': data.name,
    'baseline': loading.name_of(FLAGS.baseline),
    'baseline_step': baseline and baseline.step,
    'num_train': len(data.train),
    'num_test': len(data.test),
    'num_labels': numbers,
    'repeats': FLAGS.repeats,
    'num_neighbors': FLAGS.num_neighbors,
    'seed': FLAGS.seed,
  }
  out = FLAGS.out or records.probe_path(FLAGS.workdir, settings)
  files.check_writable(out)
  kinds = ['mean', 'eps'] if FLAGS.features == 'both' else [FLAGS.features]
  features = _features(run.model, data, kinds)
  if baseline is not None:
    features += _features(baseline.model, data, kinds[:1], 'baseline ')
  features.append(probing.of_pixels(data))
  control = probing.shuffled(features[0], FLAGS.seed)
  with console.Meter(prober.num_fits(numbers, len(features)), 'fit') as meter:
    found = prober(features, control, numbers, meter.advance)
  print(run.label)
  print(probing.text(found, data, _CLASSES.get(data.name, 'classes')))
  json_files.write(out, settings | probing.as_json(found))
  print(f'wrote {out}')


def _features(model, data, kinds, prefix=''):
  with console.Meter(len(data.train) + len(data.test), 'image') as meter:
    return probing.of_codes(model, data, kinds, prefix, meter.advance)
