"""How well likelihoods tell images of another kind from a model's own.

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

from vlae_tf import data as data_lib
from vlae_tf.evaluation import estimates, inputs, likelihood
from vlae_tf.models import vlae as model_lib

# What is measured of an image, and whether anomalous ones have less of it.
SCORES = {
  'nll': ('-log p(x)', False),
  'ratio': ('log p(x) - log p_background(x)', True),
}


class Separation(NamedTuple):
  """How a score tells other images from own ones."""

  own: float  # Mean over own images, in bits/dim.
  other: float  # Mean over the others, in bits/dim.
  auroc: float  # Probability that an other one looks more anomalous.
  auroc_stderr: float  # Its standard error by DeLong's formula.


class Scorer:
  """Scores images by `-log p(x)`, and by the ratio to a background model.

  A model of few neighbouring pixels knows how images of many kinds look from
  near: what it finds as likely as `p(x)` does is what the kinds share [1].

  >>> from vlae_tf import Config, build_model
  >>> small = dict(encoder_widths='4', prior='gaussian', decoder='factorised')
  >>> config = Config(latent_size=2, decoder_depth=2, **small)
  >>> model = build_model(config, (4, 4, 1))
  >>> found = Scorer(model, background=model)(np.ones([3, 4, 4, 1], bool))
  >>> found['nll'].shape, found['ratio'].tolist()
  ((3,), [0.0, 0.0, 0.0])
  """

  def __init__(
    self,
    model: model_lib.VLAE,
    num_samples: int = 1,
    seed: int = 0,
    background: model_lib.VLAE | None = None,
  ):
    """Creates the scorer; its graphs are traced at the first use.

    Args:
      model: Built `VLAE`.
      num_samples: Codes of each image, see `likelihood.Evaluator`.
      seed: Python integer that decides the codes.
      background: Built `VLAE` of images of the same shape, or `None`.

    Raises:
      ValueError: As `likelihood.Evaluator`; or the background model is of
        images of another shape.
    """
    if background and background.image_shape != model.image_shape:
      raise ValueError(
        '`background` must be a model of images of the shape '
        f'{model.image_shape}, got one of {background.image_shape}.'
      )
    self._models = [model, *([background] if background else [])]
    self._evaluators = [
      likelihood.Evaluator(m, num_samples, seed) for m in self._models
    ]

  def check(self, images: np.ndarray, kind: str | None = None) -> None:
    """Checks, before long work, that images can be scored.

    Args:
      images: Array of shape `[num_images, height, width, channels]`.
      kind: What the value of a pixel means, see `ImageData`; inferred by
        default.

    Raises:
      ValueError: They cannot.
    """
    for model in self._models:
      inputs.check_kind(model, images, kind)

  def __call__(
    self,
    images: np.ndarray,
    progress: Callable[[int], Any] | None = None,
    kind: str | None = None,
  ) -> dict[str, np.ndarray]:
    """Scores images in the binarisation that is fixed for test images.

    Args:
      images: Array of shape `[num_images, height, width, channels]`.
      progress: Called with the number of images that have just been scored,
        once by each model.
      kind: As in `check`.

    Returns:
      Arrays of shape `[num_images]` in bits/dim by the names of `SCORES`;
      'ratio' where there is a background model.

    Raises:
      ValueError: As `check`.
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

  @property
  def num_models(self) -> int:
    """How many models look at each image."""
    return len(self._models)


def check_shape(
  model: model_lib.VLAE, data: data_lib.ImageData, name: str
) -> None:
  """Checks that another data set has images of a model's shape."""
  if tuple(data.image_shape) != tuple(model.image_shape):
    raise ValueError(
      f'`{name}` must be images of the shape of those of the run, '
      f'{tuple(model.image_shape)}, got {data.name} of '
      f'{tuple(data.image_shape)}.'
    )


def separations(
  own: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]
) -> dict[str, Separation]:
  """How each score tells others from own images."""
  found = {}
  for name, values in own.items():
    sign = -1 if SCORES[name][1] else 1
    area, error = auroc(sign * values, sign * other[name])
    means = float(values.mean()), float(other[name].mean())
    found[name] = Separation(*means, area, error)
  return found


def arrays(
  own: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
  """Scores of all images, own ones first."""
  # -> [num_own + num_other]
  sizes = [len(scores['nll']) for scores in (own, other)]
  joined = {name: np.concatenate([own[name], other[name]]) for name in own}
  return joined | {
    'is_other': np.repeat([False, True], sizes),
    'index': np.concatenate([np.arange(n) for n in sizes]),
  }


def as_json(found: Mapping[str, Separation]) -> dict[str, Any]:
  """What `separations` found, as numbers that JSON has."""
  return {
    name: {k: None if math.isnan(v) else v for k, v in row._asdict().items()}
    for name, row in found.items()
  }


def auroc(own: np.ndarray, other: np.ndarray) -> tuple[float, float]:
  """Probability that an other value is the higher one, ties counting half.

  >>> auroc(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0]))[0]
  0.75

  Args:
    own: Array of shape `[num_own]`.
    other: Array of shape `[num_other]`.

  Returns:
    The area under the receiver operating characteristic, and its standard
    error [2]: the spread, over the values of each side, of how many of the
    other side they beat. It is 0 where all are told apart, and NaN for a
    single value.
  """
  m, n = len(own), len(other)
  both = np.concatenate([own, other])
  area = metrics.roc_auc_score(np.repeat([0, 1], [m, n]), both)
  ranks = stats.rankdata(both)
  above = (ranks[m:] - stats.rankdata(other)) / m
  below = (n - ranks[:m] + stats.rankdata(own)) / n
  errors = estimates.standard_error(above), estimates.standard_error(below)
  return float(area), math.hypot(*errors)


def table(found: Mapping[str, Separation], own: str, other: str) -> str:
  """The lines that a person reads of `separations`."""
  width = max(len(name) for name in (own, other, '0.0000'))
  first = max(len(SCORES[name][0]) for name in found)
  lines = [
    f'{"score, mean in bits/dim":{first}}  {own:>{width}}  {other:>{width}}  '
    'AUROC (+- DeLong)  anomalous if'
  ]
  for name, row in found.items():
    words, is_low = SCORES[name]
    lines.append(
      f'{words:{first}}  {row.own:{width}.4f}  {row.other:{width}.4f}  '
      f'{row.auroc:.4f} +- {row.auroc_stderr:.4f}  '
      f'{"lower" if is_low else "higher"}'
    )
  return '\n'.join(lines)
