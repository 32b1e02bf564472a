"""Images from codes, through the three laws of a model alone."""

import numpy as np
import tensorflow as tf

from vlae_tf.evaluation import drawing, inputs
from vlae_tf.models import vlae as model_lib
from vlae_tf.utils import checks, random


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
  checks.integer('seed', seed, 0, random.MAX_SEED)
  return drawing.samples(model, num, seed).numpy()


def decompress(
  model: model_lib.VLAE, images: np.ndarray, draws: int = 1, seed: int = 0
) -> np.ndarray:
  """Draws images from the codes of given ones: the lossy code's meaning."""
  # images [num, height, width, channels] -> [draws, num, height, width,
  # channels]
  checks.integer('draws', draws, 1)
  inputs.check_pixels(model, images)
  checks.integer('seed', seed, 0, random.MAX_SEED)
  images = tf.convert_to_tensor(images)
  return drawing.decompressions(model, images, draws, seed).numpy()


def complete(
  model: model_lib.VLAE,
  images: np.ndarray,
  num_given: int,
  draws: int = 1,
  seed: int = 0,
  proposals: int = 256,
) -> np.ndarray:
  """Continues images of which the first pixels in raster order are known."""
  # images [num, height, width, channels] -> [draws, num, height, width,
  # channels]
  inputs.check_pixels(model, images)
  height, width = images.shape[1:3]
  checks.integer('num_given', num_given, 0, height * width)
  checks.integer('draws', draws, 1)
  checks.integer('proposals', proposals, 2)
  checks.integer('seed', seed, 0, random.MAX_SEED)
  given = np.arange(height * width).reshape(height, width) < num_given
  images = tf.convert_to_tensor(images)
  drawn = drawing.completions(model, images, given, draws, seed, proposals)
  return drawn.numpy()
