"""Detection of out-of-distribution images by likelihood or likelihood ratio.

#### References

[1]: Jie Ren et al. Likelihood Ratios for Out-of-Distribution Detection. In
     _Neural Information Processing Systems_, 2019.
     https://arxiv.org/abs/1906.02845
[2]: Elizabeth R. DeLong, David M. DeLong, Daniel L. Clarke-Pearson. Comparing
     the Areas under Two or More Correlated Receiver Operating Characteristic
     Curves. In _Biometrics_ 44, 1988. (section 2)
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy import stats
from sklearn import metrics

from vlae_tf.evaluation import likelihood
from vlae_tf.models import vlae as model_lib
from vlae_tf.utils import console

# Scores, with formula, and whether anomalous images have lower values.
SCORES = {
  'nll': ('-log p(x)', False),
  'ratio': ('log p(x) - log p_background(x)', True),
}


class Separation(NamedTuple):
  """How well a score separates other images from in-distribution ones."""

  own: float  # Mean over in-distribution images, in bits/dim.
  other: float  # Mean over the other images, in bits/dim.
  auroc: float  # Probability that another image looks more anomalous.
  auroc_stderr: float  # Its standard error by DeLong's formula.


class Scorer:
  """Scores images by `-log p(x)`, and by the ratio to a background model.

  A background model with a small receptive field learns local statistics that
  images of many kinds share; the ratio cancels these [1]. Arguments are those
  of `likelihood.Evaluator`.
  """

  def __init__(
    self,
    model: model_lib.VLAE,
    num_samples: int = 1,
    seed: int = 0,
    background: model_lib.VLAE | None = None,
  ):
    if background and background.image_shape != model.image_shape:
      raise ValueError(
        '`background` must be a model of images of the shape '
        f'{model.image_shape}, got one of {background.image_shape}.'
      )
    self.models = [model, *([background] if background else [])]
    self._evaluators = [
      likelihood.Evaluator(m, num_samples, seed) for m in self.models
    ]

  def check(
    self, images: np.ndarray, kind: str | None = None, name: str = 'images'
  ) -> None:
    """Checks, before long work, that images can be scored."""
    for model in self.models:
      likelihood.check_kind(model, images, kind, name)

  def __call__(
    self,
    images: np.ndarray,
    progress: Callable[[int], Any] = lambda _: None,
    kind: str | None = None,
  ) -> dict[str, np.ndarray]:
    """Scores in bits/dim, `[num_images]` each, by the names of `SCORES`.

    Images are binarised as test images; `progress` gets the numbers of images
    done, by each of the models.
    """
    self.check(images, kind)
    bits = [
      evaluator(images, 'test', progress, kind).log_prob
      / (math.log(2) * math.prod(images.shape[1:]))
      for evaluator in self._evaluators
    ]
    found = {'nll': -bits[0]}
    if len(bits) > 1:
      found['ratio'] = bits[0] - bits[1]
    return found


def separations(
  own: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]
) -> dict[str, Separation]:
  """`Separation` by each score."""
  found = {}
  for name, values in own.items():
    sign = -1 if SCORES[name][1] else 1
    area, error = auroc(sign * values, sign * other[name])
    means = float(values.mean()), float(other[name].mean())
    found[name] = Separation(*means, area, error)
  return found


def auroc(own: np.ndarray, other: np.ndarray) -> tuple[float, float]:
  """Area under the ROC curve of `other` above `own`, and its standard error.

  DeLong's formula [2]; NaN for a single value. Ties count half.

  >>> auroc(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0]))[0]
  0.75
  """
  m, n = len(own), len(other)
  both = np.concatenate([own, other])
  area = metrics.roc_auc_score(np.repeat([0, 1], [m, n]), both)
  ranks = stats.rankdata(both)
  above = (ranks[m:] - stats.rankdata(other)) / m
  below = (n - ranks[:m] + stats.rankdata(own)) / n
  errors = map(likelihood.standard_error, (above, below))
  return float(area), math.hypot(*errors)


def arrays(
  own: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
  """Scores of all images, in-distribution ones first."""
  sizes = [len(scores['nll']) for scores in (own, other)]
  joined = {name: np.concatenate([own[name], other[name]]) for name in own}
  return joined | {
    'is_other': np.repeat([False, True], sizes),
    'index': np.concatenate([np.arange(n) for n in sizes]),
  }


def table(found: Mapping[str, Separation], own: str, other: str) -> str:
  """Separations as lines of text."""
  heads = ('score, mean in bits/dim', own, other)
  rows = [(*heads, 'AUROC (+- DeLong)', 'anomalous if')]
  for name, row in found.items():
    formula, is_low = SCORES[name]
    area = likelihood.with_error(row.auroc, row.auroc_stderr, 4)
    means = f'{row.own:.4f}', f'{row.other:.4f}'
    rows.append((formula, *means, area, 'lower' if is_low else 'higher'))
  return console.columns(rows)
