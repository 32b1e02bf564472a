"""Images from codes alone.

What comes of a code depends on the code and a seed. Networks compute in floats
here: another device may decide a pixel otherwise, whose law is near a half.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf

from vlae_tf.distributions import drawing
from vlae_tf.evaluation import sampling
from vlae_tf.models import vlae as model_lib
from vlae_tf.utils import checks, random


def draws(
  model: model_lib.VLAE, codes: np.ndarray, num: int = 1, seed: int = 0
) -> np.ndarray:
  """Draws images from codes: `x ~ p(x|z)`."""
  # codes [num_codes, *event_shape] -> [num, num_codes, height, width, channels]
  checks.integer('num', num, 1)
  checks.integer('seed', seed, 0, random.MAX_SEED)
  codes = _checked(model, codes)
  return sampling.from_codes(model, codes, num, seed).numpy()


def likeliest(model: model_lib.VLAE, codes: np.ndarray) -> np.ndarray:
  """The likeliest image of each code, greedily."""
  # Pixel by pixel the likeliest value given those before it: not always the
  # likeliest image as a whole, which is hard to find.
  # codes [num_codes, *event_shape] -> [num_codes, height, width, channels]
  codes = _checked(model, codes)
  size = sampling.AT_ONCE
  parts = [codes[start : start + size] for start in range(0, len(codes), size)]
  return np.concatenate([_likeliest(model, part).numpy() for part in parts])


def images(
  model: model_lib.VLAE,
  points: Iterable[np.ndarray],
  step: float,
  num: int | None = 1,
  seed: int = 0,
) -> Iterator[np.ndarray]:
  """Images of the codes of a lossy file, part by part."""
  # points [num_codes, *event_shape] -> [num * num_codes, height, width,
  # channels]
  levels = 'levels' in model.likelihood.pixel_law.kinds
  for k, part in enumerate(points):
    codes = np.float32(part * step)
    if num is None:
      found = likeliest(model, codes)
    else:
      own = (seed + k * 7_919) % random.MAX_SEED
      drawn = np.swapaxes(draws(model, codes, num, own), 0, 1)
      found = drawn.reshape(-1, *drawn.shape[2:])
    yield np.rint(found * 255).astype(np.uint8) if levels else found > 0


def _likeliest(model, codes):
  law = model.likelihood(codes)
  if not hasattr(law, 'decide'):
    return law.mode()  # Of pixels that do not depend on each other.
  return law.decide(drawing.likeliest(law.pixel_law))[0]


def _checked(model, codes):
  checks.ends_in('codes', codes, model.event_shape)
  if not len(codes):
    raise ValueError('`codes` must not be empty, got none.')
  return tf.convert_to_tensor(codes, tf.float32)
