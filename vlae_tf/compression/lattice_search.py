"""Which point of a lattice a sender of a code alone chooses for an image."""

import math
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from vlae_tf.compression import codecs, independent, lattice
from vlae_tf.compression.rans import PRECISION
from vlae_tf.evaluation import latents
from vlae_tf.models import vlae as model_lib
from vlae_tf.utils import checks

tfb = tfp.bijectors

_IMAGES = 32  # Of a batch; each has some candidates.
_PASSES = 16
_LEAST_GAIN = 1e-3  # Bits; what is less may be rounding.


def codes_of(
  model: model_lib.VLAE,
  images: np.ndarray,
  step: float,
  moves: int = 8,
  weight: float = 1.0,
) -> np.ndarray:
  """The points that say most of images for their bits."""
  # Starts at the point nearest to the posterior's mean and looks for less of
  # `bits(z) + weight * -log2 p(x|z)`. In each pass all steps to a neighbouring
  # point are ranked by what they would change: the bits of one number of the
  # noise that the prior makes codes of, and the distortion to second order, by
  # the slope at the point and the curvature that the posterior's deviation
  # says. The `moves` most promising ones are tried, and the best is made if it
  # gains. Passes end when no image gains any more.
  # images [num, height, width, channels] -> [num, *event_shape]
  latents.check_code(model)
  latents.check_pixels(model, images)
  checks.integer('moves', moves, 0)
  search = _Search(model, step, moves, weight)
  found = [
    search(np.float32(images[start : start + _IMAGES]))
    for start in range(0, len(images), _IMAGES)
  ]
  return np.rint(np.concatenate(found) / step).astype(np.int16)


class _Search:
  """The search for some images at a time."""

  def __init__(self, model, step, moves, weight):
    lattice.check_step('step', step)
    size = math.prod(model.event_shape)
    self._model, self._step, self._weight = model, step, weight
    self._moves = min(moves, 2 * size)
    codec: Any = codecs.codec_of(model.prior(), step, 1)
    flowing = isinstance(codec, independent.Transformed)
    self._flow = codec.bijector if flowing else tfb.Identity()
    self._symbols = (codec.base if flowing else codec).symbols
    # Which number of a code each of the noise belongs to.
    self._order = _order(self._flow, model.event_shape)
    options = dict(reduce_retracing=True, autograph=False)
    self._cost = tf.function(self._cost_of, **options)
    self._neighbours = tf.function(self._ranked, **options)

  def __call__(self, image):
    mean, stddev = codecs.gaussian_parameters(self._model.posterior(image))
    stddev = stddev.numpy()
    code = lattice.nearest(mean, self._step).numpy()
    if not self._moves:
      return code
    cost = self._cost(code, image).numpy()
    active = np.arange(len(image))
    for _ in range(_PASSES):
      tried = self._neighbours(code[active], image[active], stddev[active])
      tried = tried.numpy()
      flat = tried.reshape(-1, *code.shape[1:])
      costs = self._cost(flat, image[active].repeat(self._moves, 0))
      costs = costs.numpy().reshape(-1, self._moves)
      gains = costs.min(1) < cost[active] - _LEAST_GAIN
      best = costs.argmin(1)[gains]
      active = active[gains]
      if not len(active):
        break
      code[active] = tried[gains, best]
      cost[active] = costs[gains, best]
    return code

  def _cost_of(self, code, image):
    """Bits of codes and of images given them, `[num]`."""
    bits = tf.reduce_sum(self._bits(self._noise(code)), -1)
    return bits + self._weight * self._distortion(code, image)

  def _ranked(self, code, image, stddev):
    """The most promising neighbours, `[num, moves, *event_shape]`."""
    code = tf.convert_to_tensor(code)  # An array if functions run eagerly.
    with tf.GradientTape() as tape:
      tape.watch(code)
      distortion = self._distortion(code, image)
    slope = _flat(tape.gradient(distortion, code))
    # The posterior's precision is that of the prior and the pixels' together.
    precision = tf.maximum(1 / _flat(stddev) ** 2 - 1, 0) / math.log(2)
    noise = self._noise(code)
    bits, changes = self._bits(noise), []
    for move in (-self._step, self._step):
      change = self._weight * (slope * move + precision * move**2 / 2)
      change = tf.gather(change, self._order, axis=1)
      changes.append(change + self._bits(noise + move) - bits)
    _, places = tf.math.top_k(-tf.concat(changes, 1), self._moves)
    size = noise.shape[1]
    moves = tf.where(places < size, -self._step, self._step)
    moved = tf.gather(self._order, places % size)
    by = tf.one_hot(moved, size) * tf.cast(moves, tf.float32)[..., None]
    tried = _flat(code)[:, None] + by
    most = math.floor(lattice.MAX_MEAN / self._step) * self._step
    tried = tf.clip_by_value(tried, -most, most)
    return tf.reshape(tried, [-1, self._moves, *code.shape[1:]])

  def _distortion(self, code, image):
    return -self._model.likelihood(code).log_prob(image) / math.log(2)

  def _noise(self, code):
    # A copy, so that TFP's cache does not answer.
    return _flat(self._flow.inverse(tf.identity(code)))

  def _bits(self, noise):
    width = self._symbols.intervals(noise[..., None], noise).width
    return PRECISION - tf.math.log(tf.cast(width, tf.float32)) / math.log(2)


def _flat(x):
  return tf.reshape(x, [-1, math.prod(x.shape[1:])])


def _order(bijector, event_shape):
  """Numbers of a code in the order of the noise that a flow makes it of."""
  numbers = tf.range(math.prod(event_shape), dtype=tf.float32)
  moved = lattice.moves(bijector).inverse(
    tf.reshape(numbers, [1, *event_shape])
  )
  return tf.cast(tf.round(tf.reshape(moved, [-1])), tf.int32)
