"""What a page shows of a model: it draws, completes, and reads test images."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from vlae_tf import data as data_lib
from vlae_tf.evaluation import latents, likelihood, receptive_field, sampling
from vlae_tf.models import vlae as model_lib
from vlae_tf.nn.causal import network as causal_network

_DRAWS, _COMPLETED = 6, 4
_SAMPLES, _SHOWN, _ENDS, _MAPPED = 64, 16, 8, 500
STEPS = 6  # Calls of `progress`.


class Nats(NamedTuple):
  """-log p of pixels, channels summed."""

  mean: np.ndarray  # Over test images, `[height, width]`.
  # Of those of `Look.originals`, `[num, height, width]`.
  of_originals: np.ndarray


class Chosen(NamedTuple):
  """Some test images."""

  numbers: np.ndarray  # Which of all, `[num]`.
  distortions: np.ndarray  # In nats, `[num]`.
  images: np.ndarray  # `[num, height, width, channels]`.
  draws: np.ndarray | None  # A draw from the code of each, or `None`.


class Look(NamedTuple):
  """Arrays of images are `[num, height, width, channels]` in [0, 1]."""

  samples: np.ndarray  # Of the prior.
  originals: np.ndarray  # Test images from all over.
  # From their codes, `[draws, num, ...]`; `None` without a code.
  draws: np.ndarray | None
  # Of the first of them, `[draws, num, ...]`, from their upper halves.
  completions: np.ndarray
  # `ReceptiveField`; `None` of an own kind of likelihood.
  field: receptive_field.ReceptiveField | None
  num_read: int  # How many test images `use` and `nats` are means over.
  use: latents.CodeUse | None  # `CodeUse`; `None` without a code.
  nats: Nats | None  # `Nats`; `None` of an own kind of likelihood.
  # `Estimates` of the test images that were scored, a code each.
  scored: likelihood.Estimates
  best: Chosen  # Those of the least distortion, the least first.
  worst: Chosen  # Those of the greatest, the greatest first.


def look(
  model: model_lib.VLAE,
  data: data_lib.ImageData,
  num_scored: int,
  seed: int = 0,
  progress: Callable[[int], Any] = lambda _: None,
) -> Look:
  """Lets a model show itself."""
  looker = _Looker(model, data, num_scored, seed)
  found: dict[str, Any] = {}
  parts = (
    looker.scores,
    looker.draws,
    looker.samples,
    looker.completions,
    looker.nats,
    looker.field,
  )
  assert len(parts) == STEPS
  for part in parts:
    found |= part()
    progress(1)
  return Look(originals=looker.originals, **found)


def _spread(there, num):
  """Numbers from all over: data sets are sorted."""
  return np.unique(np.linspace(0, there - 1, min(there, num)).astype(int))


class _Looker:
  """Makes the parts of a `Look`, by the names that they have there."""

  def __init__(self, model, data, num_scored, seed):
    self._model, self._seed = model, seed
    images = data_lib.fixed_binarization(data.test, 'test', kind=data.kind)
    self._numbers = _spread(len(images), num_scored)
    self._images = images[self._numbers]
    self._stored, self._kind = data.test[self._numbers], data.kind
    if data.kind == 'grey':
      self._stored, self._kind = self._images.astype(bool), 'binary'
    self.originals = self._images[_spread(len(self._images), _SHOWN)]

  def scores(self):
    evaluator = likelihood.Evaluator(self._model, 1, self._seed)
    scored = evaluator(self._stored, kind=self._kind)
    order = np.argsort(scored.distortion, kind='stable')
    num = min(_ENDS, len(order) // 2)
    self._best, self._worst = order[:num], order[::-1][:num]
    self._distortion = scored.distortion
    return {'scored': scored}

  def draws(self):
    """Of all images that are shown, at once: it is compiled once."""
    best, worst = (self._images[n] for n in (self._best, self._worst))
    use = draws = first = second = None
    if math.prod(self._model.event_shape):
      images = np.concatenate([self.originals, best, worst])
      drawn = sampling.decompress(self._model, images, _DRAWS, self._seed)
      ends = [len(self.originals), len(self.originals) + len(best)]
      draws, first, second = np.split(drawn, ends, axis=1)
      first, second = first[0], second[0]
      probe = latents.CodeProbe(self._model, self._seed)
      read = _spread(len(self._stored), _MAPPED)
      use = probe(self._stored[read], 'test', kind=self._kind)
    return {
      'draws': draws,
      'use': use,
      'best': self._chosen(self._best, best, first),
      'worst': self._chosen(self._worst, worst, second),
    }

  def _chosen(self, order, images, draws):
    nats = self._distortion[order]
    return Chosen(self._numbers[order], nats, images, draws)

  def samples(self):
    drawn = sampling.sample_prior(self._model, _SAMPLES, self._seed)
    return {'samples': drawn}

  def completions(self):
    height, width = self.originals.shape[1:3]
    given, some = height // 2 * width, self.originals[:_ENDS]
    drawn = sampling.complete(self._model, some, given, _COMPLETED, self._seed)
    return {'completions': drawn}

  def nats(self):
    read = _spread(len(self._images), _MAPPED)
    images = np.concatenate([self.originals, self._images[read]])
    found = sampling.pixel_nats(self._model, images, self._seed)
    if found is None:
      return {'nats': None, 'num_read': len(read)}
    shown, others = np.split(found, [len(self.originals)])
    return {'nats': Nats(others.mean(0), shown), 'num_read': len(read)}

  def field(self):
    network = getattr(self._model.likelihood, 'network', None)
    if not isinstance(network, causal_network.CausalNetwork):
      return {'field': None}
    return {'field': receptive_field.find(network)}
