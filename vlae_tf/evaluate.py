"""Estimates likelihoods: `python -m vlae_tf.evaluate --workdir=W --split=test`.

Prints a table and writes `W/eval/SPLIT_N_images_K_codes.json`. On a cluster all
workers score, and the chief prints and writes.
"""

from vlae_tf.utils import launcher  # isort: skip (first: it handles Ctrl-C)

if __name__ == '__main__':
  launcher.evaluate()

import dataclasses

from absl import flags

from vlae_tf.evaluation import likelihood
from vlae_tf.runs import loading, records
from vlae_tf.training import strategies
from vlae_tf.utils import command_line, console, files, json_files

FLAGS = flags.FLAGS
# Of a cluster whose other workers are not there.
_PATIENCE_S = 60.0


def define_flags():
  command_line.define_run('Seed of the importance samples.')
  flags.DEFINE_enum(
    'strategy',
    'auto',
    list(strategies.STRATEGIES),
    'Distribution strategy; its devices share the images.',
  )
  command_line.define_split('Images to score.')
  command_line.define_num_samples(
    'Importance samples per image: more samples tighten the bound on the '
    'likelihood and take longer.',
    128,
  )
  command_line.define_max_images(
    'Number of images, the first of the split; all by default.'
  )
  flags.DEFINE_bool(
    'spread',
    False,
    'Take --max_images evenly from the whole split, not its first images.',
  )


def main():
  """Scores the images of a split; prints and writes the result."""
  command_line.check_workdir(FLAGS.workdir)
  # On a CPU, batches in parallel, one for each core; TensorFlow starts later.
  is_one_cpu = strategies.is_one_cpu(FLAGS.strategy)
  streams = strategies.num_cores() if is_one_cpu else 1
  strategies.set_threads(streams, streams)
  strategy = strategies.create(FLAGS.strategy, patience=_PATIENCE_S)
  workers = strategies.Workers(strategy)
  with workers.explained():
    _score(strategy, workers, streams)


def _score(strategy, workers, streams):
  config = records.read_config(FLAGS.workdir)
  workers.check_same(lambda: dataclasses.asdict(config))
  with strategy.scope():
    run = loading.restore(FLAGS.workdir, FLAGS.checkpoint)
  data = run.images(FLAGS.data_dir)
  images = data.split(FLAGS.split)
  numbers = loading.some(
    len(images), FLAGS.max_images, f'--split={FLAGS.split}', FLAGS.spread
  )
  evaluator = likelihood.Evaluator(
    run.model, FLAGS.num_samples, FLAGS.seed, strategy, streams
  )
  settings = {
    'num_images': len(numbers),
    'num_samples': evaluator.num_samples,
    'step': run.step,
    'checkpoint': run.checkpoint,
    'dataset': run.config.dataset,
    'train_on': run.config.train_on,
    'split': FLAGS.split,
    'seed': FLAGS.seed,
    **({'spread': True} if FLAGS.spread else {}),
  }
  path = records.score_path(FLAGS.workdir, settings)
  if workers.is_chief:
    files.check_writable(path)  # Before long work.
  digests = {
    'weights': likelihood.digest(run.model),
    'data_sha256': run.fingerprint,
  }
  workers.check_same(lambda: settings | digests | records.versions())
  partial = likelihood.PartialScore(path, settings | digests)
  done = int(workers.of_chief(lambda: {'n': partial.num_images}, ['n'])['n'])
  if done:
    print(f'{done} images were done before', flush=True)
  with console.Meter(len(numbers), 'image', initial=done) as meter:
    for part in evaluator.parts(images, FLAGS.split, data.kind, numbers[done:]):
      part.checked()
      if workers.is_chief:
        partial.add(part)
      meter.advance(len(part.log_prob))
  if not workers.is_chief:
    print(f'the chief writes {path}')
    return
  if partial.num_images != len(numbers):
    raise ValueError(
      f'{path} must be of {len(numbers)} images, got the likelihoods of '
      f'{partial.num_images}. Remove {path.removesuffix(".json")}.part.npz.'
    )
  summary = partial.finish().summary(run.image_shape, evaluator.num_samples)
  json_files.write(path, summary | settings)
  print(run.label)
  print(f'{likelihood.table(summary)}\nwrote {path}')
