"""Images along paths in latent space: interpolations and traversals.

All images of a path share their pixel noise, so that only the latent makes them
differ.

#### References

[1]: Tom White. Sampling Generative Networks. 2016.
     https://arxiv.org/abs/1609.04468 (section 2.1)
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from vlae_tf.evaluation import latents
from vlae_tf.models import vlae as model_lib
from vlae_tf.utils import checks, random

SPACES = ('eps', 'z')
_RANGE = 3.0  # Standard deviations to either side in a traversal.
_PRIOR_SAMPLES = 1000  # For the standard deviations of `z`.
# Below it, two directions are equal or opposite: there is no great circle.
_LEAST_SINE, _TINY = 1e-4, 1e-30


def interpolate(
  model: model_lib.VLAE,
  first: np.ndarray,
  last: np.ndarray,
  steps: int,
  space: str = 'eps',
  seed: int = 0,
) -> np.ndarray:
  """Images along paths from the latents of `first` to those of `last`.

  In 'z' the path is the line between the posterior means. In 'eps' it is the
  great circle [1] between `f^-1` of the means, with the norm linear in the
  step: the middle of a line is closer to the origin than the noise of any
  image.
  """
  _check(model, first, steps, space)
  latents.check_pixels(model, last)
  if len(first) != len(last):
    raise ValueError(
      f'`last` must have as many images as `first`, {len(first)}, got '
      f'{len(last)}.'
    )
  a, b = (_points(model, images, space) for images in (first, last))
  path = line if space == 'z' else great_circle
  points = [path(a, b, t) for t in np.linspace(0, 1, steps)]
  return _drawn(model, [_latent(model, p, space) for p in points], seed)


def line(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
  """Points on the lines from `a` (`t` = 0) to `b` (`t` = 1)."""
  return (1 - t) * a + t * b


def great_circle(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
  """Points `[num, *event_shape]` on the great circles from `a` to `b`.

  The norm is linear in `t`. Where the directions are equal or opposite, or a
  point is the origin, the path is the line.

  >>> great_circle(np.array([[2.0, 0.0]]), np.array([[0.0, 4.0]]), 0.5).round(3)
  array([[2.121, 2.121]])
  """
  u, v = (np.reshape(x, [len(x), -1]).astype(np.float64) for x in (a, b))
  r, s = (np.linalg.norm(x, axis=1, keepdims=True) for x in (u, v))
  product = np.maximum(r * s, _TINY)
  angle = np.arccos(np.clip(np.sum(u * v, 1, keepdims=True) / product, -1, 1))
  curved = (np.sin(angle) > _LEAST_SINE) & (product > _TINY)
  sine = np.where(curved, np.sin(angle), 1)
  unit_u, unit_v = u / np.maximum(r, _TINY), v / np.maximum(s, _TINY)
  arc = np.sin((1 - t) * angle) * unit_u + np.sin(t * angle) * unit_v
  path = np.where(curved, line(r, s, t) * arc / sine, line(u, v, t))
  return path.reshape(a.shape).astype(a.dtype)


def traverse(
  model: model_lib.VLAE,
  images: np.ndarray,
  dimensions: Sequence[int],
  steps: int,
  space: str = 'eps',
  seed: int = 0,
) -> np.ndarray:
  """Images with one latent dimension at a time set to -3 ... 3.

  Other dimensions are those of the posterior mean of each image. In 'eps' the
  values are of the standard normal noise, and the flow moves dependent
  dimensions of `z`. In 'z' they are standard deviations from the mean of the
  dimension under the prior, both estimated from 1,000 samples.

  Returns `[num, len(dimensions), steps, height, width, channels]`.
  """
  _check(model, images, steps, space)
  dimensions = check_dimensions(model, dimensions)
  start = _points(model, images, space)
  flat = start.reshape(len(images), -1)
  centre, scale, place = _axes(model, space, flat.shape[1])
  z = []
  for d in dimensions:
    for value in np.linspace(-_RANGE, _RANGE, steps):
      moved = flat.copy()
      moved[:, place[d]] = centre[d] + value * scale[d]
      z.append(_latent(model, moved.reshape(start.shape), space))
  drawn = _drawn(model, z, seed)
  drawn = drawn.reshape(len(dimensions), steps, *drawn.shape[1:])
  return np.moveaxis(drawn, 2, 0)


def check_dimensions(
  model: model_lib.VLAE, dimensions: Sequence[int]
) -> list[int]:
  """Checks indices of latent dimensions."""
  last = int(np.prod(model.event_shape)) - 1
  found = [checks.integer('dimensions', d, 0, last) for d in dimensions]
  if not found or len(set(found)) < len(found):
    raise ValueError(
      '`dimensions` must be indices of latent dimensions, at least one, each '
      f'once, got {list(dimensions)}.'
    )
  return found


def most_used(
  model: model_lib.VLAE,
  images: np.ndarray,
  num: int,
  kind: str | None = None,
) -> list[int]:
  """Indices of the dimensions with the highest rates over test images."""
  latents.check_code(model)
  use = latents.CodeProbe(model)(images, 'test', kind)
  values = use.variances if use.rates is None else use.rates
  return np.argsort(-values, kind='stable')[:num].tolist()


def _check(model, images, steps, space):
  checks.integer('steps', steps, 2)
  if space not in SPACES:
    raise ValueError(f'`space` must be one of {SPACES}, got {space!r}.')
  latents.check_code(model)
  latents.check_pixels(model, images)


def _points(model, images, space):
  """Posterior means of images, or the noise of these, as an array."""
  found = latents.encode(model, tf.convert_to_tensor(images))
  return np.asarray(found.mean if space == 'z' else found.eps)


def _latent(model, points, space):
  points = tf.convert_to_tensor(points)
  return points if space == 'z' else latents.from_noise(model.prior(), points)


def _axes(model, space, size):
  """Mean, standard deviation and index in the noise of each dimension."""
  prior = model.prior()
  if space == 'z':
    seed = random.stream_seed(0, 'sample', 2)
    z = prior.sample(_PRIOR_SAMPLES, seed=seed).numpy().reshape(-1, size)
    return z.mean(0), z.std(0), np.arange(size)
  place = latents.places_in_noise(prior, model.event_shape)
  return np.zeros(size), np.ones(size), np.asarray(place)


def _drawn(model, z, seed):
  """One image for each latent, `[len(z), num, ...]`, from the same noise."""
  seed = random.stream_seed(seed, 'sample', 1)
  # The noise is a function of the seed and of the shape, which all share.
  return np.stack([model.likelihood(each).sample(seed=seed) for each in z])
