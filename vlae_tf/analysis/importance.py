"""Importance sampling from the posterior, as a computation on tensors.

#### References

[1]: Yuri Burda, Roger Grosse, Ruslan Salakhutdinov. Importance Weighted
     Autoencoders. In _International Conference on Learning Representations_,
     2016. https://arxiv.org/abs/1509.00519
"""

import math
from typing import NamedTuple

import tensorflow as tf

from vlae_tf import model as model_lib
from vlae_tf.distributions import reparameterized
from vlae_tf.system import philox, seeds

# Codes decoded at a time: this, not the number of samples, decides the memory.
LANES = 256


class Estimate(NamedTuple):
  """What is estimated of each image, in nats, `[batch]` each."""

  log_prob: tf.Tensor  # Importance-sampled log p(x).
  elbo: tf.Tensor  # Mean of the log-weights, the same codes.
  rate: tf.Tensor  # Mean of log q(z|x) - log p(z).
  distortion: tf.Tensor  # Mean of -log p(x|z).


def chunk_size(num_samples: int | tf.Tensor) -> int | tf.Tensor:
  """The largest divisor of a number of samples that the lanes hold.

  >>> chunk_size(12), chunk_size(257), int(chunk_size(tf.constant(1000)))
  (12, 1, 250)

  Args:
    num_samples: Python integer, or integer `Tensor` of shape `[]`.

  Returns:
    One of the same kind: chunks hold no more than the samples asked for.
  """
  if isinstance(num_samples, int):
    return max(n for n in range(1, LANES + 1) if num_samples % n == 0)
  sizes = tf.range(1, LANES + 1, dtype=num_samples.dtype)
  return tf.reduce_max(tf.where(num_samples % sizes == 0, sizes, 1))


def estimate(
  model: model_lib.VLAE,
  image: tf.Tensor,
  index: tf.Tensor,
  num_samples: int | tf.Tensor,
  seed: int | tf.Tensor = 0,
) -> Estimate:
  """`log p(x) ~ log mean{ p(x|z[k]) p(z[k]) / q(z[k]|x) }` [1].

  As many codes as `chunk_size` says are decoded for all images at a time.

  Args:
    model: Built `VLAE`.
    image: Float `Tensor` of shape `[batch, height, width, channels]`.
    index: Integer `Tensor` of shape `[batch]`: numbers of the images, which
      decide their codes.
    num_samples: Codes of each image, a Python integer or a `Tensor`.
    seed: User's seed, a Python integer or a `Tensor`.

  Returns:
    An `Estimate`.
  """
  chunk = chunk_size(num_samples)
  q = model.posterior(image)
  batch = tf.shape(index)[0]

  def add(k, log_sum, rate, distortion):
    noise = _noise(model, index, k, chunk, seed)
    terms = model.terms(reparameterized.draw(q, noise), image)  # [chunk, batch]
    all_weights = tf.concat([log_sum[None], terms.elbo], 0)
    return (
      k + 1,
      tf.reduce_logsumexp(all_weights, axis=0),
      rate + tf.reduce_sum(terms.rate, 0),
      distortion + tf.reduce_sum(terms.distortion, 0),
    )

  zeros = tf.zeros([batch])
  _, log_sum, rate, distortion = tf.while_loop(
    lambda k, *_: k < num_samples // chunk,
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
  """`estimate` of any number of images, as many at a time as the lanes hold.

  Args:
    model: As in `estimate`.
    image: As in `estimate`.
    index: As in `estimate`.
    num_samples: As in `estimate`.
    seed: As in `estimate`.

  Returns:
    An `Estimate`.
  """
  size = LANES // chunk_size(num_samples)
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


def _noise(model, index, k, chunk, seed):
  """Noise of shape `[chunk, batch, *event_shape]`, of each image its own."""
  of_images = seeds.stream_seeds(seed, 'importance', index)
  of_chunk = philox.folded(of_images, k)
  noise = philox.normal(of_chunk, [chunk, *model.event_shape])
  static = chunk if isinstance(chunk, int) else None
  noise = tf.ensure_shape(noise, [None, static, *model.event_shape])
  return tf.transpose(noise, [1, 0, *range(2, len(noise.shape))])
