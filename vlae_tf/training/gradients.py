"""Gradient of an objective over a global batch, on one or several devices.

The images of a batch are coupled by the weight of the rate, which depends on
the global mean rate. For a batch in one piece, a forward pass and an all-reduce
of three numbers give it before the backward pass. With microbatches it is known
only at the end, so the gradients of distortion and rate are accumulated
separately.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from vlae_tf.distributions import reparameterized
from vlae_tf.models import objectives
from vlae_tf.models.config import Config
from vlae_tf.models.vlae import VLAE
from vlae_tf.nn import weight_norm
from vlae_tf.utils import console, random

# Under float16 the loss is scaled; the scale doubles after so many good steps.
_GROWTH_STEPS = 2000
_FIRST_LOSS_SCALE = 2.0**12
_MAX_LOSS_SCALE = 2.0**16


def latent_noise(
  config: Config,
  batch: Mapping[str, tf.Tensor],
  event_shape: Sequence[int],
  num_samples: int = 1,
) -> tf.Tensor:
  """Noise of a batch, `[batch, ...]` or `[num_samples, batch, ...]`."""
  # Drawn for the whole global batch, so that the noise of a slot does not
  # depend on its replica.
  noise = tf.random.stateless_normal(
    [config.batch_size, num_samples, *event_shape],
    random.stream_seed(config.seed, 'latent', batch['step']),
  )
  noise = tf.gather(noise, batch['slot'])
  if num_samples == 1:
    return noise[:, 0]
  return tf.transpose(noise, [1, 0, *range(2, len(noise.shape))])


def balanced(sizes: Sequence[int], num_groups: int) -> list[list[int]]:
  """Divides indices into groups of about the same total size, none empty."""
  groups: list[list[int]] = [[] for _ in range(num_groups)]
  totals = [0] * num_groups
  for k in sorted(range(len(sizes)), key=lambda k: -sizes[k]):
    smallest = totals.index(min(totals))
    groups[smallest].append(k)
    totals[smallest] += sizes[k]
  return [sorted(group) for group in groups if group]


def in_groups(
  compute: Callable[..., Any], sizes: Sequence[int], num_compiled: int
) -> list[tuple[list[int], Callable[..., Any]]]:
  """Groups of indices, each with `compute` of it: compiled, or just one."""

  def of(group):
    def call(*args):
      return compute(group, *args)

    return tf.function(call, jit_compile=True) if num_compiled else call

  return [(group, of(group)) for group in balanced(sizes, num_compiled or 1)]


class GlobalGradient:
  """Gradient and mean terms of the global batch; called on every replica."""

  def __init__(
    self,
    model: VLAE,
    config: Config,
    microbatch: int = 0,
    parts: int = 1,
    kernels: int = 0,
  ):
    self._model = model
    self._config = config
    self._microbatch = microbatch
    # The noise's axis of images; one of samples may precede it.
    self._noise_axis = int(model.objective.num_samples > 1)
    self._layers = weight_norm.layers_of(model)
    self._kernels = in_groups(
      lambda group: [self._layers[k].kernel for k in group],
      [layer.v.value.shape.num_elements() for layer in self._layers],
      kernels,
    )
    self._shares = self._shares_of
    if parts > 1:
      # Traced once for all parts.
      self._shares = tf.function(self._shares_of, autograph=False)
    self._parts = parts
    # Indices of the weights for which a gradient has been seen.
    self._reached: set[int] = set()
    self._warned = False

  def __call__(
    self,
    batch: Mapping[str, tf.Tensor],
    step: tf.Tensor,
    loss_scale: float | tf.Tensor = 1.0,
  ) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Scaled gradients, and the means of distortion, rate and bound."""
    samples = self._model.objective.num_samples
    noise = latent_noise(self._config, batch, self._model.event_shape, samples)
    compute = self._accumulated if self._microbatch else self._at_once
    gradients, means = compute(batch['image'], noise, step, loss_scale)
    weights = self._model.trainable_variables
    unused = [w.path for k, w in enumerate(weights) if k not in self._reached]
    if unused and not self._warned:
      self._warned = True
      console.warn(
        f'the objective does not depend on {", ".join(unused)}: not trained.'
      )
    return objectives.over_replicas(gradients), means

  def _at_once(self, image, noise, step, loss_scale):
    with tf.GradientTape() as tape:
      distortion, rate, bound = self._sums(image, noise)
      means = objectives.over_replicas(tf.stack([distortion, rate, bound]))
      weight = self._model.objective.rate_weight(means[1], step)
      loss = loss_scale * (distortion + tf.stop_gradient(weight) * rate)
    weights = self._model.trainable_variables
    gradients = self._gradients(tape, loss)
    return [
      tf.zeros(w.shape) if g is None else g for w, g in zip(weights, gradients)
    ], means

  def _accumulated(self, image, noise, step, loss_scale):
    """As `_at_once`, with one microbatch in memory at a time."""
    zeros = [tf.zeros(w.shape) for w in self._model.trainable_variables]
    size, rows = self._microbatch, tf.range(self._microbatch)

    def add(start, by_distortion, by_rate, means):
      images = tf.gather(image, start + rows)
      noises = tf.gather(noise, start + rows, axis=self._noise_axis)
      with tf.GradientTape(persistent=True) as tape:
        shares = self._sums(images, noises)
        distortion, rate = loss_scale * shares[0], loss_scale * shares[1]

      def plus(sums, target):
        more = self._gradients(tape, target)
        return [s if m is None else s + m for s, m in zip(sums, more)]

      sums = plus(by_distortion, distortion), plus(by_rate, rate)
      return start + size, *sums, means + tf.stack(shares)

    _, by_distortion, by_rate, means = tf.while_loop(
      lambda start, *_: start < image.shape[0],
      add,
      (0, zeros, zeros, tf.zeros([3])),
    )
    means = objectives.over_replicas(means)
    weight = self._model.objective.rate_weight(means[1], step)
    return [d + weight * r for d, r in zip(by_distortion, by_rate)], means

  def _gradients(self, tape, target):
    """Gradients of all weights; records which of them exist."""
    gradients = tape.gradient(target, self._model.trainable_variables)
    self._reached |= {k for k, g in enumerate(gradients) if g is not None}
    return gradients

  def _sums(self, image, noise):
    """Contribution of images to the global means: distortion, rate, bound."""
    by_layer = {k: x for g, of in self._kernels for k, x in zip(g, of())}
    kernels = [by_layer[k] for k in range(len(self._layers))]
    images = tf.split(image, self._parts)
    noises = tf.split(noise, self._parts, axis=self._noise_axis)
    shares = [self._shares(*part, kernels) for part in zip(images, noises)]
    return [tf.add_n(values) for values in zip(*shares)]

  def _shares_of(self, image, noise, kernels):
    model = self._model
    with weight_norm.given_kernels(self._layers, kernels):
      draw = reparameterized.draw(model.posterior(image), noise)
      terms = model.terms(draw, image)
    parts = [*model.objective.parts(terms), model.objective.bound(terms)]
    return [tf.reduce_sum(p) / self._config.batch_size for p in parts]


