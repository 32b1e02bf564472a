"""Image statistics preserved by lossy reconstruction, by channel and scale.

A reconstruction may differ from the original in every pixel and still preserve
its coarse structure. So both are blurred before they are compared, luminance
and colour apart. (The paper, arXiv:1611.02731, section 4.3, Figure 3.)

#### References

[1]: ITU-R. Recommendation BT.601, 2011: luminance and differences of colour.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.ndimage

from vlae_tf.evaluation import likelihood
from vlae_tf.nn.causal import convolution
from vlae_tf.utils import console, fields

# Standard deviations of the blur, in pixels; infinite: the mean of the image.
BLURS = (0.0, 1.0, 2.0, 4.0, math.inf)
_LUMINANCE = np.array(convolution.LUMINANCE)
_LEVELS = 255


class Row(NamedTuple):
  """Error of reconstructions in one channel at one scale."""

  what: str  # 'luminance' or 'colour'.
  blur: float  # Standard deviation of the blur, in pixels.
  error: float  # Root mean square difference, in levels of 255.
  error_of_others: float  # The same to reconstructions of other images.
  # Share of variance preserved: one minus the ratio of both mean squares; 0 if
  # any image would do as well, 1 if nothing differs.
  kept: float
  kept_stderr: float  # Its standard error over the images.


def luminance_and_colour(images: np.ndarray) -> dict[str, np.ndarray]:
  """Luminance, and the scaled differences of blue and red from it [1]."""
  images = np.asarray(images, np.float64) * _LEVELS
  if images.shape[-1] == 1:
    return {'luminance': images}
  if images.shape[-1] != 3:
    raise ValueError(
      f'`images` must have 1 or 3 channels, got shape {images.shape}.'
    )
  luminance = images @ _LUMINANCE
  blue = (images[..., 2] - luminance) / (2 * (1 - _LUMINANCE[2]))
  red = (images[..., 0] - luminance) / (2 * (1 - _LUMINANCE[0]))
  return {
    'luminance': luminance[..., None],
    'colour': np.stack([blue, red], -1),
  }


def blurred(images: np.ndarray, blur: float) -> np.ndarray:
  """Images blurred by a Gaussian with mirrored edges."""
  if math.isinf(blur):
    return images.mean((-3, -2), keepdims=True)
  return scipy.ndimage.gaussian_filter(images, blur, axes=(-3, -2))


def measure(
  images: np.ndarray, decompressed: np.ndarray, blurs: Sequence[float] = BLURS
) -> list[Row]:
  """Compares images with reconstructions `[draws, num, ...]`.

  >>> rng = np.random.default_rng(0)
  >>> images = rng.uniform(size=[8, 6, 6, 3])
  >>> [round(row.kept, 3) for row in measure(images, images[None], [0.0])]
  [1.0, 1.0]
  """
  images, decompressed = np.asarray(images), np.asarray(decompressed)
  fields.check('images', len(images), len(images) > 1, 'at least 2')
  if decompressed.shape[1:] != images.shape or not len(decompressed):
    raise ValueError(
      '`decompressed` must be at least one draw of shape '
      f'{images.shape}, got shape {decompressed.shape}.'
    )
  of_images = luminance_and_colour(images)
  of_others = luminance_and_colour(decompressed)
  return [
    _row(what, blur, blurred(of_images[what], blur), blurred(channels, blur))
    for what, channels in of_others.items()
    for blur in blurs
  ]


def _row(what, blur, originals, others):
  own = _squares(originals, others)
  # Each image in the place of its neighbour: as many pairs, none its own.
  strange = _squares(originals, np.roll(others, 1, axis=1))
  quotient = own.mean() / strange.mean() if strange.any() else math.nan
  # Standard error of a ratio of means, to first order.
  spread = (own - quotient * strange) / strange.mean()
  stderr = float(spread.std(ddof=1) / math.sqrt(len(spread)))
  error, of_others = (math.sqrt(s.mean()) for s in (own, strange))
  return Row(what, blur, error, of_others, float(1 - quotient), stderr)


def _squares(originals, others):
  """Mean square difference of each image, `[num]`."""
  return ((others - originals) ** 2).mean((0, 2, 3, 4))


def table(rows_of_runs: Mapping[str, Sequence[Row]]) -> str:
  """Shares preserved as lines of text, a column for each run."""
  lines = [('kept (error in levels)', *rows_of_runs)]
  for of_one in zip(*rows_of_runs.values(), strict=True):
    cells = [
      f'{likelihood.with_error(row.kept, row.kept_stderr, 3)} ({row.error:.1f})'
      for row in of_one
    ]
    blur = of_one[0].blur
    label = {0.0: 'sharp', math.inf: 'mean'}.get(blur, f'blur {blur:g}')
    lines.append((f'{of_one[0].what}, {label}', *cells))
  return console.columns(lines)


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
  """Rows for JSON, where an infinite blur is 'mean'."""
  return [
    row._asdict() | {'blur': 'mean' if math.isinf(row.blur) else row.blur}
    for row in rows
  ]
