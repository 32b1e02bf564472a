"""Images along paths of codes: between two of them, and along a dimension.

All images of a path are drawn from the same pixel noise, so that nothing but
the code makes them differ.

#### References

[1]: Tom White. Sampling Generative Networks. 2016.
     https://arxiv.org/abs/1609.04468 (section 2.1)
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from vlae_tf.evaluation import encoding, inputs, latents
from vlae_tf.models import vlae as model_lib
from vlae_tf.utils import checks, random

SPACES = ('eps', 'z')
_RANGE = 3.0  # Standard deviations to either side in a traversal.
_PRIOR_CODES = 1000  # That the deviations of `z` are estimated from.
# Below it, two directions are the same, or opposite: there is no great circle.
_LEAST_SINE, _TINY = 1e-4, 1e-30


def interpolate(
  model: model_lib.VLAE,
  first: np.ndarray,
  last: np.ndarray,
  steps: int,
  space: str = 'eps',
  seed: int = 0,
) -> np.ndarray:
  """Images of codes on the way from those of `first` to those of `last`.

  In 'z' the way is straight, from a posterior mean to the other. In 'eps' it
  goes from `f^-1` of one mean to that of the other: its direction along the
  great circle [1], its norm linearly, as the middle of a straight line is
  nearer to the origin than the noise of any image.

  >>> from vlae_tf import Config, build_model
  >>> small = dict(encoder_widths='4', prior='gaussian', decoder='factorised')
  >>> config = Config(latent_size=2, decoder_depth=2, **small)
  >>> model = build_model(config, (4, 4, 1))
  >>> images = np.zeros([3, 4, 4, 1], np.float32)
  >>> interpolate(model, images, 1 - images, steps=5).shape
  (5, 3, 4, 4, 1)

  Args:
    model: Built `VLAE`.
    first: Float array of shape `[num, height, width, channels]` in [0, 1].
    last: Float array of the same shape.
    steps: Images of a path, both ends included, at least 2.
    space: 'eps' or 'z'.
    seed: Python integer that decides the pixel noise.

  Returns:
    An array of shape `[steps, num, height, width, channels]`.

  Raises:
    ValueError: An argument is none of these, or the model has no code.
  """
  checks.integer('steps', steps, 2)
  _check_space(space)
  inputs.check_code(model)
  for images in (first, last):
    inputs.check_pixels(model, images)
  if len(first) != len(last):
    raise ValueError(
      f'`last` must have as many images as `first`, {len(first)}, got '
      f'{len(last)}.'
    )
  a, b = (_places(model, images, space) for images in (first, last))
  way = straight if space == 'z' else great_circle
  places = [way(a, b, t) for t in np.linspace(0, 1, steps)]
  return _drawn(model, [_codes(model, p, space) for p in places], seed)


def straight(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
  """Places on the straight lines from `a` (at `t` = 0) to `b` (at 1)."""
  # a [num, *event_shape]
  return (1 - t) * a + t * b


def great_circle(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
  """Places between `a` and `b` along the great circle, the norm linear in `t`.

  Where both directions are the same or opposite, or one is none, the line is
  straight.

  >>> great_circle(np.array([[2.0, 0.0]]), np.array([[0.0, 4.0]]), 0.5).round(3)
  array([[2.121, 2.121]])

  Args:
    a: Array of shape `[num, *event_shape]`.
    b: Array of the same shape.
    t: Number in [0, 1].

  Returns:
    An array of the same shape.
  """
  u, v = (np.reshape(x, [len(x), -1]).astype(np.float64) for x in (a, b))
  r, s = (np.linalg.norm(x, axis=1, keepdims=True) for x in (u, v))
  product = np.maximum(r * s, _TINY)
  angle = np.arccos(np.clip(np.sum(u * v, 1, keepdims=True) / product, -1, 1))
  curved = (np.sin(angle) > _LEAST_SINE) & (product > _TINY)
  sine = np.where(curved, np.sin(angle), 1)
  unit_u, unit_v = u / np.maximum(r, _TINY), v / np.maximum(s, _TINY)
  arc = np.sin((1 - t) * angle) * unit_u + np.sin(t * angle) * unit_v
  way = np.where(curved, straight(r, s, t) * arc / sine, straight(u, v, t))
  return way.reshape(a.shape).astype(a.dtype)


def traverse(
  model: model_lib.VLAE,
  images: np.ndarray,
  dimensions: Sequence[int],
  steps: int,
  space: str = 'eps',
  seed: int = 0,
) -> np.ndarray:
  """Images of codes in which one number at a time goes from -3 to 3."""
  # In 'eps' the number is noise, whose law is a standard normal, and the flow
  # lets other numbers of the code follow. In 'z' it is a number of the code
  # alone, which goes as many standard deviations to both sides of its mean
  # under the prior, both estimated from 1,000 codes. Everything else is that of
  # the posterior mean of an image.
  # images [num, height, width, channels] -> [num, len(dimensions), steps,
  # height, width, channels]
  checks.integer('steps', steps, 2)
  _check_space(space)
  inputs.check_code(model)
  inputs.check_pixels(model, images)
  dimensions = check_dimensions(model, dimensions)
  start = _places(model, images, space)
  flat = start.reshape(len(images), -1)
  centre, scale, place = _axes(model, space, flat.shape[1])
  codes = []
  for d in dimensions:
    for value in np.linspace(-_RANGE, _RANGE, steps):
      moved = flat.copy()
      moved[:, place[d]] = centre[d] + value * scale[d]
      codes.append(_codes(model, moved.reshape(start.shape), space))
  drawn = _drawn(model, codes, seed)
  drawn = drawn.reshape(len(dimensions), steps, *drawn.shape[1:])
  return np.moveaxis(drawn, 2, 0)


def check_dimensions(
  model: model_lib.VLAE, dimensions: Sequence[int]
) -> list[int]:
  """Checks numbers of dimensions of a code."""
  last = int(np.prod(model.event_shape)) - 1
  found = [checks.integer('dimensions', d, 0, last) for d in dimensions]
  if not found or len(set(found)) < len(found):
    raise ValueError(
      '`dimensions` must be some numbers of the code, each once, got '
      f'{list(dimensions)}.'
    )
  return found


def most_used(
  model: model_lib.VLAE,
  images: np.ndarray,
  num: int,
  kind: str | None = None,
) -> list[int]:
  """The dimensions of the highest rates over test images."""
  # images [num_images, height, width, channels]
  inputs.check_code(model)
  use = latents.CodeProbe(model)(images, 'test', kind)
  values = use.variances if use.rates is None else use.rates
  return np.argsort(-values, kind='stable')[:num].tolist()


def _check_space(space):
  if space not in SPACES:
    raise ValueError(f'`space` must be one of {SPACES}, got {space!r}.')


def _places(model, images, space):
  """Where the images are: their posterior means, or the noise of these."""
  found = encoding.encode(model, tf.convert_to_tensor(images))
  return np.asarray(found.mean if space == 'z' else found.eps)


def _codes(model, places, space):
  places = tf.convert_to_tensor(places)
  return places if space == 'z' else encoding.from_noise(model.prior(), places)


def _axes(model, space, size):
  """Mean and deviation of each number, and its place in the noise."""
  prior = model.prior()
  if space == 'z':
    seed = random.stream_seed(0, 'sample', 2)
    z = prior.sample(_PRIOR_CODES, seed=seed).numpy().reshape(-1, size)
    return z.mean(0), z.std(0), np.arange(size)
  place = latents.places_in_noise(prior, model.event_shape)
  return np.zeros(size), np.ones(size), np.asarray(place)


def _drawn(model, codes, seed):
  """One image of each code, `[len(codes), num, ...]`, from the same noise."""
  seed = random.stream_seed(seed, 'sample', 1)
  # The noise is a function of the seed and of the shape, which all share.
  return np.stack([model.likelihood(z).sample(seed=seed) for z in codes])
