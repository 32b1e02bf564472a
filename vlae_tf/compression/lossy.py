"""Lossy coding: lattice points of images, and images of lattice points."""

import math
from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf

from vlae_tf.compression import chunks, codecs, lattice
from vlae_tf.compression.rans import PRECISION
from vlae_tf.evaluation import latents, sampling
from vlae_tf.models import vlae as model_lib
from vlae_tf.utils import checks, random

_IMAGES = 32  # Of a batch; each has some candidates.
_PASSES = 16
_LEAST_GAIN = 1e-3  # Bits; a smaller gain may be rounding.


def find_points(
  model: model_lib.VLAE,
  images: np.ndarray,
  step: float,
  moves: int = 8,
) -> np.ndarray:
  """Minimises `bits(z) - log2 p(x|z)` over the points of a lattice.

  Returns int16 `[num, *event_shape]`, multiples of the step.
  """
  # Starts at the point nearest to the posterior's mean. Each pass ranks all
  # moves to a neighbouring point by how they change the cost: the bits of one
  # number of the noise that the prior makes latents of, and the distortion to
  # second order, by its slope at the point and the curvature that the
  # posterior's deviation implies. The `moves` most promising ones are tried,
  # and the best is made if it gains. Passes end when no image gains any more.
  latents.check_code(model)
  latents.check_pixels(model, images)
  checks.integer('moves', moves, 0)
  search = _Search(model, step, moves)
  starts = range(0, len(images), _IMAGES)
  found = [search(np.float32(images[i : i + _IMAGES])) for i in starts]
  return np.rint(np.concatenate(found) / step).astype(np.int16)


class _Search:
  """The search for a batch of images."""

  def __init__(self, model, step, moves):
    lattice.check_step('step', step)
    size = math.prod(model.event_shape)
    self._model, self._step = model, step
    self._moves = min(moves, 2 * size)
    codec, self._flow = codecs.noise_and_flow(model.prior(), step, 1)
    self._symbols = codec.symbols
    # For each number of noise, the index of the latent number it makes.
    places = latents.places_in_noise(model.prior(), model.event_shape)
    self._order = tf.argsort(places)

  def __call__(self, image):
    mean, stddev = codecs.gaussian_parameters(self._model.posterior(image))
    stddev = stddev.numpy()
    z = lattice.nearest(mean, self._step).numpy()
    if not self._moves:
      return z
    cost = self._cost(z, image).numpy()
    active = np.arange(len(image))
    for _ in range(_PASSES):
      tried = self._neighbours(z[active], image[active], stddev[active])
      tried = tried.numpy()
      flat = tried.reshape(-1, *z.shape[1:])
      costs = self._cost(flat, image[active].repeat(self._moves, 0))
      costs = costs.numpy().reshape(-1, self._moves)
      gains = costs.min(1) < cost[active] - _LEAST_GAIN
      best = costs.argmin(1)[gains]
      active = active[gains]
      if not len(active):
        break
      z[active] = tried[gains, best]
      cost[active] = costs[gains, best]
    return z

  @tf.function(reduce_retracing=True, autograph=False)
  def _cost(self, z, image):
    bits = tf.reduce_sum(self._bits(self._noise(z)), -1)
    return bits + self._distortion(z, image)

  @tf.function(reduce_retracing=True, autograph=False)
  def _neighbours(self, z, image, stddev):
    """The most promising neighbours, `[num, moves, *event_shape]`."""
    z = tf.convert_to_tensor(z)  # An array if functions run eagerly.
    with tf.GradientTape() as tape:
      tape.watch(z)
      distortion = self._distortion(z, image)
    slope = _flat(tape.gradient(distortion, z))
    # The posterior's precision is that of the prior and the pixels' together.
    precision = tf.maximum(1 / _flat(stddev) ** 2 - 1, 0) / math.log(2)
    noise = self._noise(z)
    bits, changes = self._bits(noise), []
    for move in (-self._step, self._step):
      change = slope * move + precision * move**2 / 2
      change = tf.gather(change, self._order, axis=1)
      changes.append(change + self._bits(noise + move) - bits)
    _, ranked = tf.math.top_k(-tf.concat(changes, 1), self._moves)
    size = noise.shape[1]
    moves = tf.where(ranked < size, -self._step, self._step)
    moved = tf.gather(self._order, ranked % size)
    by = tf.one_hot(moved, size) * tf.cast(moves, tf.float32)[..., None]
    tried = _flat(z)[:, None] + by
    most = math.floor(lattice.MAX_MEAN / self._step) * self._step
    tried = tf.clip_by_value(tried, -most, most)
    return tf.reshape(tried, [-1, self._moves, *z.shape[1:]])

  def _distortion(self, z, image):
    return -self._model.likelihood(z).log_prob(image) / math.log(2)

  def _noise(self, z):
    # A copy bypasses the cache of TFP's bijectors.
    return _flat(self._flow.inverse(tf.identity(z)))

  def _bits(self, noise):
    width = self._symbols.intervals(noise[..., None], noise).width
    return PRECISION - tf.math.log(tf.cast(width, tf.float32)) / math.log(2)


def _flat(x):
  return tf.reshape(x, [-1, math.prod(x.shape[1:])])


# Reconstructions from lossy files. Networks compute in floats here, and another
# device may choose another value of a pixel whose probability is near a half.


def reconstructions(
  model: model_lib.VLAE,
  points: Iterable[np.ndarray],
  step: float,
  draws: int | None = 1,
  seed: int = 0,
) -> Iterator[np.ndarray]:
  """Images of parts of a lossy file: some draws of each, or the likeliest."""
  for k, part in enumerate(points):
    z = np.float32(part * step)
    if draws is None:
      found = likeliest(model, z)
    else:
      part_seed = (seed + k * 7_919) % random.MAX_SEED
      found = np.swapaxes(draw(model, z, draws, part_seed), 0, 1)
      found = found.reshape(-1, *found.shape[2:])
    yield chunks.as_images(model, found)


def draw(
  model: model_lib.VLAE, z: np.ndarray, num: int = 1, seed: int = 0
) -> np.ndarray:
  """Draws `x ~ p(x|z)`, `[num, num_latents, height, width, channels]`."""
  checks.integer('num', num, 1)
  checks.integer('seed', seed, 0, random.MAX_SEED)
  return sampling.from_latents(model, _checked(model, z), num, seed).numpy()


def likeliest(model: model_lib.VLAE, z: np.ndarray) -> np.ndarray:
  """The likeliest value of each pixel given those before it, greedily."""
  z, size = _checked(model, z), sampling.AT_ONCE
  found = []
  for start in range(0, len(z), size):
    x = model.likelihood(z[start : start + size])
    # Without this method, pixels are independent.
    found.append(getattr(x, 'likeliest', x.mode)().numpy())
  return np.concatenate(found)


def _checked(model, z):
  checks.ends_in('z', z, model.event_shape)
  if not len(z):
    raise ValueError('`z` must not be empty, got none.')
  return tf.convert_to_tensor(z, tf.float32)
