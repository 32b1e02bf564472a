"""Puts a trained model into the package at half precision, if that is harmless.

`python benchmarks/shipping.py --runs=RUNS --name=omniglot`

The weights go into `vlae_tf/pretrained_models/NAME` as float16. The same codes
then score the same test images, from all over the set, with the weights of the
run and with those of the folder: the mean difference goes into
`results/half_precision.json`, and a difference of more than 0.01 nats an image
is an error.
"""

from vlae_tf.utils import launcher  # isort: skip (first: it quiets TensorFlow)

if __name__ == '__main__':
  launcher.import_tensorflow()

import json
import os
import pathlib

from absl import flags

from vlae_tf.evaluation import likelihood
from vlae_tf.runs import loading, pretrained
from vlae_tf.utils import command_line, files

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_MOST = 0.01  # Nats an image.

FLAGS = flags.FLAGS
flags.DEFINE_string('runs', 'runs', 'Folder of the directories of runs.')
flags.DEFINE_multi_string('name', None, 'Name of a run.', required=True)
flags.DEFINE_string('data_dir', None, 'Root of data sets.')
flags.DEFINE_integer('num_images', 300, 'Images.', lower_bound=2)
flags.DEFINE_integer('num_samples', 64, 'Codes of each.', lower_bound=1)


def ship(name):
  """Writes the folder of a run; what half of the digits cost it."""
  workdir = pathlib.Path(FLAGS.runs) / name
  run = loading.restore(workdir)
  folder = _ROOT / 'vlae_tf/pretrained_models' / name
  run.model.save_pretrained(
    folder,
    about={'run': run.label} | run.about(),
    dtype='float16',
    keras_weights=False,
    overwrite=folder.exists(),
  )
  models = {'float32': run.model, 'float16': pretrained.from_pretrained(folder)}
  data = run.images(FLAGS.data_dir)
  numbers = loading.some(len(data.test), FLAGS.num_images, name, True)
  nll = {}
  for dtype, model in models.items():
    evaluator = likelihood.Evaluator(model, FLAGS.num_samples)
    parts = evaluator.parts(data.test, 'test', data.kind, numbers)
    nll[dtype] = -likelihood.joined([*parts]).log_prob
  change = nll['float16'] - nll['float32']
  return {
    'step': run.step,
    'nll_change': float(change.mean()),
    'nll_change_stderr': likelihood.standard_error(change),
    'num_images': len(numbers),
    'num_samples': FLAGS.num_samples,
    'bytes': os.path.getsize(folder / 'model.safetensors'),
  }


def main():
  path = _ROOT / 'results/half_precision.json'
  found = json.loads(path.read_text()) if path.exists() else {}
  for name in FLAGS.name:
    found[name] = ship(name)
    print(name, found[name])
    files.write_text(path, json.dumps(found, indent=2, sort_keys=True) + '\n')
    if abs(found[name]['nll_change']) > _MOST:
      raise ValueError(
        f'half precision must change the NLL by at most {_MOST} nats, got '
        f'{found[name]["nll_change"]} of {name}.'
      )


if __name__ == '__main__':
  command_line.run(main)
