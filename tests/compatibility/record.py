"""Records files of this version: `python tests/compatibility/record.py`.

Only for a new kind of model or file: what was recorded before must go on being
read. A kind that is there already is left as it is.
"""

import json
import os
import pathlib
import shutil
import sys
import tempfile

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import numpy as np
import tensorflow as tf
import toys
from conformance import cases

import vlae_tf
from compatibility import frozen
from vlae_tf import data

_SAVED = ('flow-pixelcnn', 'iaf-pixelcnn', 'colour')  # As `.keras` as well.
_RUN_FLAGS = [
  '--dataset=digits',
  '--batch_size=20',
  '--encoder_widths=4',
  '--encoder_units=6',
  '--latent_size=3',
  '--flow_steps=1',
  '--flow_units=7',
  '--decoder_units=5',
  '--decoder_features=2',
  '--seed=7',
  '--max_epochs=3',
]


def _kinds():
  """Configs and shapes of images by name: every registered name is in one."""
  found = {}
  for case in cases.model_configs():
    parts = [case.prior, case.decoder]
    if not case.latent_size:
      parts = ['learned' if case.learned_maps else 'none', case.decoder]
    if case.posterior == 'iaf':
      parts[0] = 'iaf'
    shape = (3, 4, cases.channels(case, 1))
    found['-'.join(parts)] = case, shape
  found['tied'] = cases.config(decoder_tied=True, prior='gaussian'), (6, 5, 1)
  found['colour'] = (
    cases.config(decoder='pixelcnn_pp', pixel_distribution='logistic_mixture'),
    (4, 6, 3),
  )
  return found


def _record_kind(name, case, shape):
  folder = frozen.FILES / name
  folder.mkdir()
  model = toys.random_model(case, shape)
  model.save_pretrained(folder / 'model', keras_weights=False)
  rng = np.random.default_rng(0)
  if case.pixel_distribution == 'bernoulli':
    stored = rng.integers(0, 2, (6, *shape)).astype(bool)
  else:
    stored = rng.integers(0, 256, (6, *shape)).astype('uint8')
  np.savez_compressed(folder / 'images.npz', images=stored)
  if case.posterior != 'iaf':
    _record_compressed(name, case)
  if name in _SAVED:
    model.save(folder / 'model.keras')
  numbers = {'terms': frozen.terms(model, stored)} | frozen.samples(model)
  _write(folder / 'numbers.json', numbers)


def _record_compressed(name, case):
  folder = frozen.FILES / name
  for file, args in frozen.COMPRESSED.items():
    # The search for lossy codes does not take a dense flow on a spatial latent.
    has_lossy = case.latent_size and name != 'flow-pixelcnn_pp'
    if 'lossy' in file and not has_lossy:
      continue
    frozen.compress(name, folder / file, *args)
    if 'lossy' in file:
      out = folder / 'lossy.npz'
      frozen.decompress(name, folder / file, out, '--seed=3')
  if name in _SAVED:
    out = folder / frozen.APPENDED
    shutil.copy(folder / 'lossless.vlae', out)
    frozen.run_command(
      'compress',
      f'--pretrained={folder / "model"}',
      f'--in={folder / "images.npz"}',
      f'--out={out}',
      '--append',
    )


def _record_run():
  frozen.RUN.mkdir()
  text = ''.join(f'{flag}\n' for flag in _RUN_FLAGS)
  (frozen.RUN / 'flags.txt').write_text(text)
  with tempfile.TemporaryDirectory() as folder:
    workdir = pathlib.Path(folder) / 'run'
    steps = f'--max_steps={frozen.NUM_STEPS}'
    other = ('--quiet', '--xla=none', f'--workdir={workdir}', steps)
    frozen.run_command('train', *_RUN_FLAGS, *other)
    shutil.rmtree(workdir / 'logs')
    shutil.copytree(workdir, frozen.RUN / 'workdir')
    _write_first_format(workdir)
    numbers = {'scores': frozen.scores(workdir)}
    numbers['exported'] = frozen.exported(workdir, pathlib.Path(folder) / 'out')
    frozen.picture(workdir, frozen.RUN / 'samples.png')
    numbers['losses'] = frozen.resumed_losses(workdir)
  _write(frozen.RUN / 'numbers.json', numbers)


def _write_first_format(workdir):
  """Writes the checkpoint of a run as the first version wrote it."""
  run = vlae_tf.restore(workdir)
  trainer = vlae_tf.Trainer(run.config, data.load('digits'), workdir)

  class Group(tf.Module):
    def __init__(self, values):
      super().__init__()
      self.values = [v.value for v in values]

  frozen.FIRST_FORMAT.mkdir()
  groups = {k: Group(v) for k, v in trainer.state.groups().items()}
  path = frozen.FIRST_FORMAT / f'ckpt-{frozen.NUM_STEPS}'
  tf.train.Checkpoint(**groups).write(str(path))


def _record_losses():
  found = {}
  if frozen.LOSSES.exists():
    found = json.loads(frozen.LOSSES.read_text())
  presets = (frozen.FILES.parents[2] / 'flags').glob('*.flags')
  for name in sorted(path.stem for path in presets):
    if name in found or name == 'final':
      continue
    with tempfile.TemporaryDirectory() as folder:
      found[name] = frozen.preset_losses(name, pathlib.Path(folder))
    _write(frozen.LOSSES, found)
    print(name, flush=True)


def _write(path, numbers):
  path.write_text(json.dumps(numbers, indent=1) + '\n', encoding='utf-8')


def main():
  frozen.FILES.mkdir(exist_ok=True)
  with toys.functions_run_eagerly():
    for name, (case, shape) in _kinds().items():
      if not (frozen.FILES / name / 'numbers.json').exists():
        shutil.rmtree(frozen.FILES / name, ignore_errors=True)
        _record_kind(name, case, shape)
        print(name, flush=True)
    if not frozen.RUN.exists():
      _record_run()
    _record_losses()


if __name__ == '__main__':
  main()
