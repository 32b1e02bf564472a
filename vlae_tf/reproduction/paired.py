"""How much better one model is than another on the same images."""

import os
import pathlib
from typing import NamedTuple

import numpy as np

from vlae_tf.evaluation import likelihood


class Paired(NamedTuple):
  """A mean of differences over images in nats, and its standard error."""

  mean: float
  stderr: float
  num_images: int


def difference(path: str | os.PathLike, reference: str | os.PathLike) -> Paired:
  """NLL of a model less that of a reference, image by image."""
  # What makes an image hard for both falls out of the standard error, `s /
  # n^0.5` of the differences, which is smaller than those of the two means.
  # What more codes say of some images, `better_log_prob`, corrects the mean.
  ours, theirs = _read(path), _read(reference)
  if ours.log_prob.shape != theirs.log_prob.shape:
    raise ValueError(
      '`path` and `reference` must be of the same images, got '
      f'{len(ours.log_prob)} in {path} and {len(theirs.log_prob)} in '
      f'{reference}.'
    )
  values = theirs.log_prob - ours.log_prob
  sides = [side for side in (ours, theirs) if side.numbers is not None]
  if not sides:
    return Paired(
      float(values.mean()), likelihood.standard_error(values), len(values)
    )
  numbers = sides[0].numbers
  if not all(np.array_equal(side.numbers, numbers) for side in sides):
    raise ValueError(
      '`path` and `reference` must have more codes of the same images, got '
      f'{path} and {reference}.'
    )
  better = theirs.better(numbers) - ours.better(numbers)
  return Paired(
    *likelihood.corrected_mean(values, numbers, better), len(values)
  )


class _File(NamedTuple):
  """What a file says of each image, and of some better."""

  log_prob: np.ndarray
  numbers: np.ndarray | None
  of_some: np.ndarray | None

  def better(self, numbers):
    """The best that is known of some images."""
    return self.log_prob[numbers] if self.of_some is None else self.of_some


def _read(path):
  try:
    with np.load(pathlib.Path(path)) as stored:
      found = _File(
        np.float64(stored['log_prob']),
        stored.get('better_numbers'),
        stored.get('better_log_prob'),
      )
  except (OSError, ValueError, KeyError) as error:
    raise ValueError(f'{path} holds no log_prob of images: {error}') from error
  shape = found.log_prob.shape
  if len(shape) != 1 or not found.log_prob.size:
    raise ValueError(f'{path} must hold a log_prob an image, got {shape}')
  return found
