"""Files of an earlier version of the package, and what was computed of them.

`files/KIND/` is a shared model with images, compressed files and samples,
`files/run/` a training run, `files/losses.json` the first losses of every
preset. Tests reach the package by its public names and commands alone, so that
they outlive what moves inside.
"""

import hashlib
import json
import pathlib

import commands
import numpy as np
import tensorflow as tf

FILES = pathlib.Path(__file__).with_name('files')
LOSSES = FILES / 'losses.json'
RUN = FILES / 'run'
# The same checkpoint as `tf.train.Checkpoint` wrote it, the first format.
FIRST_FORMAT = FILES / 'first_format'
KINDS = sorted(p.parent.name for p in FILES.glob('*/model'))
NUM_STEPS = 4  # Of the run.


def sines(*shape, phase=0.0):
  """Numbers in (-1, 1) by formula, float32."""
  place = np.arange(np.prod(shape, dtype=int)).reshape(shape)
  return np.sin(0.7 * place + phase + 1).astype('float32')


def model(kind):
  """The folder of the shared model of a kind."""
  return FILES / kind / 'model'


def images(kind):
  """The images of a kind as users store them, bool or uint8."""
  return np.load(FILES / kind / 'images.npz')['images']


def pixels(stored):
  """Images as models take them, float32 in [0, 1]."""
  most = 1 if stored.dtype == bool else 255
  return tf.constant(stored.astype('float32') / most)


def rounded(values):
  """Numbers of any nest, flat, with eight digits."""
  flat = [np.ravel(np.asarray(x, 'float64')) for x in tf.nest.flatten(values)]
  return [float(f'{x:.8g}') for x in np.concatenate(flat)]


def terms(vlae, stored):
  """Distortion and rate of images, and those of noise by formula."""
  noise = tf.constant(sines(len(stored), *vlae.event_shape))
  found = vlae(pixels(stored), noise)
  return rounded([found.distortion, found.rate])


def samples(vlae):
  """Latents of a seed, and SHA-256 of the images drawn from fixed ones."""
  latent = vlae.prior().sample(3, seed=(0, 1))
  fixed = tf.constant(sines(3, *vlae.event_shape, phase=2))
  image = vlae.likelihood(fixed).sample(seed=(2, 3)).numpy()
  levels = np.round(255 * image).astype('uint8')
  return {
    'latent': rounded(latent),
    'images': hashlib.sha256(levels.tobytes()).hexdigest(),
  }


def run_command(name, *args):
  """Runs a command in this process, which must succeed."""
  result = commands.run(name, *args)
  assert result.status == 0, result.stderr
  return result


def compress(kind, out, *args):
  """Compresses the images of a kind with its model."""
  given = (f'--pretrained={model(kind)}', f'--in={FILES / kind}/images.npz')
  frugal = ('--lanes=4', '--jobs=1', '--elbo_samples=0', '--nobaselines')
  run_command('compress', *given, f'--out={out}', *frugal, *args)


def decompress(kind, file, out, *args):
  """Decompresses a file with the model of a kind and returns its images."""
  given = (f'--pretrained={model(kind)}', f'--in={file}', f'--out={out}')
  run_command('decompress', *given, '--jobs=1', *args)
  return np.load(out)['images']


# Files of a kind, and the arguments that made them.
COMPRESSED = {
  'lossless.vlae': ('--chunk_size=4',),
  'lossy.vlae': ('--chunk_size=4', '--mode=lossy'),
}
# Of some kinds there is a file with images that were appended.
APPENDED = 'appended.vlae'


def scores(workdir):
  """Numbers that `evaluate` writes of a run, without times."""
  run_command(
    'evaluate', f'--workdir={workdir}', '--max_images=4', '--num_samples=4'
  )
  (path,) = (workdir / 'eval').glob('*.json')
  found = json.loads(path.read_text(encoding='utf-8'))
  return {
    name: float(f'{value:.8g}')
    for name, value in found.items()
    if isinstance(value, float) and 'seconds' not in name
  }


def resumed_losses(workdir):
  """Training scalars of two more steps of a run."""
  run_command(
    'train',
    f'--workdir={workdir}',
    f'--flagfile={RUN / "flags.txt"}',
    f'--max_steps={NUM_STEPS + 2}',
    '--quiet',
    '--xla=none',
  )
  return losses(workdir)


def losses(workdir):
  """The scalars of training in `metrics.jsonl`, without times."""
  lines = (workdir / 'metrics.jsonl').read_text('utf-8').splitlines()
  rows = [json.loads(line) for line in lines]
  left_out = {'time', 'split', 'images_per_second'}
  return {
    str(row['step']): {k: v for k, v in row.items() if k not in left_out}
    for row in rows
    if row['split'] == 'train'
  }


def picture(workdir, out):
  """Samples of a run under a seed, as a picture without its caption."""
  run_command('sample', f'--workdir={workdir}', '--num=4', f'--out={out}')
  return tf.image.decode_png(out.read_bytes()).numpy()


def exported(workdir, out):
  """What the signatures of an exported run say, by their names."""
  run_command('export', f'--workdir={workdir}', f'--out={out}')
  signatures = tf.saved_model.load(str(out)).signatures
  shape = signatures['encode'].structured_input_signature[1]['images'].shape[1:]
  latent = signatures['decode'].structured_input_signature[1]['codes'].shape[1:]
  x = tf.constant((sines(2, *shape) > 0).astype('float32'))
  seed = tf.constant(5)
  mask = np.arange(shape[0] * shape[1]).reshape(shape[:2]) < 20
  given = {
    'encode': dict(images=x),
    'decode': dict(codes=tf.constant(sines(2, *latent)), seed=seed),
    'elbo': dict(images=x, seed=seed),
    'log_prob': dict(images=x, num_samples=tf.constant(20), seed=seed),
    'sample': dict(num=tf.constant(2), seed=seed),
    'reconstruct': dict(images=x, seed=seed),
    'complete': dict(images=x, mask=tf.constant(mask), seed=seed),
    'score': dict(images=x),
  }
  return {
    f'{name}/{key}': rounded(value)
    for name, inputs in given.items()
    for key, value in signatures[name](**inputs).items()
  }


def preset_losses(preset, folder):
  """Training scalars of the first two steps of a preset, of a small batch.

  Its model is of full size; its images are random.
  """
  is_colour = preset.startswith('cifar10')
  shape = (32, 32, 3) if is_colour else (28, 28, 1)
  drawn = np.random.default_rng(0).random((80, *shape))
  stored = np.uint8(255 * drawn) if is_colour else drawn < 0.2
  np.savez(folder / 'mine.npz', stored)
  run_command(
    'train',
    f'--preset={preset}',
    f'--dataset={folder}/mine.npz',
    f'--batch_size={4 if is_colour else 16}',
    '--microbatch=0',
    '--max_steps=2',
    '--validate_every_epochs=0',
    '--learning_rate_schedule=constant',
    '--early_stopping_patience=0',
    '--quiet',
    '--xla=none',
    f'--workdir={folder}/run',
  )
  return losses(folder / 'run')