class Guard:
  """Counts updates that were skipped because they were not finite.

  For float16 it also adapts the loss scale, which keeps small gradients from
  underflow: halved by a skipped update, doubled after many good ones.
  """

  def __init__(self, scale_loss: bool = False):
    self._scale_loss = scale_loss
    self.skipped, self.skipped_in_row, self._good_in_row = (
      keras.Variable(0, trainable=False, dtype='int64', name=name)
      for name in ('skipped', 'skipped_in_row', 'good_in_row')
    )
    self._loss_scale = keras.Variable(
      _FIRST_LOSS_SCALE if scale_loss else 1.0, trainable=False, name='scale'
    )
    counts = (self.skipped, self.skipped_in_row, self._good_in_row)
    self.variables = (*counts, self._loss_scale)

  @property
  def loss_scale(self) -> tf.Tensor:
    """Factor on the loss, a float32 `Tensor` of shape `[]`."""
    return tf.convert_to_tensor(self._loss_scale.value)

  def count(self, is_good: tf.Tensor) -> None:
    """Counts an update, and adapts the loss scale."""
    bad = tf.cast(~is_good, tf.int64)
    good_in_row = (1 - bad) * (self._good_in_row.value + 1)
    self.skipped.assign(self.skipped.value + bad)
    self.skipped_in_row.assign(bad * (self.skipped_in_row.value + 1))
    if self._scale_loss:
      grown = tf.where(good_in_row == _GROWTH_STEPS, 2.0, 1.0)
      scale = self._loss_scale.value * tf.where(is_good, grown, 0.5)
      self._loss_scale.assign(tf.clip_by_value(scale, 1.0, _MAX_LOSS_SCALE))
    self._good_in_row.assign(good_in_row % _GROWTH_STEPS)
