"""Writes latents: `python -m vlae_tf.embed --workdir=W --out=FILE.npz`.

The file holds `mean` and `stddev` of the posterior of each image of --split;
`eps`, the noise from which the prior computes the mean; `index`, the number of
the image; `labels` where the data set has labels; and `metadata`, JSON.
"""

from vlae_tf.utils import launcher  # isort: skip (first: it handles Ctrl-C)

if __name__ == '__main__':
  launcher.embed()

import json

import numpy as np
from absl import flags

from vlae_tf.evaluation import latents
from vlae_tf.runs import loading
from vlae_tf.utils import command_line, console, files

FLAGS = flags.FLAGS


def define_flags():
  command_line.define_run()
  command_line.define_split('Images to encode.')
  command_line.define_out('.npz file to write.')


def main():
  """Encodes the images of a split; writes their latents."""
  command_line.check_workdir(FLAGS.workdir)
  files.check_new_file(FLAGS.out, FLAGS.overwrite, '.npz')
  run = loading.restore(FLAGS.workdir, FLAGS.checkpoint)
  latents.check_code(run.model, 'workdir')
  data = run.images(FLAGS.data_dir)
  images = data.split(FLAGS.split)
  with console.Meter(len(images), 'image') as meter:
    found = latents.encode_all(
      run.model, images, FLAGS.split, data.kind, meter.advance
    )
  arrays = found._asdict() | {'index': np.arange(len(images))}
  if data.labels is not None:
    arrays['labels'] = data.labels[FLAGS.split]
  about = {
    'run': run.label,
    'step': run.step,
    'checkpoint': run.checkpoint,
    'dataset': run.config.dataset,
    'fingerprint': run.fingerprint,
    'split': FLAGS.split,
  }
  arrays['metadata'] = json.dumps(about)
  files.write_arrays(FLAGS.out, arrays)
  shape = ', '.join(map(str, found.mean.shape))
  words = '' if 'labels' in arrays else ', without labels'
  print(f'{run.label}: latents of --split={FLAGS.split}, [{shape}]{words}')
  print(f'wrote {FLAGS.out}')
