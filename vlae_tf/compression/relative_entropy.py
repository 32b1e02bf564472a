"""A draw from a law, told as the place of a draw from another one.

Sender and receiver share samples `z[i]` of a prior p. The sender tells the
first `i` of least `arrival[i] / weight[i]`, where the arrivals are those of a
Poisson process and a weight is `q(z[i]) / p(z[i])`: then `z[i]` is a draw from
the posterior q [1], and its place costs about KL(q || p) bits and few more
[1, 2], see `places`. The receiver needs the samples and the place alone.

#### References

[1]: Cheuk Ting Li, Abbas El Gamal. Strong Functional Representation Lemma and
     Applications to Coding Theorems. _IEEE Transactions on Information Theory_,
     2018. https://arxiv.org/abs/1701.02827
[2]: Gergely Flamich, Stratis Markou, Jose Miguel Hernandez-Lobato. Fast
     Relative Entropy Coding with A* Coding. In _International Conference on
     Machine Learning_, 2022. https://arxiv.org/abs/2201.12857
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_BLOCK = 2**14


class Coverage(NamedTuple):
  """How well finitely many samples of a prior stand for a posterior."""

  # Mean weight, float64 of shape `[...]`: about 1, and far less if the
  # posterior is mostly where no sample is.
  mass: np.ndarray
  # `sum(weight)^2 / sum(weight^2)`, float64 of shape `[...]`: how many samples
  # it is as good as. Near 1, a draw is no draw any more but the only sample
  # there is.
  effective_size: np.ndarray


def arrival_times(
  num_samples: int, generator: np.random.Generator
) -> np.ndarray:
  """The first arrivals of a Poisson process of rate 1."""
  # -> [num_samples]
  return np.cumsum(generator.standard_exponential(num_samples))


def gaussian_log_weights(
  z: np.ndarray, log_prior: np.ndarray, mean: np.ndarray, stddev: np.ndarray
) -> np.ndarray:
  """Log-weights of shared samples for many diagonal Gaussians at once."""
  # Each is a quadratic form of a sample, so that all are a product of matrices;
  # in float64, as large squares cancel, for a block of samples at a time.
  # z [num_samples, d]; log_prior [num_samples]; mean [num, d]; stddev [num, d]
  # -> [num, num_samples]
  mean, stddev = np.float64(mean), np.float64(stddev)
  _check_gaussians(z, log_prior, mean, stddev)
  precision = stddev**-2
  slope = precision * mean
  constant = -0.5 * (
    (slope * mean).sum(-1) + np.log(2 * np.pi * stddev**2).sum(-1)
  )
  form = np.concatenate([-0.5 * precision, slope, constant[:, None]], axis=1)
  found = np.empty([len(mean), len(z)], np.float32)
  for start in range(0, len(z), _BLOCK):
    block = slice(start, start + _BLOCK)
    here = z[block].astype(np.float64)
    ones = np.ones([len(here), 1])
    log_posterior = form @ np.concatenate([here**2, here, ones], axis=1).T
    found[:, block] = log_posterior - log_prior[block]
  return found


def gaussian_max_log_weight(mean: np.ndarray, stddev: np.ndarray) -> np.ndarray:
  """The largest log-weight there is, if the prior is a standard normal."""
  # mean [..., d]; stddev [..., d] -> [...]
  mean, stddev = np.float64(mean), np.float64(stddev)
  gap = 1 - stddev**2
  # A standard normal has the weight 1 everywhere.
  same = (gap == 0) & (mean == 0)
  safe = np.where(gap > 0, gap, 1)
  bounded = mean**2 / (2 * safe) - np.log(stddev)
  largest = np.where(gap > 0, bounded, np.where(same, 0, np.inf))
  return largest.sum(-1)


def select(log_weights: np.ndarray, arrivals: np.ndarray) -> np.ndarray:
  """The places of the samples that are told.

  >>> int(select(np.log([1.0, 9.0, 2.0]), np.array([0.5, 1.5, 2.0])))
  1

  Args:
    log_weights: In nats up to a constant, of shape `[..., num_samples]`.
    arrivals: What `arrival_times` returns, of shape `[num_samples]`, or of
      `[..., num_samples]`.

  Returns:
    Integers from 0, of shape `[...]`; they are those of infinitely many
    samples where `is_exact` says so.
  """
  return _log_scores(log_weights, arrivals).argmin(-1)


def is_exact(
  log_weights: np.ndarray, arrivals: np.ndarray, max_log_weight: npt.ArrayLike
) -> np.ndarray:
  """Whether no sample that comes later could have been selected."""
  # log_weights [..., num_samples]; max_log_weight [...] -> [...]
  least = _log_scores(log_weights, arrivals).min(-1)
  return least <= np.log(arrivals[..., -1]) - max_log_weight


def coverage(log_weights: np.ndarray) -> Coverage:
  """How well the samples stand for a posterior, where `is_exact` is unknown."""
  # log_weights [..., num_samples]
  top = log_weights.max(-1, keepdims=True)
  weights = np.exp(log_weights - top, dtype=np.float64)
  total = weights.sum(-1)
  mass = total * np.exp(np.float64(top[..., 0])) / log_weights.shape[-1]
  return Coverage(mass, total**2 / (weights**2).sum(-1))


def _log_scores(log_weights, arrivals):
  return np.log(arrivals) - log_weights


def _check_gaussians(z, log_prior, mean, stddev):
  shapes = z.shape, log_prior.shape, mean.shape, stddev.shape
  fit = z.ndim == 2 and shapes[1:] == (
    z.shape[:1],
    (len(mean), z.shape[1]),
    mean.shape,
  )
  if not fit:
    raise ValueError(
      '`z`, `log_prior`, `mean` and `stddev` must be of shapes [num_samples, '
      f'd], [num_samples], [num, d] and [num, d], got {shapes}.'
    )
  if not (stddev > 0).all():
    raise ValueError(f'`stddev` must be positive, got {stddev.min()}.')
