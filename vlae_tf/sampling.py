"""Images from codes, through the three laws of a model alone."""

import tensorflow as tf

from vlae_tf import posteriors, seeds


def sample_prior(model, num, seed=0):
  """Unconditional samples: `z ~ p(z)`, `x ~ p(x|z)`.

  Args:
    model: Built `VLAE`.
    num: Number of images.
    seed: Python integer.

  Returns:
    An array of shape `[num, height, width, channels]`.
  """
  code_seed, image_seed = _two_seeds(seed)
  z = model.prior().sample(num, seed=code_seed)
  return model.likelihood(z).sample(seed=image_seed).numpy()


def decompress(model, images, draws=1, seed=0):
  """Draws images from the codes of given ones: the lossy code's meaning.

  Args:
    model: Built `VLAE`.
    images: Array of shape `[num, height, width, channels]`.
    draws: Draws from each code.
    seed: Python integer.

  Returns:
    An array of shape `[draws, num, height, width, channels]`.
  """
  z, image_seed = _codes(model, images, seed)
  return model.likelihood(z).sample(draws, seed=image_seed).numpy()


def _codes(model, images, seed):
  """One code of each image, and a seed for what follows."""
  code_seed, image_seed = _two_seeds(seed)
  q = model.posterior(tf.convert_to_tensor(images))
  noise = tf.random.stateless_normal(tf.shape(q.mean()), code_seed)
  return posteriors.sample_from_noise(q, noise), image_seed


def _two_seeds(seed):
  return [seeds.stream_seed(seed, 'sample', i) for i in range(2)]
