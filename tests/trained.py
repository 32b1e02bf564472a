"""Small trained runs that tests of commands, reports and loading share.

Each is trained once for one state of the sources, by the first worker that asks
for it, and kept in pytest's cache. Tests get copies, and may write into them.
"""

import functools
import hashlib
import importlib.metadata
import pathlib
import shutil

import commands
import filelock
import numpy as np
import toys

_ROOT = pathlib.Path(__file__).parents[1]


def _images(folder, num, size, levels=2):
  """Writes random images and returns the flag that names them."""
  kind = bool if levels == 2 else np.uint8
  images = np.random.default_rng(0).integers(0, levels, (num, *size))
  np.savez(folder / 'mine.npz', images.astype(kind))
  return f'--dataset={folder}/mine.npz'


def _small(folder):
  """Forty binary images, four of them for testing; two steps."""
  return [_images(folder, 40, (6, 7)), '--batch_size=4', '--max_steps=2']


def _flow(folder):
  """Sixty binary images; a flow prior, four steps."""
  data = _images(folder, 60, (8, 7))
  flow = ('--prior=flow', '--flow_steps=1', '--seed=7')
  return [data, *flow, '--batch_size=6', '--max_steps=4']


def _no_latent(folder):
  """The same images without a latent."""
  data = _images(folder, 60, (8, 7))
  return [data, '--latent_size=0', '--batch_size=6', '--max_steps=4']


def _colour(folder):
  """Sixty colour images of 256 levels."""
  data = _images(folder, 60, (8, 8, 3), levels=256)
  law = '--pixel_distribution=logistic_mixture'
  return [data, law, '--batch_size=6', '--max_steps=4']


def _digits(folder):
  """Digits of scikit-learn, which have labels; four steps."""
  del folder
  return ['--dataset=digits', '--max_steps=4']


def _digits_background(folder):
  """The same digits without a latent, pixels from a small window."""
  model = ('--latent_size=0', '--decoder=window', '--window=2x1')
  return [*_digits(folder), *model]


_FLAGS = {
  'small': _small,
  'flow': _flow,
  'no_latent': _no_latent,
  'colour': _colour,
  'digits': _digits,
  'digits_background': _digits_background,
}


@functools.cache
def _sources():
  """SHA-256 of all that a trained run depends on."""
  found = hashlib.sha256()
  for name in ('tensorflow', 'keras', 'numpy'):
    found.update(f'{name} {importlib.metadata.version(name)} '.encode())
  paths = [*(_ROOT / 'vlae_tf').rglob('*.py'), pathlib.Path(__file__)]
  for path in sorted(paths):
    found.update(path.read_bytes())
  return found.hexdigest()[:16]


def run(name, cache, folder):
  """Copies a trained run into a folder.

  Args:
    name: One of `_FLAGS`.
    cache: Directory to keep runs in.
    folder: Where to copy it to, a directory that is not there yet.

  Returns:
    The directory of the run, `folder/run`, beside the images, `mine.npz`.
  """
  kept = cache / _sources() / name
  with filelock.FileLock(cache / f'{name}.lock'):
    if not (kept / 'run').exists():
      _train(name, kept)
  return pathlib.Path(shutil.copytree(kept, folder)) / 'run'


def _train(name, folder):
  for old in folder.parent.parent.glob(f'*/{name}'):
    shutil.rmtree(old)
  folder.mkdir(parents=True)
  flags = [*toys.FLAGS, '--xla=none', '--quiet', *_FLAGS[name](folder)]
  workdir = folder / 'being_trained'
  with toys.functions_run_eagerly():
    result = commands.run('train', *flags, f'--workdir={workdir}')
  assert result.status == 0, result.stderr
  workdir.rename(folder / 'run')
