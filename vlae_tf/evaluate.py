"""Scores a run: `python -m vlae_tf.evaluate --workdir=W --split=test`.

Prints a table and writes `W/eval/SPLIT.json`.
"""

from vlae_tf.system import command_line  # isort: skip (first: it quiets TensorFlow)

import json
import os

from absl import flags
from tqdm import tqdm

from vlae_tf import data as data_lib
from vlae_tf.analysis import likelihood
from vlae_tf.runs import workdirs
from vlae_tf.system import atomic

FLAGS = flags.FLAGS

command_line.define_workdir()
command_line.define_data_dir()
flags.DEFINE_enum(
  'split', 'test', ['train', 'validation', 'test'], 'Images to score.'
)
flags.DEFINE_integer('num_samples', 4096, 'Codes of each image.', lower_bound=1)
flags.DEFINE_integer('max_images', None, 'Score the first ones.', lower_bound=1)
flags.DEFINE_integer('seed', 0, 'Seed of the codes.', lower_bound=0)


def main():
  run = workdirs.restore(FLAGS.workdir)
  data = data_lib.load(run.config.dataset, FLAGS.data_dir or run.data_dir)
  images = data.split(FLAGS.split)[: FLAGS.max_images]
  evaluator = likelihood.Evaluator(run.model, FLAGS.num_samples, FLAGS.seed)
  with tqdm(total=len(images), unit='image', disable=None) as bar:
    estimates = evaluator(images, FLAGS.split, bar.update, data.kind)
  result = estimates.summary(run.image_shape) | {
    'step': run.step,
    'dataset': run.config.dataset,
    'train_on': run.config.train_on,
    'split': FLAGS.split,
    'seed': FLAGS.seed,
  }
  path = os.path.join(FLAGS.workdir, 'eval', f'{FLAGS.split}.json')
  atomic.write_text(path, json.dumps(result, indent=2) + '\n')
  print(likelihood.table(result))


if __name__ == '__main__':
  command_line.run(main)
