"""What it costs to tell places: small numbers more often than large ones.

The places of relative-entropy coding are nearly of Zipf's law, for which they
cost at most `KL + log2(KL + 1) + 4` bits on average [1]. An entropy coder gets
their octave, of few integer frequencies, and then as many plain bits as it has:
within an octave the law is so even that these are less than 0.05 bits too many.

#### References

[1]: Cheuk Ting Li, Abbas El Gamal. Strong Functional Representation Lemma and
     Applications to Coding Theorems. _IEEE Transactions on Information Theory_,
     2018. https://arxiv.org/abs/1701.02827
"""

import numpy as np
import numpy.typing as npt

_LARGEST_EXPONENT = 32.0
_BISECTIONS = 50


def zipf_exponent(mean_log2_rank: float, num_samples: int) -> float:
  """The exponent of the law of places that makes them cheapest."""
  # The law is `P(index) ~ (index + 1)^-s` for `num_samples` places. At its best
  # its own mean of `log2(index + 1)` is the one that is there; `s = 1 + 1 /
  # (mean_log2_rank + 1)` of [1] is near it and needs no end of the places.
  if not 0 <= mean_log2_rank <= np.log2(num_samples):
    raise ValueError(
      '`mean_log2_rank` must be from 0 to log2(`num_samples`), '
      f'{np.log2(num_samples):.6g}, got {mean_log2_rank}.'
    )
  log_ranks = _log_ranks(num_samples)
  low, high = 0.0, _LARGEST_EXPONENT
  for _ in range(_BISECTIONS):
    exponent = (low + high) / 2
    law = np.exp(-exponent * log_ranks)
    mean = law @ log_ranks / law.sum() / np.log(2)
    low, high = (exponent, high) if mean > mean_log2_rank else (low, exponent)
  return (low + high) / 2


def zipf_bits(
  index: npt.ArrayLike, exponent: float, num_samples: int
) -> np.ndarray:
  """What places cost under the law of `zipf_exponent`."""
  # index [...] -> [...]
  log_ranks = _log_ranks(num_samples)
  log_total = np.log(np.exp(-exponent * log_ranks).sum())
  return (exponent * log_ranks[np.asarray(index)] + log_total) / np.log(2)


def num_octaves(num_samples: int) -> int:
  """The number of octaves of places: 0; 1; 2 and 3; 4 to 7; and so on."""
  return (num_samples - 1).bit_length() + 1


def octave_of(index: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
  """Places in two parts; `join_octave` puts them together.

  >>> [int(part) for part in octave_of(6)]
  [3, 2]

  Args:
    index: Integers from 0, of shape `[...]`.

  Returns:
    The octave of each, and its place there, which takes
    `max(octave - 1, 0)` bits; int64 of shape `[...]`.
  """
  index = np.asarray(index, np.int64)
  # The exponent of a float64 is exact for all numbers that it holds.
  octave = np.frexp(index.astype(np.float64))[1].astype(np.int64)
  return octave, index - _first_of(octave)


def join_octave(octave: npt.ArrayLike, rest: npt.ArrayLike) -> np.ndarray:
  """The places of which `octave_of` returns the parts.

  >>> int(join_octave(3, 2))
  6
  """
  return _first_of(np.asarray(octave, np.int64)) + np.asarray(rest, np.int64)


def octave_frequencies(
  exponent: float, num_samples: int, precision: int = 16
) -> np.ndarray:
  """Integer frequencies of octaves under the law of `zipf_exponent`."""
  # Powers may differ in their last bit between machines: send the frequencies,
  # not the exponent.
  # -> [num_octaves]
  octaves = num_octaves(num_samples)
  spare = 2**precision - octaves
  if spare < 0:
    raise ValueError(
      f'`precision` must be such that each of {octaves} octaves has a '
      f'frequency, got {precision}.'
    )
  law = np.exp(-exponent * _log_ranks(num_samples))
  starts = _first_of(np.arange(octaves))
  shares = np.add.reduceat(law, starts) / law.sum()
  found = 1 + np.floor(spare * shares).astype(np.int64)
  found[found.argmax()] += 2**precision - found.sum()
  return found


def octave_bits(index: npt.ArrayLike, frequencies: np.ndarray) -> np.ndarray:
  """What places cost by octaves."""
  # index [...] -> [...]
  octave, _ = octave_of(index)
  told = np.log2(frequencies.sum() / frequencies[octave])
  return told + np.maximum(octave - 1, 0)


def elias_delta_bits(index: npt.ArrayLike) -> np.ndarray:
  """What places cost in Elias's delta code, which needs no law.

  >>> elias_delta_bits([0, 1, 15]).tolist()
  [1, 4, 9]

  Args:
    index: Integers from 0, of shape `[...]`; 1 more is what is coded.

  Returns:
    Bits, int64 of shape `[...]`.
  """
  digits, _ = octave_of(np.asarray(index, np.int64) + 1)
  digits_of_digits, _ = octave_of(digits)
  return digits + 2 * (digits_of_digits - 1)


def _first_of(octave):
  """The first place of an octave."""
  return np.where(octave > 0, 1 << np.maximum(octave - 1, 0), 0)


def _log_ranks(num_samples):
  return np.log(np.arange(1.0, num_samples + 1))
