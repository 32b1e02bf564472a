"""Times samplers and densities against plain ones, in turns.

`python benchmarks/sampling.py --out=FILE.json`

Each round times every contender once; a ratio is the median over rounds of the
ratio within a round. `speedup_*` is the naive loop's time (a full pass of the
same network for every pixel) over the engine's, each inside one `tf.function`.
`log_prob_ratio` is ours over the same network with plain masked 3x3
convolutions, in images/s of `log_prob` and its gradient, by number of maps.
"""

from vlae_tf.utils import launcher  # isort: skip (first: it quiets TensorFlow)

if __name__ == '__main__':
  launcher.import_tensorflow()

import os
import platform
import statistics

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import timing
from absl import flags

from vlae_tf.distributions import autoregressive_image, pixel_distributions
from vlae_tf.models import priors
from vlae_tf.nn.causal import convolution
from vlae_tf.nn.pixel import pixel_cnn
from vlae_tf.utils import command_line

FLAGS = flags.FLAGS
_SIZE = (28, 28)
_FEATURES = 4
# A pass costs the same for every pixel: of slow loops, so many are timed.
_GATED_PASSES = 8


def define_flags():
  """Defines the flags of this program."""
  timing.define_flags()
  flags.DEFINE_list('only', '', 'Comparisons to run; all if empty.')


def randomised(network):
  """Builds a network and gives it weights like those of a trained one."""
  shape = (None, *_SIZE)
  network.build((*shape, 1), (*shape, _FEATURES))
  rng = np.random.default_rng(0)
  for variable in network.variables:
    scale = 0.1 if variable.name == 'bias' else 1.0
    variable.assign(scale * rng.normal(size=variable.shape))
  return network


def law_of(network, batch):
  """`p(x|h)` for random features."""
  features = tf.random.stateless_normal([batch, *_SIZE, _FEATURES], [0, 1])
  return autoregressive_image.AutoregressiveImage(
    network,
    features,
    1,
    pixel_distributions.BernoulliPixel(),
    unroll=network.unroll,
  )


def _turn(other, ours, scale=1.0, times=1):
  """Times both in turns: the ratio, and seconds of each."""
  pairs = [
    (scale * timing.seconds(other), timing.seconds(ours)) for _ in range(times)
  ]
  other, ours = (statistics.median(side) for side in zip(*pairs))
  return dict(ratio=other / ours, ours=ours, other=other)


class Sampling:
  """The engine against the naive loop."""

  def __init__(self, network, batch, passes=None):
    """Compiles both.

    Args:
      network: Network with weights.
      batch: Number of images.
      passes: Passes of the naive loop to time; all by default.
    """
    law = law_of(network, batch)
    uniforms = tf.random.stateless_uniform([batch, *_SIZE, 1], [2, 3])
    self._fast = tf.function(lambda: law.sample_from_uniforms(uniforms))
    pixels = _SIZE[0] * _SIZE[1]
    self._scale = pixels / (passes or pixels)
    whole = tf.function(lambda: law.sample_from_uniforms(uniforms, 'naive'))
    draw = tf.function(lambda: self._passes(network, law, uniforms, passes))
    self._slow = draw if passes else whole
    # Of a loop that is not run to its end: one pass on the engine's image,
    # which the naive loop reproduces if and only if this does.
    image, params = self._fast(), law.params(self._fast())
    redrawn = tf.cast(uniforms < tf.sigmoid(params), tf.float32)
    expected = redrawn if passes else self._slow()
    self.mismatched = int(tf.reduce_sum(tf.abs(image - expected)))
    self._slow()

  @staticmethod
  def _passes(network, law, uniforms, passes):
    features = law.parameters['features']

    def step(i, image):
      drawn = uniforms < tf.sigmoid(network(image, features))
      here = tf.one_hot(i, _SIZE[0] * _SIZE[1])
      here = tf.reshape(here, [1, *_SIZE, 1])
      return i + 1, image + here * tf.cast(drawn, tf.float32)

    first = (tf.constant(0), tf.zeros_like(uniforms))
    return tf.while_loop(lambda i, _: i < passes, step, first)[1]

  def turn(self):
    """Times both once: ratio, and seconds of each."""
    return _turn(self._slow, self._fast, self._scale)


class TfdPixelCNN:
  """The engine against `tfd.PixelCNN` of about our size, one image."""

  mismatched = 0

  def __init__(self):
    law = law_of(randomised(pixel_cnn.PixelCNN(1)), 1)
    other = tfp.distributions.PixelCNN(
      image_shape=(*_SIZE, 1),
      num_resnet=2,
      num_hierarchies=1,
      num_filters=12,
      num_logistic_mix=1,
      dropout_p=0.0,
      high=1,
      use_weight_norm=False,
    )
    self._slow = tf.function(lambda: other.sample(1, seed=1))
    self._fast = tf.function(lambda: law.sample(seed=(0, 1)))
    self.turn()

  def turn(self):
    """Times both once."""
    return _turn(self._slow, self._fast)


