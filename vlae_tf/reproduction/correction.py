"""NLL of all test images from few codes, corrected by many codes of some.

With `k` codes of each image and `K` of some that are spread over all of them,
the NLL of `K` codes is estimated by

    NLL_k(all) + mean{ NLL_K(i) - NLL_k(i) }, over those some,

whose error is that of the differences, a fraction of a nat, instead of that of
the values, tens of nats: a few hundred images tell what `K` codes are worth.
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vlae_tf.evaluation import likelihood
from vlae_tf.runs import images as images_lib
from vlae_tf.runs import scores as scores_lib
from vlae_tf.utils import console

_TOLERANCE = 1e-2  # Of means of float32 numbers, in nats.
_Score = Mapping[str, Any]


def scored(scores: Sequence[_Score], has_code: bool) -> Any:
  """The score of most images, then of most codes."""
  enough = [
    s
    for s in scores
    if not s.get('spread') and (s['num_samples'] > 1 or not has_code)
  ]
  return max(enough, key=scores_lib.fullness, default=None)


def corrected(
  workdir: pathlib.Path, scores: Sequence[_Score], has_code: bool
) -> dict[str, Any] | None:
  """The NLL that more codes of some images lead to."""
  base = scored(scores, has_code)
  if base is None or not (arrays := better(workdir, scores, base)):
    return None
  of_all = of_each_image(workdir, base)
  assert of_all is not None  # Or nothing was better.
  log_prob = of_all['log_prob']
  numbers, more = arrays['better_numbers'], arrays['better_log_prob']
  nll, stderr = likelihood.corrected_mean(-log_prob, numbers, -more)
  change = log_prob[numbers] - more
  return {
    'nll': nll,
    'nll_stderr': stderr,
    'num_images': base['num_images'],
    'num_samples': _more(scores, base)['num_samples'],
    'num_samples_of_all': base['num_samples'],
    'num_corrected': len(numbers),
    'change': float(change.mean()),
    'change_stderr': likelihood.standard_error(change),
  }


def better(
  workdir: pathlib.Path, scores: Sequence[_Score], base: _Score
) -> dict[str, np.ndarray]:
  """What more codes say of some images."""
  more = _more(scores, base)
  if more is None or of_each_image(workdir, base) is None:
    return {}
  found = of_each_image(workdir, more)
  if found is None:
    return {}
  num = more['num_images']
  numbers = images_lib.some(base['num_images'], num, 'a score', is_spread=True)
  return {'better_numbers': numbers, 'better_log_prob': found['log_prob']}


def of_each_image(
  workdir: pathlib.Path, score: _Score
) -> dict[str, np.ndarray] | None:
  """What a score says of each image."""
  settings = {'split': 'test', 'seed': 0, 'checkpoint': 'last'}
  path = scores_lib.path(workdir, settings | dict(score))
  file = pathlib.Path(path).with_suffix('.npz')
  if not file.exists():
    return None
  with np.load(file) as stored:
    arrays = {name: stored[name] for name in likelihood.Estimates._fields}
  mean = -np.mean(arrays['log_prob'], dtype=np.float64)
  is_it = abs(mean - score['nll']) < _TOLERANCE
  if len(arrays['log_prob']) == score['num_images'] and is_it:
    return arrays
  console.warn(f'{file} is not what the score beside it is of: left out.')
  return None


def _more(scores, base):
  """The score of images from all over with most codes, more than of all."""
  found = [
    s
    for s in scores
    if s.get('spread') and s['num_samples'] > base['num_samples']
  ]
  return max(
    found, key=lambda s: (s['num_samples'], s['num_images']), default=None
  )
