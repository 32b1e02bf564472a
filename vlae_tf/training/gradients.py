"""The gradient of an objective over a global batch, on one device or many.

What couples the batch is the weight of the rate, which depends on the global
mean rate. In one piece, a pass forward and an all-reduce of three numbers give
it before the pass backward. In microbatches it is known only at the end, so
distortion's and rate's gradients are summed apart until then.
"""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from vlae_tf.distributions import reparameterized
from vlae_tf.models import config as config_lib
from vlae_tf.models import terms as terms_lib
from vlae_tf.models import vlae as model_lib
from vlae_tf.nn import weight_norm
from vlae_tf.training import parallelism
from vlae_tf.utils import console, random


def latent_noise(
  config: config_lib.Config,
  batch: Mapping[str, tf.Tensor],
  event_shape: Sequence[int],
  num_samples: int = 1,
) -> tf.Tensor:
  """Noise of a batch's codes."""
  # It is drawn for the whole global batch, so that what a slot gets does not
  # depend on the replica that it is on.
  # -> [batch, *event_shape]
  noise = tf.random.stateless_normal(
    [config.batch_size, num_samples, *event_shape],
    random.stream_seed(config.seed, 'latent', batch['step']),
  )
  noise = tf.gather(noise, batch['slot'])
  if num_samples == 1:
    return noise[:, 0]
  return tf.transpose(noise, [1, 0, *range(2, len(noise.shape))])


class GlobalGradient:
  """Mean terms and gradient of the global batch; called on every replica."""

  def __init__(
    self,
    model: model_lib.VLAE,
    config: config_lib.Config,
    microbatch: int = 0,
    parts: int = 1,
    kernels: int = 0,
  ):
    self._model = model
    self._config = config
    self._microbatch = microbatch
    self._kernels = _Kernels(model, kernels)
    self._shares = self._shares_of
    if parts > 1:
      # Traced once for all parts.
      self._shares = tf.function(self._shares_of, autograph=False)
    self._parts = parts
    # Numbers of the weights that have been seen to have a gradient.
    self._reached: set[int] = set()
    self._warned = False

  def __call__(
    self,
    batch: Mapping[str, tf.Tensor],
    step: tf.Tensor,
    loss_scale: float | tf.Tensor = 1.0,
  ) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Computes them."""
    # -> [3]
    samples = self._model.objective.num_samples
    noise = latent_noise(self._config, batch, self._model.event_shape, samples)
    compute = self._accumulated if self._microbatch else self._at_once
    gradients, means = compute(batch['image'], noise, step, loss_scale)
    self._warn_of_unused()
    return terms_lib.over_replicas(gradients), means

  def _at_once(self, image, noise, step, loss_scale):
    with tf.GradientTape() as tape:
      distortion, rate, bound = self._sums(image, noise)
      means = terms_lib.over_replicas(tf.stack([distortion, rate, bound]))
      weight = self._model.objective.rate_weight(means[1], step)
      loss = loss_scale * (distortion + tf.stop_gradient(weight) * rate)
    weights = self._model.trainable_variables
    gradients = self._reaching(tape.gradient(loss, weights))
    return [
      tf.zeros(w.shape) if g is None else g for w, g in zip(weights, gradients)
    ], means

  def _accumulated(self, image, noise, step, loss_scale):
    """As `_at_once`, with one microbatch in memory at a time."""
    zeros = [tf.zeros(w.shape) for w in self._model.trainable_variables]

    def add(start, by_distortion, by_rate, means):
      with tf.GradientTape(persistent=True) as tape:
        shares = self._sums(*self._microbatch_at(start, image, noise))
        distortion, rate = loss_scale * shares[0], loss_scale * shares[1]
      return (
        start + self._microbatch,
        self._plus(by_distortion, tape, distortion),
        self._plus(by_rate, tape, rate),
        means + tf.stack(shares),
      )

    _, by_distortion, by_rate, means = tf.while_loop(
      lambda start, *_: start < image.shape[0],
      add,
      (0, zeros, zeros, tf.zeros([3])),
    )
    means = terms_lib.over_replicas(means)
    weight = self._model.objective.rate_weight(means[1], step)
    return [d + weight * r for d, r in zip(by_distortion, by_rate)], means

  def _microbatch_at(self, start, image, noise):
    """Images and noise of one microbatch."""
    size = self._microbatch
    return (
      _slice(image, start, size, 0),
      _slice(noise, start, size, self._batch_axis(noise)),
    )

  def _batch_axis(self, noise):
    """Number of the noise's axis of images; one of samples may be before."""
    return len(noise.shape) - len(self._model.event_shape) - 1

  def _plus(self, sums, tape, target):
    more = tape.gradient(target, self._model.trainable_variables)
    more = self._reaching(more)
    return [s if m is None else s + m for s, m in zip(sums, more)]

  def _reaching(self, gradients):
    """The gradients, having taken note of those that there are."""
    self._reached |= {k for k, g in enumerate(gradients) if g is not None}
    return gradients

  def _warn_of_unused(self):
    """Says once which weights nothing that is minimised depends on."""
    weights = self._model.trainable_variables
    unused = [w.path for k, w in enumerate(weights) if k not in self._reached]
    if unused and not self._warned:
      self._warned = True
      console.warn(
        f'the objective does not depend on {", ".join(unused)}: not trained.'
      )

  def _sums(self, image, noise):
    """What images add to the global means: distortion, rate, bound."""
    kernels = self._kernels()
    images = tf.split(image, self._parts)
    noises = tf.split(noise, self._parts, axis=self._batch_axis(noise))
    shares = [self._shares(*part, kernels) for part in zip(images, noises)]
    return [tf.add_n(values) for values in zip(*shares)]

  def _shares_of(self, image, noise, kernels):
    """The same of one part."""
    model = self._model
    with weight_norm.given_kernels(self._kernels.layers, kernels):
      code = reparameterized.draw(model.posterior(image), noise)
      terms = model.terms(code, image)
    parts = [*model.objective.parts(terms), model.objective.bound(terms)]
    return [tf.reduce_sum(p) / self._config.batch_size for p in parts]


def _slice(x, start, size, axis):
  """Some entries along an axis, as many as are known beforehand."""
  begin = [0] * len(x.shape)
  sizes = [-1] * len(x.shape)
  begin[axis], sizes[axis] = start, size
  shape = x.shape.as_list()
  shape[axis] = size
  return tf.ensure_shape(tf.slice(x, begin, sizes), shape)


class _Kernels:
  """The kernels of all weight-normalised layers, computed at once."""

  def __init__(self, model, num_functions):
    # One that nobody calls has no weights.
    self.layers = [la for la in weight_norm.layers_of(model) if la.built]
    sizes = [layer.v.value.shape.num_elements() for layer in self.layers]
    self._groups = parallelism.balanced(sizes, max(1, num_functions))
    self._compute = [self._computing(group) for group in self._groups]
    if num_functions:
      self._compute = [tf.function(c, jit_compile=True) for c in self._compute]

  def _computing(self, group):
    return lambda: [self.layers[k].kernel for k in group]

  def __call__(self):
    kernels = [None] * len(self.layers)
    for group, compute in zip(self._groups, self._compute):
      for k, kernel in zip(group, compute()):
        kernels[k] = kernel
    return kernels
