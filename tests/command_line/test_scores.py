"""Scores that commands print are those of naive loops over the same model."""

import itertools
import json
import math
import shutil

import commands
import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from vlae_tf.evaluation import sampling
from vlae_tf.runs import loading
from vlae_tf.utils import random

pytestmark = pytest.mark.usefixtures('all_eagerly')

_BITS = math.log(2)


def restored(run):
  """The model of a run and its test images, float32."""
  found = loading.restore(run)
  return found.model, found.images().test.astype('float32')


def log_weights(model, image, index, num, seed):
  """`log p(x|z) p(z) / q(z|x)` and both its terms, `[num]` each."""
  seeds = random.folded(
    random.stream_seeds(seed, 'importance', tf.constant([index])), 0
  )
  noise = random.normal(seeds, [num, *model.event_shape])[0]
  q = model.posterior(image[None])
  z = q.mean() + q.stddev() * noise
  rate = q.log_prob(z) - model.prior().log_prob(z)
  distortion = -model.likelihood(z).log_prob(image)
  return rate.numpy().astype(float), distortion.numpy().astype(float)


def estimates(model, images, num, seed=0):
  """Means of nll, elbo, rate and distortion of each image, `[images]` each."""
  found = []
  for index, image in enumerate(images):
    rate, distortion = log_weights(model, image, index, num, seed)
    weights = -rate - distortion
    nll = math.log(len(weights)) - special.logsumexp(weights)
    found.append([nll, weights.mean(), rate.mean(), distortion.mean()])
  return np.array(found).T


def close(a, b):
  np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
  'name',
  ['small', pytest.param('flow', marks=pytest.mark.exhaustive('a flow'))],
)
def test_evaluate(name, trained_run, tmp_path):
  run = shutil.copytree(trained_run(name), tmp_path / 'run')
  args = (f'--workdir={run}', '--num_samples=3', '--seed=5')
  result = commands.run('evaluate', *args)
  assert result.status == 0, result.stderr
  (path,) = (run / 'eval').glob('*.json')
  written = json.loads(path.read_text())
  model, images = restored(run)
  nll, elbo, rate, distortion = estimates(model, images, 3, 5)
  scores = dict(nll=nll, elbo=elbo, rate=rate, distortion=distortion)
  scores['gap'] = -nll - elbo
  for key, values in scores.items():
    close(written[key], values.mean())
    error = values.std(ddof=1) / math.sqrt(len(values))
    close(written[f'{key}_stderr'], error)
  per_dim = _BITS * images[0].size
  close(written['rate_bits'], rate.mean() / _BITS)
  close(written['bits_per_dim'], nll.mean() / per_dim)
  close(written['elbo_bits_per_dim'], -elbo.mean() / per_dim)
  close(written['rate_bits_per_dim'], rate.mean() / per_dim)


def test_bound_of_compress(small_run, tmp_path):
  model, images = restored(small_run)
  np.savez(tmp_path / 'images.npz', images.astype(bool))
  report = tmp_path / 'report.json'
  result = commands.run(
    'compress',
    f'--workdir={small_run}',
    f'--in={tmp_path}/images.npz',
    f'--out={tmp_path}/images.vlae',
    f'--report={report}',
    '--elbo_samples=4',
    *('--lanes=4', '--jobs=1', '--noverify', '--nobaselines'),
  )
  assert result.status == 0, result.stderr
  written = json.loads(report.read_text())
  halves = [-estimates(model, images, 2, seed)[1] / _BITS for seed in (0, 1)]
  bits, spread = np.mean(halves, 0).sum(), (halves[0] - halves[1]) / 2
  close(written['negative_elbo_bits'], bits)
  close(written['negative_elbo_bits_stderr'], math.sqrt((spread**2).sum()))
  for kind in ('gross', 'net'):
    close(written[f'{kind}_over_elbo'], written[f'{kind}_bits'] / bits - 1)
  assert written['gross_bits'] == 8 * (tmp_path / 'images.vlae').stat().st_size


def test_anomaly(small_run, tmp_path):
  """Of a run against noise, and against itself as its background."""
  run = shutil.copytree(small_run, tmp_path / 'run')
  model, images = restored(run)
  noise = np.random.default_rng(0).random((7, *images.shape[1:])) < 0.2
  np.savez(tmp_path / 'noise.npz', np.tile(noise, (5, 1, 1, 1)))
  args = (f'--workdir={run}', f'--against={tmp_path}/noise.npz')
  out = tmp_path / 'scores.npz'
  result = commands.run('anomaly', *args, '--num_samples=2', f'--out={out}')
  assert result.status == 0, result.stderr
  (path,) = (run / 'eval').glob('anomaly*.json')
  written = json.loads(path.read_text())['scores']['nll']
  other = loading.load_other(
    str(tmp_path / 'noise.npz'), loading.restore(run), None, 'against'
  ).test.astype('float32')
  per_dim = _BITS * images[0].size
  own, others = (estimates(model, x, 2)[0] / per_dim for x in (images, other))
  wins = np.array([[(b > a) + 0.5 * (b == a) for b in others] for a in own])
  close(written['own'], own.mean())
  close(written['other'], others.mean())
  close(written['auroc'], wins.mean())
  # DeLong: variances of the means over rows and over columns.
  variance = sum(
    wins.mean(axis).var(ddof=1) / wins.shape[1 - axis] for axis in (0, 1)
  )
  close(written['auroc_stderr'], math.sqrt(variance))
  with np.load(out) as found:
    close(found['nll'], np.concatenate([own, others]))


def test_receptive_field(small_run, tmp_path):
  """Of pixels that are changed one at a time."""
  result = commands.run(
    'receptive_field', f'--workdir={small_run}', f'--out={tmp_path}/a.png'
  )
  assert result.status == 0, result.stderr
  model, images = restored(small_run)
  law = model.likelihood(tf.zeros([1, *model.event_shape]))
  image, (height, width, _) = images[:1], images.shape[1:]
  before = law.params(image).numpy()
  seen = set()
  for i, j in itertools.product(range(height), range(width)):
    changed = image.copy()
    changed[0, i, j] = 1 - changed[0, i, j]
    moved = (law.params(changed).numpy() != before).any((0, 3))
    seen |= {(i - di, j - dj) for di, dj in np.argwhere(moved)}
  rows, columns = zip(*seen)
  words = (
    f'{len(seen)} pixels, {max(columns) - min(columns) + 1} wide, '
    f'{max(rows) - min(rows) + 1} high'
  )
  assert words in result.stdout


def test_retention(small_run, tmp_path):
  out = tmp_path / 'kept.png'
  args = (f'--workdir={small_run}', f'--out={out}', '--seed=2')
  result = commands.run('retention', *args)
  assert result.status == 0, result.stderr
  (rows,) = json.loads((tmp_path / 'kept.json').read_text())['runs'].values()
  model, images = restored(small_run)
  drawn = sampling.decompress(model, images, 1, 2)[0]
  levels, num = 255.0, len(images)
  for blur, reduce in (
    (0.0, lambda x: x),
    ('mean', lambda x: x.mean((0, 1))),
  ):
    (row,) = (r for r in rows if r['blur'] == blur)
    own, strange = (
      [
        np.mean((levels * (reduce(images[k]) - reduce(drawn[k - shift]))) ** 2)
        for k in range(num)
      ]
      for shift in (0, 1)
    )
    close(row['error'], math.sqrt(np.mean(own)))
    close(row['error_of_others'], math.sqrt(np.mean(strange)))
    close(row['kept'], 1 - np.mean(own) / np.mean(strange))
