"""Importance sampling from the posterior, as a computation on tensors.

#### References

[1]: Yuri Burda, Roger Grosse, Ruslan Salakhutdinov. Importance Weighted
     Autoencoders. In _International Conference on Learning Representations_,
     2016. https://arxiv.org/abs/1509.00519
"""

import math
from typing import NamedTuple

import tensorflow as tf

from vlae_tf.distributions import reparameterized
from vlae_tf.models import terms as terms_lib
from vlae_tf.models import vlae as model_lib
from vlae_tf.utils import random

# Codes whose noise is drawn at a time, and at most as many decoded: this, not
# the number of samples, decides the memory.
BLOCK, LANES = 256, 64


class Estimate(NamedTuple):
  """What is estimated of each image, in nats, `[batch]` each."""

  log_prob: tf.Tensor  # Importance-sampled log p(x).
  elbo: tf.Tensor  # Mean of the log-weights, the same codes.
  rate: tf.Tensor  # Mean of log q(z|x) - log p(z).
  distortion: tf.Tensor  # Mean of -log p(x|z).


def block_size(num_samples: int | tf.Tensor) -> int | tf.Tensor:
  """The largest divisor of a number of samples that a block holds.

  >>> block_size(12), block_size(257), int(block_size(tf.constant(1000)))
  (12, 1, 250)

  Args:
    num_samples: Python integer, or integer `Tensor` of shape `[]`.

  Returns:
    One of the same kind: blocks hold no more than the samples asked for.
  """
  return _largest_divisor(num_samples, BLOCK)


def num_images(num_samples: int | tf.Tensor) -> int | tf.Tensor:
  """How many images are to be scored together, so that the lanes are full."""
  size = block_size(num_samples)
  if isinstance(size, int):
    return max(1, LANES // size)
  return tf.maximum(1, LANES // size)


def _largest_divisor(num, most):
  if isinstance(num, int):
    return max(n for n in range(1, most + 1) if num % n == 0)
  sizes = tf.range(1, most + 1, dtype=num.dtype)
  return tf.reduce_max(tf.where(num % sizes == 0, sizes, 1))


def estimate(
  model: model_lib.VLAE,
  image: tf.Tensor,
  index: tf.Tensor,
  num_samples: int | tf.Tensor,
  seed: int | tf.Tensor = 0,
) -> Estimate:
  """`log p(x) ~ log mean{ p(x|z[k]) p(z[k]) / q(z[k]|x) }` [1]."""
  # As many codes as the lanes hold are decoded for all images at a time.
  # image [batch, height, width, channels]; index [batch]
  block = block_size(num_samples)
  q = model.posterior(image)
  batch = tf.shape(index)[0]

  def add(k, log_sum, rate, distortion):
    noise = _noise(model, index, k, block, seed)
    terms = _terms_of(model, reparameterized.draw(q, noise), image, block)
    all_weights = tf.concat([log_sum[None], terms.elbo], 0)
    return (
      k + 1,
      tf.reduce_logsumexp(all_weights, axis=0),
      rate + tf.reduce_sum(terms.rate, 0),
      distortion + tf.reduce_sum(terms.distortion, 0),
    )

  zeros = tf.zeros([batch])
  _, log_sum, rate, distortion = tf.while_loop(
    lambda k, *_: k < num_samples // block,
    add,
    (0, tf.fill([batch], -math.inf), zeros, zeros),
    parallel_iterations=1,
  )
  total = tf.cast(num_samples, tf.float32)
  rate, distortion = rate / total, distortion / total
  log_prob = log_sum - tf.math.log(total)
  return Estimate(log_prob, -rate - distortion, rate, distortion)


def estimate_in_groups(
  model: model_lib.VLAE,
  image: tf.Tensor,
  index: tf.Tensor,
  num_samples: int | tf.Tensor,
  seed: int | tf.Tensor = 0,
) -> Estimate:
  """`estimate` of any number of images, as many at a time as the lanes hold."""
  size = num_images(num_samples)
  total = tf.shape(image)[0]
  groups = (total + size - 1) // size
  arrays = [
    tf.TensorArray(tf.float32, groups, infer_shape=False, element_shape=[None])
    for _ in Estimate._fields
  ]

  def add(k, *arrays):
    part = slice(k * size, tf.minimum((k + 1) * size, total))
    values = estimate(model, image[part], index[part], num_samples, seed)
    return k + 1, *(a.write(k, v) for a, v in zip(arrays, values))

  _, *arrays = tf.while_loop(
    lambda k, *_: k < groups, add, (0, *arrays), parallel_iterations=1
  )
  return Estimate(*(a.concat() for a in arrays))


def _terms_of(model, code, image, block):
  """`Terms` of codes `[block, batch, *event_shape]`, some after the others."""
  at_once = _largest_divisor(block, LANES)
  if isinstance(block, int) and at_once == block:
    return model.terms(code, image)
  batch = code.log_prob.shape[-1]

  def in_lanes(x):
    shape = [block // at_once, at_once, tf.shape(x)[1], *x.shape[2:]]
    static = at_once if isinstance(at_once, int) else None
    x = tf.reshape(x, shape)
    return tf.ensure_shape(x, [None, static, batch, *x.shape[3:]])

  spec = tf.TensorSpec([None, batch])
  terms = tf.map_fn(
    lambda part: model.terms(reparameterized.Draw(*part), image),
    reparameterized.Draw(*map(in_lanes, code)),
    fn_output_signature=terms_lib.Terms(spec, spec),
    parallel_iterations=1,
  )
  shape = tf.shape(code.log_prob)
  return terms_lib.Terms(*(tf.reshape(t, shape) for t in terms))


def _noise(model, index, k, chunk, seed):
  """Noise of shape `[chunk, batch, *event_shape]`, of each image its own."""
  of_images = random.stream_seeds(seed, 'importance', index)
  of_chunk = random.folded(of_images, k)
  noise = random.normal(of_chunk, [chunk, *model.event_shape])
  static = chunk if isinstance(chunk, int) else None
  noise = tf.ensure_shape(noise, [None, static, *model.event_shape])
  return tf.transpose(noise, [1, 0, *range(2, len(noise.shape))])
