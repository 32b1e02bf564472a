"""Small exported models with inputs."""

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np
import toys

from vlae_tf.exporting import saved_model
from vlae_tf.models import vlae as model_lib

_MOST = 100
MODELS = {
  'paper': dict(encoder_widths='4', flow_steps=1),
  'three channels of levels': dict(
    pixel_distribution='categorical',
    decoder='window',
    window='2x2',
    prior='gaussian',
    image_shape=(4, 3, 3),
  ),
  'colours of levels': dict(
    pixel_distribution='logistic_mixture',
    decoder='window',
    window='2x2',
    prior='gaussian',
    image_shape=(3, 4, 3),
  ),
  'without a code': dict(latent_size=0),
}


@dataclasses.dataclass(frozen=True)
class Export:
  """A model, the directory of its export, and inputs."""

  model: model_lib.VLAE
  directory: pathlib.Path
  images: np.ndarray
  codes: np.ndarray
  mask: np.ndarray
  sizes: tuple[int, ...]  # Of the batches.


def make(
  name: str,
  folder: pathlib.Path,
  signatures: Sequence[str] = tuple(saved_model.SIGNATURES),
) -> Export:
  """Exports one of `MODELS` into a folder."""
  model = toys.small_model(**MODELS[name])
  rng = np.random.default_rng(0)
  levels = rng.integers(0, 2, (_MOST, *model.image_shape))
  if 'levels' in name:
    levels = rng.integers(0, 256, levels.shape) / 255
  height, width, _ = model.image_shape
  directory = folder / 'export'
  saved_model.write(model, directory, {'run': name}, names=signatures)
  return Export(
    model,
    directory,
    levels.astype('float32'),
    rng.standard_normal((_MOST, *model.event_shape)).astype('float32'),
    np.arange(height * width).reshape(height, width) < height * width // 2,
    (1, 7, _MOST),
  )
