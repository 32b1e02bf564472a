"""Where in images the nats are: -log p of each pixel."""

import numpy as np
import tensorflow as tf

from vlae_tf.evaluation import drawing, inputs
from vlae_tf.models import vlae as model_lib
from vlae_tf.utils import checks, random

_BATCH = 100


def nats(
  model: model_lib.VLAE, images: np.ndarray, seed: int = 0
) -> np.ndarray | None:
  """-log p(x[i] | pixels that pixel i sees, z) for one z ~ q(z|x) an image.

  Summed over the pixels of an image they are its distortion,
  `-log p(x|z) = -sum_i log p(x[i] | x[before i], z)`.

  >>> from vlae_tf import Config, build_model
  >>> small = dict(encoder_widths='4', prior='gaussian', decoder='factorised')
  >>> config = Config(latent_size=2, decoder_depth=2, **small)
  >>> model = build_model(config, image_shape=(4, 4, 1))
  >>> nats(model, np.ones([3, 4, 4, 1], 'float32')).shape
  (3, 4, 4)

  Args:
    model: Built `VLAE`.
    images: Float array of shape `[num, height, width, channels]` in [0, 1].
    seed: Python integer.

  Returns:
    An array of shape `[num, height, width]`, channels summed; `None` of a model
    whose likelihood is of a kind that does not tell its pixels apart.

  Raises:
    ValueError: The images are not the model's.
  """
  inputs.check_pixels(model, images)
  checks.integer('seed', seed, 0, random.MAX_SEED)
  found = []
  for start in range(0, len(images), _BATCH):
    image = tf.convert_to_tensor(images[start : start + _BATCH])
    code_seed = random.stream_seed(seed, 'sample', start)
    law = model.likelihood(drawing.codes(model, image, code_seed))
    if not hasattr(law, 'conditionals'):
      return None
    found.append(-law.conditionals(image).log_prob(image).numpy())
  return np.concatenate(found)
