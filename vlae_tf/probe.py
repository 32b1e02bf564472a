"""Asks codes for labels: `python -m vlae_tf.probe --workdir=W`.

Fits a linear probe and a vote of nearest neighbours to codes of few or all
training images, and spreads few labels among the codes of all of them. Prints
accuracies on the test images beside controls: raw pixels, shuffled codes, and
the codes of --baseline. Writes `W/eval/probe_....json`, or --out.
"""

from vlae_tf.utils import launcher  # isort: skip (first: it handles Ctrl-C)

if __name__ == '__main__':
  launcher.probe()

from absl import flags

from vlae_tf.evaluation import features, inputs, probing
from vlae_tf.runs import images as images_lib
from vlae_tf.runs import scores, workdirs
from vlae_tf.utils import command_line, console, files

FLAGS = flags.FLAGS

# What the labels of a data set are.
_KINDS = {
  'digits': 'digits',
  'dynamic_mnist': 'digits',
  'omniglot': 'alphabets',
  'caltech101': 'objects',
}


def define_flags():
  """Defines the flags of this command."""
  command_line.define_workdir()
  command_line.define_checkpoint()
  command_line.define_data_dir()
  command_line.define_quiet()
  command_line.define_seed('Seed of the draws of labelled images.')
  command_line.define_overwrite()
  flags.DEFINE_string(
    'baseline',
    None,
    'Directory of another run on the same images, with a decoder that leaves '
    'all to the code: --decoder=factorised.',
  )
  flags.DEFINE_list(
    'num_labels',
    None,
    'Numbers of labelled images, 100,1000,10000,all by default, as far as '
    'there are; balanced, as far as classes are.',
  )
  flags.DEFINE_integer(
    'repeats', 5, 'Draws of labelled images.', lower_bound=1, upper_bound=1000
  )
  flags.DEFINE_enum(
    'features',
    'both',
    ['mean', 'eps', 'both'],
    'The posterior mean, or the noise that the prior makes it of.',
  )
  flags.DEFINE_integer(
    'num_neighbors', 5, 'Neighbours that vote.', lower_bound=1
  )
  flags.DEFINE_integer(
    'max_images',
    None,
    'Take the first training and the first test images, for a quick look; all '
    'by default.',
    lower_bound=1,
  )
  flags.DEFINE_string(
    'out', None, '.json file to write, in place of that in --workdir.'
  )


def main():
  """Fits classifiers to features of images, and writes their accuracies."""
  _check_flags()
  run = workdirs.restore(FLAGS.workdir, FLAGS.checkpoint)
  inputs.check_code(run.model, 'workdir')
  data = images_lib.load(run, FLAGS.data_dir)
  baseline = _baseline(data)
  data = images_lib.trimmed(data, FLAGS.max_images)
  prober = probing.Prober(data, FLAGS.repeats, FLAGS.num_neighbors, FLAGS.seed)
  every = {'all': prober.num_train}
  numbers = command_line.integers('num_labels', every) or prober.usual()
  prober.check(numbers)
  settings = _settings(run, baseline, data, numbers)
  out = FLAGS.out or scores.probe_path(FLAGS.workdir, settings)
  files.check_writable(out)
  kinds = ['mean', 'eps'] if FLAGS.features == 'both' else [FLAGS.features]
  given = _features(run.model, data, kinds)
  if baseline is not None:
    given += _features(baseline.model, data, kinds[:1], 'baseline ')
  given.append(features.of_pixels(data))
  control = features.shuffled(given[0], FLAGS.seed)
  with console.Meter(prober.num_fits(numbers, len(given)), 'fit') as meter:
    found = prober(given, control, numbers, meter.advance)
  print(images_lib.label(FLAGS.workdir, run))
  print(probing.text(found, data, _KINDS.get(data.name, 'classes')))
  scores.write_to(out, settings | probing.as_json(found))
  print(f'wrote {out}')


def _check_flags():
  """Refuses what cannot be, before anything is computed."""
  command_line.check_workdir(FLAGS.workdir)
  if FLAGS.baseline is not None:
    command_line.check_workdir(FLAGS.baseline, 'baseline')
  if FLAGS.out is not None:
    files.check_new_file(FLAGS.out, FLAGS.overwrite, '.json')
  command_line.integers('num_labels', {'all': 0})


def _baseline(data):
  """The run of --baseline, of the same images."""
  if FLAGS.baseline is None:
    return None
  run = workdirs.restore(FLAGS.baseline)
  inputs.check_code(run.model, 'baseline')
  images_lib.check_same(run, data, FLAGS.data_dir, 'baseline')
  return run


def _features(model, data, kinds, whose=''):
  with console.Meter(len(data.train) + len(data.test), 'image') as meter:
    return features.of_codes(model, data, kinds, whose, meter.advance)


def _settings(run, baseline, data, numbers):
  """What was asked for."""
  return {
    'step': run.step,
    'checkpoint': run.checkpoint,
    'dataset': data.name,
    'baseline': images_lib.name_of(FLAGS.baseline),
    'baseline_step': baseline and baseline.step,
    'num_train': len(data.train),
    'num_test': len(data.test),
    'num_labels': numbers,
    'repeats': FLAGS.repeats,
    'num_neighbors': FLAGS.num_neighbors,
    'seed': FLAGS.seed,
  }
