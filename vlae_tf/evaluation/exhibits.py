"""Pictures of what a model draws, each with what it is in words."""

from collections.abc import Sequence

import numpy as np

from vlae_tf.evaluation import interpolation, pictures, sampling
from vlae_tf.models import vlae as model_lib

# A uint8 picture of shape `[rows, columns, 3]`, and words.
Exhibit = tuple[np.ndarray, str]
_WAYS = {'eps': 'eps (along great circles)', 'z': 'z (straight)'}


def samples(model: model_lib.VLAE, num: int, seed: int = 0) -> Exhibit:
  """Unconditional samples, see `sampling.sample_prior`."""
  drawn = sampling.sample_prior(model, num, seed)
  return pictures.grid(drawn), f'{_count(num, "sample")} of the prior'


def decompressions(
  model: model_lib.VLAE, images: np.ndarray, draws: int, seed: int = 0
) -> Exhibit:
  """Test images beside draws of their codes, see `sampling.decompress`."""
  made = sampling.decompress(model, images, draws, seed)
  what = f'{_framed(images)}, each with {_count(draws, "draw")} from its code'
  return pictures.beside(images, made), what


def completions(
  model: model_lib.VLAE,
  images: np.ndarray,
  draws: int,
  num_given: int | None = None,
  seed: int = 0,
) -> Exhibit:
  """Test images beside continuations, see `sampling.complete`."""
  # images [num, height, width, channels]
  if num_given is None:
    height, width = images.shape[1:3]
    num_given = height // 2 * width
  made = sampling.complete(model, images, num_given, draws, seed)
  what = f'{_framed(images)}, each with {_count(draws, "continuation")}'
  what += f' of its first {num_given} pixels'
  return pictures.beside(images, made), what


def interpolations(
  model: model_lib.VLAE,
  images: np.ndarray,
  steps: int,
  space: str = 'both',
  seed: int = 0,
) -> Exhibit:
  """Ways from test images to others, see `latent_paths.interpolate`."""
  # images [2 num, height, width, channels]
  spaces = _spaces(space)
  first, last = images[::2], images[1::2]
  paths = [
    interpolation.interpolate(model, first, last, steps, name, seed)
    for name in spaces
  ]
  with_ends = [np.concatenate([first[None], p, last[None]]) for p in paths]
  # From [space, column, pair, ...] to rows of a pair next to each other.
  cells = np.stack(with_ends).transpose(2, 0, 1, 3, 4, 5)
  ways = ' and below in '.join(_WAYS[name] for name in spaces)
  what = (
    f'{_count(len(first), "pair")} of test images (framed), between them draws '
    f'from {steps} codes on the way from one to the other in {ways}, all with '
    'the same pixel noise'
  )
  return pictures.rows(cells.reshape(-1, *cells.shape[2:]), (0, -1)), what


def traversals(
  model: model_lib.VLAE,
  images: np.ndarray,
  dimensions: Sequence[int],
  steps: int,
  space: str = 'both',
  seed: int = 0,
) -> Exhibit:
  """Test images with one number of their code changed at a time."""
  # images [num, height, width, channels]
  blocks, spaces = [], _spaces(space)
  for name in spaces:
    drawn = interpolation.traverse(model, images, dimensions, steps, name, seed)
    originals = np.broadcast_to(
      images[:, None, None], [*drawn.shape[:2], 1, *drawn.shape[3:]]
    )
    blocks.append(np.concatenate([originals, drawn], 2))
  cells = np.stack(blocks, 1)
  numbers = ', '.join(map(str, dimensions))
  what = (
    f'{_framed(images)}, on the right draws from the code with one number of '
    f'{" and below of ".join(spaces)} going from -3 to 3 standard deviations, '
    f'in rows number {numbers}, all with the same pixel noise'
  )
  return pictures.rows(cells.reshape(-1, *cells.shape[3:]), (0,)), what


def _spaces(space):
  return interpolation.SPACES if space == 'both' else (space,)


def _framed(images):
  return f'{_count(len(images), "test image")} (framed)'


def _count(num, what):
  return f'{num} {what}' + 's' * (num != 1)
