"""What is left of images by how many bits their codes get.

#### References

[1]: Xi Chen et al. Variational Lossy Autoencoder. In _International
     Conference on Learning Representations_, 2017.
     https://arxiv.org/abs/1611.02731 (section 4.1)
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from vlae_tf import data as data_lib
from vlae_tf.compression import decompression, lattice_search, lossy
from vlae_tf.compression.exact_model import ExactModel
from vlae_tf.compression.shared_draws import ENOUGH, SharedDraws
from vlae_tf.evaluation import probing
from vlae_tf.models import vlae as model_lib
from vlae_tf.utils import random

STEPS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
_CHUNK = 1000  # Images whose codes are one message.
_MOVES = 8  # Of the search.
_KL_DRAWS = 16
_AT_ONCE = 256


class Row(NamedTuple):
  """What one way to give codes costs and leaves, means over images."""

  # 'search' or 'nearest' point of a lattice; 'shared' draws of the prior; a
  # draw of the 'posterior', or of the 'prior', which knows nothing.
  way: str
  step: float | None  # Of the lattice; `None` of others.
  # What a code takes; of the posterior, its divergence from the prior.
  bits: float
  # The same with all that a message needs besides; `None` where no message was
  # made.
  gross_bits: float | None
  distortion: float  # -log2 p(x|z), in bits.
  # Pixels that differ from the original in a draw from p(x|z).
  hamming_draw: float
  hamming_likeliest: float  # The same of `decompression.likeliest`.
  # Draws whose label a linear probe of pixels finds, which was fitted to
  # original training images; `None` without labels.
  accuracy_draw: float | None = None
  # The same of `decompression.likeliest`.
  accuracy_likeliest: float | None = None


class Report(NamedTuple):
  """What `Measurer` finds."""

  rows: list[Row]  # One of each way.
  # A draw from each code, `[rows, num, height, width, channels]`.
  draws: np.ndarray
  likeliest: np.ndarray  # The same of `decompression.likeliest`.
  # Of shared draws: their number `num_samples`; the share of images that they
  # were `enough` for; of these the mean `bits` and divergence `kl_bits`.
  pool: dict[str, Any]
  # Pixels of the originals that are not black: what differs if nothing is
  # drawn. A drawing that is not quite in place differs in more.
  hamming_blank: float
  # Of the probe on the originals, `None` without labels.
  accuracy: float | None


class Measurer:
  """Decompresses test images from codes of many costs."""

  def __init__(
    self,
    model: model_lib.VLAE,
    data: data_lib.ImageData,
    num: int | None = None,
    seed: int = 0,
  ):
    self._model, self._exact = model, ExactModel(model)
    self._data, self._seed = data, seed
    images = data_lib.fixed_binarization(
      data.test[:num], 'test', kind=data.kind
    )
    self.images = np.asarray(images, np.float32)
    self._distortion = tf.function(
      lambda z, x: -model.likelihood(z).log_prob(x) / math.log(2),
      reduce_retracing=True,
      autograph=False,
    )

  def __call__(
    self,
    steps: Sequence[float] = STEPS,
    num_samples: int = 2**18,
    progress: Callable[[int], Any] | None = None,
  ) -> Report:
    """Measures all ways."""
    ways: list[Callable[[], tuple]] = [
      functools.partial(self._lattice, step, moves)
      for step in steps
      for moves in (0, _MOVES)
    ]
    ways.append(functools.partial(self._shared, num_samples))
    ways += [self._posterior, self._prior]
    found = []
    self._pool: dict[str, Any] = {}
    for way in ways:
      found.append(self._measured(*way()))
      if progress is not None:
        progress(1)
    rows, draws, likeliest = zip(*found)
    blank = hamming(np.zeros_like(self.images), self.images)
    stacked = np.stack(draws), np.stack(likeliest)
    report = Report([*rows], *stacked, self._pool, blank, None)
    return report if self._data.labels is None else self._probed(report)

  def _lattice(self, step, moves):
    """Points of a lattice, by way of real messages."""
    points = lattice_search.codes_of(self._model, self.images, step, moves)
    chunks = lossy.LossyChunks(self._exact, step)
    net = gross = 0.0
    back = []
    for start in range(0, len(points), _CHUNK):
      part = points[start : start + _CHUNK]
      encoded = chunks.encode(part)
      net, gross = net + encoded.net_bits, gross + 8 * len(encoded.data)
      back.append(chunks.decode(encoded.data, len(part)))
    codes = lossy.codes(np.concatenate(back), step)
    way = 'search' if moves else 'nearest'
    return way, step, net / len(points), gross / len(points), codes

  def _shared(self, num_samples):
    shared = SharedDraws(self._model, num_samples, self._seed)
    found = shared.select(self.images)
    bits, kl = found.bits(num_samples), self._draws_of_posteriors()[1]
    enough = found.effective_size >= ENOUGH
    self._pool = {'num_samples': num_samples, 'enough': float(enough.mean())}
    if enough.any():
      self._pool |= {
        'bits': float(bits[enough].mean()),
        'kl_bits': float(kl[enough].mean()),
      }
    return 'shared', None, bits.mean(), None, found.code

  def _posterior(self):
    codes, kl = self._draws_of_posteriors()
    return 'posterior', None, kl.mean(), None, codes

  def _draws_of_posteriors(self):
    """A code of each image, and an estimate of KL(q || p) in bits, `[num]`."""
    codes, rates = [], []
    for k, start in enumerate(range(0, len(self.images), _AT_ONCE)):
      part = self.images[start : start + _AT_ONCE]
      law, prior = self._model.posterior(part), self._model.prior()
      seed = random.stream_seed(self._seed, 'sample', k)
      z = law.sample(_KL_DRAWS, seed=seed)
      # A copy, so that TFP's cache does not answer.
      rate = law.log_prob(z) - prior.log_prob(tf.identity(z))
      rates.append(tf.reduce_mean(rate, 0) / math.log(2))
      codes.append(z[0])
    return np.concatenate(codes), np.concatenate(rates)

  def _prior(self):
    seed = random.stream_seed(self._seed, 'sample')
    codes = self._model.prior().sample(len(self.images), seed=seed).numpy()
    return 'prior', None, 0.0, None, codes

  def _measured(self, way, step, bits, gross, codes):
    """A `Row`, and the images that its codes give."""
    draws = decompression.draws(self._model, codes, seed=self._seed)[0]
    likeliest = decompression.likeliest(self._model, codes)
    distortion = [
      self._distortion(codes[i : i + _AT_ONCE], self.images[i : i + _AT_ONCE])
      for i in range(0, len(codes), _AT_ONCE)
    ]
    row = Row(
      way,
      step,
      float(bits),
      gross,
      float(np.concatenate(distortion).mean()),
      hamming(draws, self.images),
      hamming(likeliest, self.images),
    )
    return row, draws, likeliest

  def _probed(self, report):
    """The report with accuracies."""
    first, *others = self._accuracies(report.draws, report.likeliest)
    pairs = np.reshape(others, [2, len(report.rows)]).T.tolist()
    rows = [
      row._replace(accuracy_draw=of_draw, accuracy_likeliest=of_likeliest)
      for row, (of_draw, of_likeliest) in zip(report.rows, pairs)
    ]
    return report._replace(rows=rows, accuracy=first)

  def _accuracies(self, draws, likeliest):
    """Of a probe: on originals, on all rows' draws, on all rows' likeliest."""
    sets = np.concatenate([self.images[None], draws, likeliest])
    flat = sets.reshape(-1, *self.images.shape[1:])
    of_pixels = probing.of_pixels(self._data, flat)
    labels = self._data.labels
    assert labels is not None
    predicted = probing.linear(
      of_pixels.train, labels['train'], of_pixels.test
    ).reshape(len(sets), -1)
    right = predicted == labels['test'][: len(self.images)]
    return right.mean(1).tolist()


def num_ways(steps: Sequence[float]) -> int:
  """How many ways `Measurer` measures."""
  return 2 * len(steps) + 3


def hamming(images: np.ndarray, others: np.ndarray) -> float:
  """Mean number of pixels that differ.

  >>> hamming(np.ones([1, 2, 2, 1]), np.eye(2)[None, ..., None])
  2.0

  Args:
    images: Array of shape `[num, height, width, channels]` in [0, 1].
    others: Array of the same shape.

  Returns:
    Pixels an image, of those of which a channel differs by half a level.
  """
  differs = (np.abs(images - others) > 0.5 / 255).any(-1)
  return float(differs.sum((1, 2)).mean())
