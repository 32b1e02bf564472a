"""Estimates of likelihoods, an image each, and what is said of them."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

# Of an `Estimates`: a number for each image.
COLUMNS = ('log_prob', 'elbo', 'rate', 'distortion')


@dataclasses.dataclass(frozen=True)
class Estimates:
  """Per-image estimates from `num_samples` codes each, in nats."""

  # Importance-sampled log p(x), array of shape `[num_images]`.
  log_prob: np.ndarray
  elbo: np.ndarray  # Mean of the log-weights, the same codes, `[num_images]`.
  rate: np.ndarray  # Mean of log q(z|x) - log p(z), `[num_images]`.
  distortion: np.ndarray  # Mean of -log p(x|z), `[num_images]`.
  num_samples: int  # Codes of each image.

  def summary(self, image_shape: Sequence[int]) -> dict[str, Any]:
    """Means, standard errors and other units."""
    nll, gap = -self.log_prob, self.log_prob - self.elbo
    nats_of_bit = math.log(2) * math.prod(image_shape)  # A bit of each number.
    return {
      'nll': float(nll.mean()),
      'nll_stderr': standard_error(nll),
      'elbo': float(self.elbo.mean()),
      'elbo_stderr': standard_error(self.elbo),
      'gap': float(gap.mean()),
      'gap_stderr': standard_error(gap),
      'rate': float(self.rate.mean()),
      'rate_stderr': standard_error(self.rate),
      'distortion': float(self.distortion.mean()),
      'distortion_stderr': standard_error(self.distortion),
      'rate_bits': float(self.rate.mean()) / math.log(2),
      'bits_per_dim': float(nll.mean()) / nats_of_bit,
      'elbo_bits_per_dim': -float(self.elbo.mean()) / nats_of_bit,
      'rate_bits_per_dim': float(self.rate.mean()) / nats_of_bit,
      'num_images': len(nll),
      'num_samples': self.num_samples,
    }


def table(result: Mapping[str, Any]) -> str:
  """The lines that a person reads of a `summary`."""
  rows = [
    ('NLL', 'nll', 'nats', result['nll_stderr']),
    ('ELBO', 'elbo', 'nats', result['elbo_stderr']),
    ('gap NLL to -ELBO', 'gap', 'nats', result['gap_stderr']),
    ('rate', 'rate', 'nats', result['rate_stderr']),
    ('distortion', 'distortion', 'nats', result['distortion_stderr']),
    ('bits in the code', 'rate_bits', 'bits', None),
    ('NLL', 'bits_per_dim', 'bits/dim', None),
    ('-ELBO', 'elbo_bits_per_dim', 'bits/dim', None),
    ('rate', 'rate_bits_per_dim', 'bits/dim', None),
  ]
  lines = [f'{result["num_images"]} images, {result["num_samples"]} codes each']
  for name, key, unit, error in rows:
    spread = '' if error is None else f' +- {error:.3f}'
    lines.append(f'{name:17} {result[key]:10.4f}{spread:11} {unit}')
  return '\n'.join(lines)


def standard_error(values: np.ndarray) -> float:
  """Standard error of a mean; NaN for a single value."""
  if len(values) < 2:
    return math.nan
  return float(np.std(values, ddof=1) / math.sqrt(len(values)))


def corrected_mean(
  values: np.ndarray, numbers: np.ndarray, better: np.ndarray
) -> tuple[float, float]:
  """Mean of what is known of all images roughly, and of some well.

  `mean{ v[i] } + mean{ b[j] - v[n[j]] }`: a regression estimator of slope one
  (Cochran, Sampling Techniques, chapter 7), in whose error the differences
  count, not the values of the few.

  >>> mean, stderr = corrected_mean([3.0, 5.0, 7.0], [0, 2], [2.0, 6.0])
  >>> round(mean, 9), round(stderr, 2)
  (4.0, 1.15)

  Args:
    values: Array of shape `[num_images]`.
    numbers: Which images are known better, integers of shape `[num]`.
    better: Their values, shape `[num]`.

  Returns:
    The mean, and its standard error over images.
  """
  values, better = np.float64(values), np.float64(better)
  there = values[np.asarray(numbers, int)]
  change = better - there
  mean = float(values.mean() + change.mean())
  if min(len(values), len(change)) < 2:
    return mean, math.nan
  both = np.cov(there, change)
  variance = (np.var(values, ddof=1) + 2 * both[0, 1]) / len(values)
  variance += both[1, 1] / len(change)
  return mean, math.sqrt(max(float(variance), 0.0))


def joined(parts: Sequence[Estimates]) -> Estimates:
  """Estimates of some images after those of others."""
  columns = {
    name: np.concatenate([getattr(part, name) for part in parts])
    for name in COLUMNS
  }
  return Estimates(**columns, num_samples=parts[0].num_samples)
