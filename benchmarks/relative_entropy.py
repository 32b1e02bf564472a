"""Measures relative entropy coding [1, 2] of latents of a run's test images.

`python benchmarks/relative_entropy.py --workdir=W --out=FILE.json`

A row beside those of `python -m vlae_tf.rate_distortion`. Sender and receiver
share samples `z[i]` of the prior p. The sender sends the index of the least
`arrival[i] / weight[i]`, where the arrivals are those of a Poisson process and
a weight is `q(z[i]) / p(z[i])`: then `z[i]` is a draw from the posterior q [1],
and its index costs little more than KL(q || p): at most `KL + log2(KL + 1) + 4`
bits on average under a Zipf distribution. The index is coded as its octave,
with few integer frequencies, and uniform bits within the octave, less than 0.05
bits above the Zipf distribution itself.

[1]: Cheuk Ting Li, Abbas El Gamal. Strong Functional Representation Lemma and
     Applications to Coding Theorems. _IEEE Transactions on Information Theory_,
     2018. https://arxiv.org/abs/1701.02827
[2]: Gergely Flamich, Stratis Markou, Jose Miguel Hernandez-Lobato. Fast
     Relative Entropy Coding with A* Coding. In _International Conference on
     Machine Learning_, 2022. https://arxiv.org/abs/2201.12857
"""

from vlae_tf.utils import launcher  # isort: skip (first: it quiets TensorFlow)

if __name__ == '__main__':
  launcher.import_tensorflow()

import json
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from absl import flags

from vlae_tf.compression import codecs, rate_distortion
from vlae_tf.evaluation import latents
from vlae_tf.runs import loading
from vlae_tf.utils import command_line, files, random

FLAGS = flags.FLAGS
_DRAWS = 4096  # Of the prior at a time, each part with its own seed.
_IMAGES = 32  # Whose weights are in memory at a time.
_BLOCK = 2**14  # Samples whose weights are computed at a time.
_PRECISION = 16  # Bits of the frequencies of octaves.
_LARGEST_EXPONENT, _BISECTIONS = 32.0, 50
# Fewer effective samples than these do not represent a posterior: one of a
# handful is selected, whatever the posterior is elsewhere.
ENOUGH = 10.0


def define_flags():
  """Defines the flags of this program."""
  flags.DEFINE_string('workdir', None, 'Directory of a run.', required=True)
  flags.DEFINE_string('data_dir', None, 'Root of data sets.')
  flags.DEFINE_string('out', None, 'JSON file to write.')
  flags.DEFINE_integer('seed', 0, 'Seed of all draws.', lower_bound=0)
  flags.DEFINE_integer('max_images', None, 'Test images.', lower_bound=1)
  flags.DEFINE_integer(
    'num_samples',
    2**18,
    'Samples of the prior that sender and receiver share.',
    lower_bound=1,
    upper_bound=2**22,
  )


class Selection(NamedTuple):
  """Samples that are sent for images."""

  index: np.ndarray  # `[num]`, counted from where the image begins.
  z: np.ndarray  # `[num, *event_shape]`.
  effective_size: np.ndarray  # `[num]`, see `effective_size`.


