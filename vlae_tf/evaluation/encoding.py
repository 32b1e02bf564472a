"""The code of an image, and the noise that the prior makes it of."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from vlae_tf import data as data_lib
from vlae_tf.evaluation import inputs
from vlae_tf.models import vlae as model_lib

tfd = tfp.distributions

_BATCH = 256


class Encoding(NamedTuple):
  """What a model's posterior says of images, each `[num, *event_shape]`."""

  mean: tf.Tensor | np.ndarray  # Of q(z|x).
  stddev: tf.Tensor | np.ndarray  # Of q(z|x).
  eps: tf.Tensor | np.ndarray  # f^-1(mean): noise that the prior makes mean of.


def encode(model: model_lib.VLAE, image: tf.Tensor) -> Encoding:
  """Encodes a batch."""
  # image [num, height, width, channels]
  mean, stddev = _moments(model.posterior(image))
  return Encoding(mean, stddev, to_noise(model.prior(), mean))


def _moments(q):
  """Mean and deviation of a law, or what stands for them in `Encoding`."""
  try:
    return q.mean(), q.stddev()
  except NotImplementedError:
    if not hasattr(q, 'bijector'):
      raise
    mean, stddev = _moments(q.distribution)
    return q.bijector.forward(mean), stddev


def to_noise(prior: tfd.Distribution, z: tf.Tensor) -> tf.Tensor:
  """`f^-1(z)` of a prior that is a flow `f`, in the shape of `z`; else `z`."""
  # z [num, *event_shape]
  bijector = getattr(prior, 'bijector', None)
  if bijector is None:
    return z
  # A copy, so that TFP's cache does not answer.
  return tf.reshape(bijector.inverse(tf.identity(z)), tf.shape(z))


def from_noise(prior: tfd.Distribution, eps: tf.Tensor) -> tf.Tensor:
  """`f(eps)`, the inverse of `to_noise`."""
  # eps [num, *event_shape]
  bijector = getattr(prior, 'bijector', None)
  if bijector is None:
    return eps
  base = prior.distribution.event_shape
  noise = tf.reshape(eps, [tf.shape(eps)[0], *base])
  return bijector.forward(tf.identity(noise))


def encode_all(
  model: model_lib.VLAE,
  images: np.ndarray,
  split: str = 'test',
  kind: str | None = None,
  progress: Callable[[int], Any] | None = None,
) -> Encoding:
  """Encodes the images of a split, in the binarisation fixed for it.

  >>> from vlae_tf import Config, build_model
  >>> small = dict(encoder_widths='4', decoder='factorised', decoder_depth=2)
  >>> model = build_model(Config(latent_size=2, **small), (4, 4, 1))
  >>> encode_all(model, np.ones([3, 4, 4, 1], bool)).mean.shape
  (3, 2)

  Args:
    model: Built `VLAE`.
    images: Array of shape `[num_images, height, width, channels]`, see
      `ImageData`.
    split: Name of the split they are.
    kind: What the value of a pixel means, see `ImageData`; inferred by default.
    progress: Called with numbers of images that are done.

  Returns:
    An `Encoding` of arrays.

  Raises:
    ValueError: The images are not of the model's shape, or not of a kind that
      its pixels have a law for.
  """
  kind = inputs.check_kind(model, images, kind)
  encode_batch = tf.function(
    lambda image: encode(model, image),
    reduce_retracing=True,
    autograph=False,
  )
  parts = []
  for batch in data_lib.evaluation_batches(
    images, _BATCH, split=split, kind=kind
  ):
    parts.append([x.numpy() for x in encode_batch(batch['image'])])
    if progress is not None:
      progress(len(parts[-1][0]))
  return Encoding(*map(np.concatenate, zip(*parts)))
