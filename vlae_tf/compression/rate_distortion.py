"""Distortion of lossy reconstructions by the rate of their latents.

#### References

[1]: Xi Chen et al. Variational Lossy Autoencoder. In _International
     Conference on Learning Representations_, 2017.
     https://arxiv.org/abs/1611.02731 (section 4.1)
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from vlae_tf import data as data_lib
from vlae_tf.compression import chunks, lossy
from vlae_tf.compression.exact_model import ExactModel
from vlae_tf.evaluation import figures, probing
from vlae_tf.models import vlae as model_lib
from vlae_tf.utils import random

STEPS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
_CHUNK = 1000  # Images whose latents are one message.
_MOVES = 8  # Of the search.
_KL_DRAWS = 16
_AT_ONCE = 256
_NAMES = {
  'search': 'lattice, step {step:g}, searched',
  'nearest': 'lattice, step {step:g}, nearest',
  'posterior': 'draw of the posterior (KL)',
  'prior': 'draw of the prior',
}
_SHOWN = 10  # Originals in the picture.


class Row(NamedTuple):
  """Rate and distortion of one choice of latents, means over images."""

  # 'search' or 'nearest' point of a lattice; a draw of the 'posterior', or of
  # the 'prior', which ignores the image.
  way: str
  step: float | None  # Of the lattice.
  bits: float  # Of a latent; of the posterior, its KL from the prior.
  # With the other bits of a message; `None` where there is no message.
  gross_bits: float | None
  distortion: float  # -log2 p(x|z), in bits.
  # Pixels that differ from the original in a draw from p(x|z), and in the
  # greedily likeliest image.
  hamming_draw: float
  hamming_likeliest: float
  # Share of them of which a linear probe of pixels, fitted to original training
  # images, finds the label; `None` without labels.
  accuracy_draw: float | None = None
  accuracy_likeliest: float | None = None


class Report(NamedTuple):
  """Rows, and the images that they describe."""

  rows: list[Row]
  draws: np.ndarray  # `[rows, num, height, width, channels]`.
  likeliest: np.ndarray  # `[rows, num, height, width, channels]`.
  # Pixels of the originals that are not black: the difference of a blank image.
  # A drawing that is a little displaced differs in more.
  hamming_blank: float
  accuracy: float | None  # Of the probe on the originals.


class Measurer:
  """Codes test images lossily at several rates and reconstructs them."""

  def __init__(
    self,
    model: model_lib.VLAE,
    data: data_lib.ImageData,
    num: int | None = None,
    seed: int = 0,
  ):
    self._model, self._exact = model, ExactModel(model)
    self._data, self._seed = data, seed
    images = data_lib.fixed_binarization(
      data.test[:num], 'test', kind=data.kind
    )
    self.images = np.asarray(images, np.float32)

  def __call__(
    self,
    steps: Sequence[float] = STEPS,
    progress: Callable[[int], Any] | None = None,
  ) -> Report:
    """Measures `num_rows(steps)` ways to choose latents."""
    found = []
    for way in self._ways(steps):
      found.append(self.measure(*way))
      if progress is not None:
        progress(1)
    rows, draws, likeliest = zip(*found)
    return self.report(list(rows), np.stack(draws), np.stack(likeliest))

  def _ways(self, steps):
    """Arguments of `measure`, one after the other."""
    num = len(self.images)
    for step in steps:
      codec = chunks.LossyChunks(self._exact, step)
      for way, moves in (('nearest', 0), ('search', _MOVES)):
        points = lossy.find_points(self._model, self.images, step, moves)
        parts = np.split(points, range(_CHUNK, num, _CHUNK))
        encoded = [codec.encode(part) for part in parts]
        decoded = [
          codec.decode(e.data, len(part)) for e, part in zip(encoded, parts)
        ]
        net = sum(e.net_bits for e in encoded) / num
        gross = sum(8 * len(e.data) for e in encoded) / num
        yield way, step, net, gross, np.float32(np.concatenate(decoded) * step)
    z, kl = self.posterior_draws()
    yield 'posterior', None, kl.mean(), None, z
    seed = random.stream_seed(self._seed, 'sample')
    z = self._model.prior().sample(len(self.images), seed=seed).numpy()
    yield 'prior', None, 0.0, None, z

  def posterior_draws(self) -> tuple[np.ndarray, np.ndarray]:
    """A latent of each image, and an estimate of KL(q || p) in bits."""
    draws, rates = [], []
    for k, start in enumerate(range(0, len(self.images), _AT_ONCE)):
      part = self.images[start : start + _AT_ONCE]
      posterior, prior = self._model.posterior(part), self._model.prior()
      seed = random.stream_seed(self._seed, 'sample', k)
      z = posterior.sample(_KL_DRAWS, seed=seed)
      # A copy bypasses the cache of TFP's bijectors.
      rate = posterior.log_prob(z) - prior.log_prob(tf.identity(z))
      rates.append(tf.reduce_mean(rate, 0) / math.log(2))
      draws.append(z[0])
    return np.concatenate(draws), np.concatenate(rates)

  @tf.function(reduce_retracing=True, autograph=False)
  def _distortion(self, z, images):
    return -self._model.likelihood(z).log_prob(images) / math.log(2)

  def measure(
    self,
    way: str,
    step: float | None,
    bits: float,
    gross: float | None,
    z: np.ndarray,
  ) -> tuple[Row, np.ndarray, np.ndarray]:
    """A row, a draw from each latent, and the likeliest image of each."""
    draws = lossy.draw(self._model, z, seed=self._seed)[0]
    likeliest = lossy.likeliest(self._model, z)
    distortion = [
      self._distortion(z[i : i + _AT_ONCE], self.images[i : i + _AT_ONCE])
      for i in range(0, len(z), _AT_ONCE)
    ]
    row = Row(
      way,
      step,
      float(bits),
      gross,
      float(np.concatenate(distortion).mean()),
      hamming(draws, self.images),
      hamming(likeliest, self.images),
    )
    return row, draws, likeliest

  def report(
    self, rows: list[Row], draws: np.ndarray, likeliest: np.ndarray
  ) -> Report:
    """Adds accuracies to rows, if there are labels."""
    blank = hamming(np.zeros_like(self.images), self.images)
    labels = self._data.labels
    if labels is None:
      return Report(rows, draws, likeliest, blank, None)
    sets = np.concatenate([self.images[None], draws, likeliest])
    flat = sets.reshape(-1, *self.images.shape[1:])
    pixels = probing.of_pixels(self._data, flat)
    predicted = probing.linear(pixels.train, labels['train'], pixels.test)
    predicted = predicted.reshape(len(sets), -1)
    right = predicted == labels['test'][: len(self.images)]
    originals, *others = right.mean(1).tolist()
    pairs = np.reshape(others, [2, len(rows)]).T.tolist()
    rows = [
      row._replace(accuracy_draw=of_draw, accuracy_likeliest=of_likeliest)
      for row, (of_draw, of_likeliest) in zip(rows, pairs)
    ]
    return Report(rows, draws, likeliest, blank, originals)


def num_rows(steps: Sequence[float]) -> int:
  """Number of rows of `Measurer`."""
  return 2 * len(steps) + 2


def hamming(images: np.ndarray, others: np.ndarray) -> float:
  """Mean number of pixels of which a channel differs by half a level or more.

  >>> hamming(np.ones([1, 2, 2, 1]), np.eye(2)[None, ..., None])
  2.0
  """
  # images [num, height, width, channels] in [0, 1]
  differs = (np.abs(images - others) > 0.5 / 255).any(-1)
  return float(differs.sum((1, 2)).mean())


def as_table(report: Report) -> str:
  """A report as text."""
  title = f'{"latents":28} {"bits":>7} {"gross":>7} {"-log p(x|z)":>11}   '
  title += 'differing pixels: draw, likeliest'
  lines = [title if report.accuracy is None else f'{title}   labels found']
  for row in report.rows:
    gross = '' if row.gross_bits is None else f'{row.gross_bits:.2f}'
    found = ''
    if row.accuracy_draw is not None:
      found = f'   {row.accuracy_draw:.3f}, {row.accuracy_likeliest:.3f}'
    lines.append(
      f'{_name(row):28} {row.bits:7.2f} {gross:>7} {row.distortion:11.2f}   '
      f'{row.hamming_draw:22.2f}, {row.hamming_likeliest:9.2f}{found}'
    )
  if report.accuracy is not None:
    lines.append(f'labels found in the originals: {report.accuracy:.3f}')
  lines.append(f'differing pixels of a blank image: {report.hamming_blank:.2f}')
  return '\n'.join(lines)


def _name(row):
  return _NAMES[row.way].format(step=row.step)


def as_json(report: Report) -> dict[str, Any]:
  """The numbers of a report."""
  return {
    'rows': [row._asdict() for row in report.rows],
    'hamming_blank': report.hamming_blank,
    'accuracy_of_originals': report.accuracy,
  }


def picture(report: Report, images: np.ndarray, caption: str) -> np.ndarray:
  """Charts above originals beside their reconstructions."""
  rows = report.rows
  ranked = sorted(range(len(rows)), key=lambda k: -rows[k].bits)
  shown = [k for k in ranked if rows[k].way in ('search', 'posterior')]
  # Data sets may be sorted by label: originals from all over.
  chosen = np.linspace(0, len(images) - 1, min(_SHOWN, len(images))).astype(int)
  sets = [images, *report.draws[shown], *report.likeliest[shown]]
  tiles = figures.rows(np.stack([x[chosen] for x in sets], 1), framed=(0,))
  names = '; '.join(f'{_name(rows[k])}: {rows[k].bits:.1f} bits' for k in shown)
  text = (
    f'{caption}. Test images (framed), then a draw from each of these latents, '
    f'then the likeliest image of each, pixel by pixel: {names}.'
  )
  above = [_chart(rows, 'hamming', 'pixels that differ from the original')]
  if report.accuracy is not None:
    title = f'labels found (originals {report.accuracy:.2f})'
    above.append(_chart(rows, 'accuracy', title))
  parts = [np.concatenate(above, 1), figures.captioned(tiles, text, 2)]
  width = max(part.shape[1] for part in parts)
  return np.concatenate([figures.padded(p, len(p), width) for p in parts])


def _chart(rows, field, title):
  rows = sorted(rows, key=lambda row: row.bits)
  series = {
    f'{kind}, {name}': [
      (row.bits, getattr(row, f'{field}_{kind}'))
      for row in rows
      if row.way in (way, 'prior')
    ]
    for kind in ('draw', 'likeliest')
    for way, name in (('search', 'searched'), ('nearest', 'nearest'))
  }
  return figures.chart(series, title, 'bits per latent')