class LogProb:
  """Our `log_prob` with its gradient against plain masked convolutions."""

  mismatched = 0

  def __init__(self, maps, batch=64):
    """Compiles both.

    Args:
      maps: Number of maps.
      batch: Number of images.
    """
    self._ours = self._step(maps, batch)
    plain = convolution.MaskedConv2D
    crop, plain.CROP_FROM_UNITS = plain.CROP_FROM_UNITS, 10**9
    self._plain = self._step(maps, batch)
    self._plain()
    plain.CROP_FROM_UNITS = crop
    self._ours()

  @staticmethod
  def _step(maps, batch):
    network = randomised(pixel_cnn.PixelCNN(1, maps))
    law = law_of(network, batch)
    image = tf.round(tf.random.stateless_uniform([batch, *_SIZE, 1], [4, 5]))

    @tf.function
    def step():
      with tf.GradientTape() as tape:
        loss = tf.reduce_sum(law.log_prob(image))
      return tape.gradient(loss, network.trainable_variables)

    return step

  def turn(self):
    """Times both, several times each, in turns."""
    return _turn(self._plain, self._ours, times=10)


class PriorSampling:
  """Sampling the paper's prior against its `log_prob`, fresh inputs."""

  mismatched = 0

  def __init__(self, batch=256):
    prior = priors.AutoregressiveFlowPrior(64)
    prior.build()
    z = tf.random.stateless_normal([batch, 64], [0, 1])
    self._sample = tf.function(lambda: prior().sample(batch, seed=(2, 3)))
    log_prob = tf.function(lambda z: prior().log_prob(tf.identity(z)))
    self._log_prob = lambda: log_prob(z)
    self.turn()

  def turn(self):
    """Times both, several times each, in turns."""
    turn = _turn(self._sample, self._log_prob, times=10)
    return turn | dict(ours=turn['other'], other=turn['ours'])


def _paper():
  return randomised(pixel_cnn.PixelCNN(1))


def _gated():
  return randomised(pixel_cnn.GatedPixelCNN(1, 64, 8))


COMPARISONS = {
  'speedup_batch_1': lambda: Sampling(_paper(), 1),
  'speedup_batch_16': lambda: Sampling(_paper(), 16),
  'speedup_gated_batch_16': lambda: Sampling(_gated(), 16, _GATED_PASSES),
  'speedup_tfd_pixelcnn': TfdPixelCNN,
  'log_prob_ratio_12': lambda: LogProb(12),
  'log_prob_ratio_64': lambda: LogProb(64),
  'prior_sample_over_log_prob': PriorSampling,
}


def _summary(turns):
  """Medians and ranges over rounds."""
  out = {}
  for name in ('ratio', 'ours', 'other'):
    values = [turn[name] for turn in turns]
    out[name] = statistics.median(values)
    out[f'{name}_range'] = [min(values), max(values)]
  return out


def _print_table(details):
  print(f'{"":28}{"ratio":>8}{"range":>18}{"ours, ms":>12}{"other, ms":>12}')
  for name, row in details.items():
    low, high = row['ratio_range']
    spread = f'{low:.2f} - {high:.2f}'
    print(
      f'{name:28}{row["ratio"]:8.2f}{spread:>18}'
      f'{1e3 * row["ours"]:12.2f}{1e3 * row["other"]:12.1f}'
    )


def main():
  names = [n for n in COMPARISONS if not FLAGS.only or n in FLAGS.only]
  busy = timing.check_quiet()
  contenders = {name: COMPARISONS[name]() for name in names}
  turns = {name: [] for name in names}
  for _ in range(FLAGS.rounds):
    for name, contender in contenders.items():
      turns[name].append(contender.turn())
  details = {name: _summary(rows) for name, rows in turns.items()}
  result = {name: row['ratio'] for name, row in details.items()}
  result['log_prob_ratio'] = {
    str(maps): result.get(f'log_prob_ratio_{maps}') for maps in (12, 64)
  }
  result['mismatched_pixels'] = sum(c.mismatched for c in contenders.values())
  result |= dict(
    seconds=details,
    rounds=FLAGS.rounds,
    busy_before=busy,
    load=os.getloadavg(),
    cpus=os.cpu_count(),
    machine=platform.processor() or platform.machine(),
    tensorflow=tf.__version__,
  )
  _print_table(details)
  print(f'mismatched pixels: {result["mismatched_pixels"]}')
  timing.write(result)


if __name__ == '__main__':
  command_line.run(main, define_flags)
