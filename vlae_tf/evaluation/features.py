"""What a classifier sees of images: their codes, their pixels, or chance."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from vlae_tf import data as data_lib
from vlae_tf.evaluation import encoding
from vlae_tf.models import vlae as model_lib


class Features(NamedTuple):
  """What is known of images in place of themselves."""

  name: str
  train: np.ndarray  # [num_train, size]
  test: np.ndarray  # [num_test, size]


def of_codes(
  model: model_lib.VLAE,
  data: data_lib.ImageData,
  kinds: Sequence[str],
  whose: str = '',
  progress: Callable[[int], Any] | None = None,
) -> list[Features]:
  """Codes of training and test images, each in its fixed binarisation."""
  # Each number is taken by its mean and deviation, which are of all training
  # images, those without labels as well.
  train, test = (
    encoding.encode_all(model, data.split(split), split, data.kind, progress)
    for split in ('train', 'test')
  )
  found = []
  for kind in kinds:
    seen, unseen = (_flat(getattr(part, kind)) for part in (train, test))
    name = f'{whose}code, {kind}'
    found.append(_scaled(name, seen, unseen, seen.std(0)))
  return found


def of_pixels(
  data: data_lib.ImageData, others: np.ndarray | None = None
) -> Features:
  """Raw pixels of training and test images, in the same binarisation."""
  # One deviation is taken for all: by their own, pixels at the rim, which are
  # hardly ever lit, would count most.

  def seen(split):
    images = data.split(split)
    return data_lib.fixed_binarization(images, split, kind=data.kind)

  train = _flat(seen('train'))
  test = _flat(seen('test') if others is None else others)
  return _scaled('raw pixels', train, test, np.sqrt(train.var(0).mean()))


def shuffled(features: Features, seed: int = 0) -> Features:
  """Features dealt out anew among the training images: nothing but chance."""
  order = np.random.default_rng(seed).permutation(len(features.train))
  name = f'{features.name}, shuffled'
  return Features(name, features.train[order], features.test)


def _flat(x):
  return np.reshape(x, [len(x), -1]).astype(np.float32)


def _scaled(name, train, test, scale):
  mean, scale = train.mean(0), np.where(scale > 0, scale, 1)
  return Features(name, (train - mean) / scale, (test - mean) / scale)
