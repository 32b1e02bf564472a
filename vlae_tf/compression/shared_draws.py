"""Codes told as places among draws of a prior that both sides can make.

See `relative_entropy` for how one is selected, and `places` for what it costs.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from vlae_tf.compression import codecs, places, relative_entropy
from vlae_tf.evaluation import latents
from vlae_tf.models import vlae as model_lib
from vlae_tf.utils import checks, random

_DRAWS = 4096  # Of the prior at a time, each part with a seed of its own.
_IMAGES = 32  # Whose weights are in memory at a time.
# Fewer draws than these are too few to stand for a posterior: what is selected
# is one of a handful, whatever the posterior says of the others.
ENOUGH = 10.0


class Selection(NamedTuple):
  """What is told of some images: `[num]`, or with a code's axes."""

  place: np.ndarray  # Places, from 0, counted from where the image begins.
  code: np.ndarray  # The draws there, float32 `[num, *event_shape]`.
  mass: np.ndarray  # See `relative_entropy.Coverage`.
  # The same; below `ENOUGH` there were too few draws.
  effective_size: np.ndarray

  def bits(self, num_samples: int) -> np.ndarray:
    """What the places cost under the law that suits them best."""
    # -> [num]
    mean = float(np.log2(self.place + 1.0).mean())
    exponent = places.zipf_exponent(mean, num_samples)
    frequencies = places.octave_frequencies(exponent, num_samples)
    return places.octave_bits(self.place, frequencies)


class SharedDraws:
  """Draws of a model's prior, a function of the model and a seed."""

  def __init__(
    self,
    model: model_lib.VLAE,
    num_samples: int = 2**18,
    seed: int = 0,
    progress: Callable[[int], Any] | None = None,
  ):
    latents.check_code(model)
    self.num_samples = checks.integer('num_samples', num_samples, 1)
    self._seed = checks.integer('seed', seed, 0, random.MAX_SEED)
    self._model = model

    @tf.function(autograph=False)
    def draw(part):
      prior = model.prior()
      z = prior.sample(
        min(_DRAWS, num_samples), seed=random.stream_seed(seed, 'shared', part)
      )
      # A copy, so that TFP's cache does not answer.
      return z, prior.log_prob(tf.identity(z))

    parts = []
    for part in range(-(-num_samples // _DRAWS)):
      parts.append([x.numpy() for x in draw(tf.constant(part))])
      if progress is not None:
        progress(len(parts[-1][0]))
    codes, log_prior = (np.concatenate(x)[:num_samples] for x in zip(*parts))
    self._codes, self._log_prior = codes, log_prior

  def select(
    self,
    images: np.ndarray,
    progress: Callable[[int], Any] | None = None,
  ) -> Selection:
    """Selects a code of each image, nearly a draw from its posterior."""
    # images [num, height, width, channels]
    latents.check_pixels(self._model, images)
    parts = []
    for start in range(0, len(images), _IMAGES):
      part = np.float32(images[start : start + _IMAGES])
      parts.append(self._selected(part, start))
      if progress is not None:
        progress(len(part))
    return Selection(*map(np.concatenate, zip(*parts)))

  def _selected(self, images, first):
    moments = codecs.gaussian_parameters(self._model.posterior(images))
    log_weights = relative_entropy.gaussian_log_weights(
      self._codes.reshape(self.num_samples, -1),
      self._log_prior,
      *(x.numpy().reshape(len(images), -1) for x in moments),
    )
    told, there = [], []
    for i, row in enumerate(log_weights):
      generator = np.random.default_rng([self._seed, first + i])
      begin = int(generator.integers(self.num_samples))
      arrivals = relative_entropy.arrival_times(self.num_samples, generator)
      place = int(relative_entropy.select(np.roll(row, -begin), arrivals))
      told.append(place)
      there.append((begin + place) % self.num_samples)
    coverage = relative_entropy.coverage(log_weights)
    return Selection(np.array(told), self._codes[there], *coverage)