class SharedDraws:
  """Samples of a model's prior, a function of the model and a seed."""

  def __init__(self, model, num_samples, seed):
    self._model, self._seed = model, seed

    @tf.function(autograph=False)
    def draw(part):
      prior = model.prior()
      part_seed = random.stream_seed(seed, 'shared', part)
      z = prior.sample(min(_DRAWS, num_samples), seed=part_seed)
      # A copy bypasses the cache of TFP's bijectors.
      return z, prior.log_prob(tf.identity(z))

    num_parts = -(-num_samples // _DRAWS)
    parts = zip(*(draw(tf.constant(k)) for k in range(num_parts)))
    self._z, self._log_prior = (np.concatenate(x)[:num_samples] for x in parts)

  def select(self, images):
    """Selects a sample for each image, nearly a draw from its posterior."""
    parts = [
      self._selected(images[start : start + _IMAGES], start)
      for start in range(0, len(images), _IMAGES)
    ]
    return Selection(*map(np.concatenate, zip(*parts)))

  def _selected(self, images, first):
    moments = codecs.gaussian_parameters(self._model.posterior(images))
    num = len(self._z)
    weights = gaussian_log_weights(
      self._z.reshape(num, -1),
      self._log_prior,
      *(x.numpy().reshape(len(images), -1) for x in moments),
    )
    indices, positions = [], []
    for i, row in enumerate(weights):
      generator = np.random.default_rng([self._seed, first + i])
      begin = int(generator.integers(num))
      arrivals = arrival_times(num, generator)
      indices.append(int(select(np.roll(row, -begin), arrivals)))
      positions.append((begin + indices[-1]) % num)
    sizes = effective_size(weights)
    return Selection(np.array(indices), self._z[positions], sizes)


def arrival_times(num_samples, generator):
  """The first arrivals of a Poisson process of rate 1."""
  return np.cumsum(generator.standard_exponential(num_samples))


def gaussian_log_weights(z, log_prior, mean, stddev):
  """Log-weights of samples for diagonal Gaussians.

  `z` is `[num_samples, d]`, `mean` and `stddev` are `[num, d]`. Returns float32
  `[num, num_samples]`.
  """
  # A quadratic form of each sample, so that all are a matrix product; in
  # float64, as large squares cancel, for a block of samples at a time.
  mean, stddev = np.float64(mean), np.float64(stddev)
  precision = stddev**-2
  slope = precision * mean
  constant = -0.5 * (
    (slope * mean).sum(-1) + np.log(2 * np.pi * stddev**2).sum(-1)
  )
  form = np.concatenate([-0.5 * precision, slope, constant[:, None]], axis=1)
  found = np.empty([len(mean), len(z)], np.float32)
  for start in range(0, len(z), _BLOCK):
    block = slice(start, start + _BLOCK)
    here = z[block].astype(np.float64)
    ones = np.ones([len(here), 1])
    log_posterior = form @ np.concatenate([here**2, here, ones], axis=1).T
    found[:, block] = log_posterior - log_prior[block]
  return found


def select(log_weights, arrivals):
  """Indices of the samples that are sent."""
  return (np.log(arrivals) - log_weights).argmin(-1)


def effective_size(log_weights):
  """`sum(weight)^2 / sum(weight^2)`: near 1 if a single sample represents q."""
  top = log_weights.max(-1, keepdims=True)
  weights = np.exp(log_weights - top, dtype=np.float64)
  return weights.sum(-1) ** 2 / (weights**2).sum(-1)


def index_bits(index, num_samples):
  """Bits of indices under the Zipf distribution that suits them best."""
  mean = float(np.log2(index + 1.0).mean())
  exponent = zipf_exponent(mean, num_samples)
  return octave_bits(index, octave_frequencies(exponent, num_samples))


def zipf_exponent(mean_log2_rank, num_samples):
  """The exponent of the Zipf distribution that makes indices cheapest."""
  # `P(index) ~ (index + 1)^-s`. At the best `s`, the mean of `log2(index + 1)`
  # under the distribution is the given one.
  log_ranks = np.log(np.arange(1.0, num_samples + 1))
  low, high = 0.0, _LARGEST_EXPONENT
  for _ in range(_BISECTIONS):
    exponent = (low + high) / 2
    p = np.exp(-exponent * log_ranks)
    mean = p @ log_ranks / p.sum() / np.log(2)
    low, high = (exponent, high) if mean > mean_log2_rank else (low, exponent)
  return (low + high) / 2


def octave_frequencies(exponent, num_samples):
  """Integer frequencies of the octaves 0; 1; 2 and 3; 4 to 7; and so on."""
  octaves = (num_samples - 1).bit_length() + 1
  p = np.exp(-exponent * np.log(np.arange(1.0, num_samples + 1)))
  starts = np.concatenate([[0], 1 << np.arange(octaves - 1)])
  shares = np.add.reduceat(p, starts) / p.sum()
  found = 1 + np.floor((2**_PRECISION - octaves) * shares).astype(np.int64)
  found[found.argmax()] += 2**_PRECISION - found.sum()
  return found


def octave_bits(index, frequencies):
  """Bits of indices: those of the octave, then uniform ones."""
  octave = np.frexp(np.float64(index))[1]  # The number of binary digits.
  bits = np.log2(frequencies.sum() / frequencies[octave])
  return bits + np.maximum(octave - 1, 0)


def measure(model, data, num_images, num_samples, seed):
  """The row, and how well the samples represent the posteriors."""
  measurer = rate_distortion.Measurer(model, data, num_images, seed)
  found = SharedDraws(model, num_samples, seed).select(measurer.images)
  bits = index_bits(found.index, num_samples)
  row, draws, likeliest = measurer.measure(
    'shared', None, bits.mean(), None, found.z
  )
  (row,) = measurer.report([row], draws[None], likeliest[None]).rows
  enough = found.effective_size >= ENOUGH
  facts = {'num_samples': num_samples, 'enough': float(enough.mean())}
  if enough.any():
    kl = measurer.posterior_draws()[1]
    facts['bits'] = float(bits[enough].mean())
    facts['kl_bits'] = float(kl[enough].mean())
  return {'row': row._asdict(), 'shared_draws': facts}


def main():
  run = loading.restore(FLAGS.workdir)
  latents.check_code(run.model, 'workdir')
  data = run.images(FLAGS.data_dir)
  num = len(loading.first(data.test, FLAGS.max_images, data.name))
  result = measure(run.model, data, num, FLAGS.num_samples, FLAGS.seed)
  text = json.dumps(result | {'num_images': num}, indent=2)
  print(text)
  if FLAGS.out:
    files.write_text(FLAGS.out, text + '\n')


if __name__ == '__main__':
  command_line.run(main, define_flags, __doc__)
