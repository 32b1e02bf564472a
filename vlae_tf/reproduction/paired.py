"""How much better one model is than another on the same images."""

import os
import pathlib
from typing import NamedTuple

import numpy as np

from vlae_tf.analysis import estimates


class Paired(NamedTuple):
  """A mean of differences over images in nats, and its standard error."""

  mean: float
  stderr: float
  num_images: int


def difference(path: str | os.PathLike, reference: str | os.PathLike) -> Paired:
  """NLL of a model less that of a reference, image by image.

  What makes an image hard for both falls out of the standard error, `s / n^0.5`
  of the differences, which is smaller than those of the two means.

  Args:
    path: `.npz` file with `log_prob` in nats, by the number of the image.
    reference: The same of the reference.

  Returns:
    `Paired`.

  Raises:
    ValueError: A file cannot be read, or they are of other numbers of images.
  """
  ours, theirs = _log_prob(path), _log_prob(reference)
  if ours.shape != theirs.shape:
    raise ValueError(
      f'`path` and `reference` must be of the same images, got {len(ours)} in '
      f'{path} and {len(theirs)} in {reference}.'
    )
  values = theirs - ours
  return Paired(
    float(values.mean()), estimates.standard_error(values), len(values)
  )


def _log_prob(path):
  try:
    with np.load(pathlib.Path(path)) as stored:
      found = np.float64(stored['log_prob'])
  except (OSError, ValueError, KeyError) as error:
    raise ValueError(f'{path} holds no log_prob of images: {error}') from error
  if found.ndim != 1 or not found.size:
    raise ValueError(f'{path} must hold a log_prob an image, got {found.shape}')
  return found
