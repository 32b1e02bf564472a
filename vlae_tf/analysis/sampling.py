"""Images from codes, through the three laws of a model alone."""

import numpy as np
import tensorflow as tf

from vlae_tf import model as model_lib
from vlae_tf.analysis import inputs
from vlae_tf.distributions import reparameterized
from vlae_tf.system import checks, seeds

# Images drawn at a time, which decides the memory.
_AT_ONCE = 512


def sample_prior(model: model_lib.VLAE, num: int, seed: int = 0) -> np.ndarray:
  """Unconditional samples: `z ~ p(z)`, `x ~ p(x|z)`.

  >>> from vlae_tf import Config, build_model
  >>> small = dict(encoder_widths='4', prior='gaussian', decoder='factorised')
  >>> config = Config(latent_size=2, decoder_depth=2, **small)
  >>> images = sample_prior(build_model(config, (4, 4, 1)), num=3)
  >>> images.shape, set(images.flat) <= {0.0, 1.0}
  ((3, 4, 4, 1), True)

  Args:
    model: Built `VLAE`.
    num: Number of images, at least 1.
    seed: Python integer.

  Returns:
    An array of shape `[num, height, width, channels]`.

  Raises:
    ValueError: `num` is less than 1, or the model is not built.
  """
  checks.integer('num', num, 1)
  images = []
  for part, code_seed, image_seed in _parts(num, 1, seed):
    z = model.prior().sample(part.stop - part.start, seed=code_seed)
    images.append(model.likelihood(z).sample(seed=image_seed).numpy())
  return np.concatenate(images)


def decompress(
  model: model_lib.VLAE, images: np.ndarray, draws: int = 1, seed: int = 0
) -> np.ndarray:
  """Draws images from the codes of given ones: the lossy code's meaning.

  Args:
    model: Built `VLAE`.
    images: Float array of shape `[num, height, width, channels]` in [0, 1].
    draws: Draws from each code, at least 1.
    seed: Python integer.

  Returns:
    An array of shape `[draws, num, height, width, channels]`.

  Raises:
    ValueError: `draws` is less than 1, or the images are not the model's.
  """
  checks.integer('draws', draws, 1)
  inputs.check_pixels(model, images)
  drawn = []
  for part, code_seed, image_seed in _parts(len(images), draws, seed):
    z = _codes(model, images[part], code_seed)
    drawn.append(model.likelihood(z).sample(draws, seed=image_seed).numpy())
  return np.concatenate(drawn, axis=1)


def complete(
  model: model_lib.VLAE,
  images: np.ndarray,
  num_given: int,
  draws: int = 1,
  seed: int = 0,
  proposals: int = 256,
) -> np.ndarray:
  """Continues images of which only the first pixels in raster order are known.

  The code comes from `p(z | given pixels)`, by sampling-importance-resampling:
  half of the proposals are the prior's, half the posterior's for the image
  with the rest blank; each is weighted by what it makes of the given pixels.
  The pixels follow from `p(rest | given pixels, z)`, exactly.

  Args:
    model: Built `VLAE`.
    images: Float array of shape `[num, height, width, channels]` in [0, 1].
    num_given: How many pixels of each are known.
    draws: Continuations of each image, at least 1.
    seed: Python integer.
    proposals: Codes that are weighed for each image, at least 2.

  Returns:
    An array of shape `[draws, num, height, width, channels]`.

  Raises:
    ValueError: More pixels are given than there are, or less than none; a
      number is too small, or the images are not the model's.
  """
  inputs.check_pixels(model, images)
  height, width = images.shape[1:3]
  checks.integer('num_given', num_given, 0, height * width)
  checks.integer('draws', draws, 1)
  checks.integer('proposals', proposals, 2)
  images = np.asarray(images)
  given = (np.arange(height * width) < num_given).reshape(height, width)
  drawn = []
  for part, code_seed, image_seed in _parts(len(images), draws, seed):
    z = []
    for i, image in enumerate(images[part]):
      its_seed = tf.random.experimental.stateless_fold_in(code_seed, i)
      z.append(_codes_of_part(model, image, given, draws, proposals, its_seed))
    law = model.likelihood(tf.stack(z, axis=1))
    rest = law.complete(images[part], given, seed=image_seed)
    drawn.append(rest.numpy())
  return np.concatenate(drawn, axis=1)


def _codes_of_part(model, image, given, draws, proposals, seed):
  """Codes of shape `[draws, *event_shape]` from `p(z | given pixels)`."""
  prior, half = model.prior(), proposals // 2
  q = model.posterior((image * given[..., None])[None])
  seeds_ = tf.unstack(tf.random.experimental.stateless_split(seed, 3))
  of_posterior = q.sample(half, seed=seeds_[1])[:, 0]
  z = tf.concat([prior.sample(half, seed=seeds_[0]), of_posterior], 0)
  of_pixels = model.likelihood(z).conditionals(image).log_prob(image)
  log_prior = prior.log_prob(tf.identity(z))
  # Of the equal mixture of both proposals, up to a constant.
  log_posterior = q.log_prob(z[:, None])[:, 0]
  log_proposal = tf.reduce_logsumexp([log_prior, log_posterior], axis=0)
  log_weight = (
    tf.reduce_sum(of_pixels * given, [-2, -1]) + log_prior - log_proposal
  )
  chosen = tf.random.stateless_categorical(log_weight[None], draws, seeds_[2])
  return tf.gather(z, chosen[0])


def _codes(model, images, seed):
  """One code of each image."""
  q = model.posterior(tf.convert_to_tensor(images))
  shape = [len(images), *model.event_shape]
  noise = tf.random.stateless_normal(shape, seed)
  return reparameterized.draw(q, noise).value


def _parts(num, draws, seed):
  """Slices of images that fit the memory, each with seeds for two uses."""
  size = max(1, _AT_ONCE // draws)
  for k, start in enumerate(range(0, num, size)):
    pair = [seeds.stream_seed(seed, 'sample', i) for i in range(2)]
    if k:
      pair = [tf.random.experimental.stateless_fold_in(s, k) for s in pair]
    yield slice(start, min(start + size, num)), *pair
