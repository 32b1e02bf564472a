"""Images drawn from a model: samples, reconstructions, paths in latent space.

Functions of tensors, which a graph can hold, and the same for arrays with
checks: `sample_prior`, `decompress`, `complete`, `pixel_nats`. All images of an
interpolation or a traversal share their pixel noise, so that only the latent
makes them differ.

#### References

[1]: Tom White. Sampling Generative Networks. 2016.
     https://arxiv.org/abs/1609.04468 (section 2.1)
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from vlae_tf.distributions import reparameterized
from vlae_tf.evaluation import latents, likelihood
from vlae_tf.models import vlae as model_lib
from vlae_tf.utils import checks, fields, random

# Images drawn together, which bounds the memory.
AT_ONCE = 512
_SCORED_AT_ONCE = 100
SPACES = ('eps', 'z')
_RANGE = 3.0  # Standard deviations to either side in a traversal.
_PRIOR_SAMPLES = 1000  # For the standard deviations of `z`.
# Below it, two directions are equal or opposite: there is no great circle.
_LEAST_SINE, _TINY = 1e-4, 1e-30


def sample_prior(model: model_lib.VLAE, num: int, seed: int = 0) -> np.ndarray:
  """Samples `z ~ p(z)`, `x ~ p(x|z)`: `[num, height, width, channels]`.

  >>> from vlae_tf import Config, build_model
  >>> small = dict(encoder_widths='4', prior='gaussian', decoder='factorised')
  >>> config = Config(latent_size=2, decoder_depth=2, **small)
  >>> images = sample_prior(build_model(config, (4, 4, 1)), num=3)
  >>> images.shape, set(images.flat) <= {0.0, 1.0}
  ((3, 4, 4, 1), True)
  """
  checks.integer('num', num, 1)
  return samples(model, num, seed).numpy()


def decompress(
  model: model_lib.VLAE, images: np.ndarray, draws: int = 1, seed: int = 0
) -> np.ndarray:
  """Lossy reconstructions, `[draws, num, height, width, channels]`."""
  checks.integer('draws', draws, 1)
  latents.check_pixels(model, images)
  images = tf.convert_to_tensor(images)
  return decompressions(model, images, draws, seed).numpy()


def complete(
  model: model_lib.VLAE,
  images: np.ndarray,
  num_given: int,
  draws: int = 1,
  seed: int = 0,
  proposals: int = 256,
) -> np.ndarray:
  """Draws all pixels after the first `num_given` in raster order."""
  latents.check_pixels(model, images)
  height, width = images.shape[1:3]
  checks.integer('num_given', num_given, 0, height * width)
  checks.integer('draws', draws, 1)
  checks.integer('proposals', proposals, 2)
  given = np.arange(height * width).reshape(height, width) < num_given
  images = tf.convert_to_tensor(images)
  return completions(model, images, given, draws, seed, proposals).numpy()


def pixel_nats(
  model: model_lib.VLAE, images: np.ndarray, seed: int = 0
) -> np.ndarray | None:
  """-log p(x[i] | x[before i], z) with z ~ q(z|x), `[num, height, width]`.

  Channels are summed; the sum over pixels is the distortion. `None` for a
  likelihood without conditionals.
  """
  latents.check_pixels(model, images)
  found = []
  for start in range(0, len(images), _SCORED_AT_ONCE):
    image = tf.convert_to_tensor(images[start : start + _SCORED_AT_ONCE])
    latent_seed = random.stream_seed(seed, 'sample', start)
    distribution = model.likelihood(
      posterior_samples(model, image, latent_seed)
    )
    if not hasattr(distribution, 'conditionals'):
      return None
    found.append(-distribution.conditionals(image).log_prob(image).numpy())
  return np.concatenate(found)


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
  start = _points(model, images, space)
  flat = start.reshape(len(images), -1)
  size, prior = flat.shape[1], model.prior()
  for d in dimensions:
    checks.integer('dimensions', d, 0, size - 1)
  checks.distinct('dimensions', dimensions)
  # Mean, standard deviation and index in the noise of each dimension.
  centre, scale, place = np.zeros(size), np.ones(size), np.arange(size)
  if space == 'z':
    its_seed = random.stream_seed(0, 'sample', 2)
    drawn = prior.sample(_PRIOR_SAMPLES, seed=its_seed).numpy()
    drawn = drawn.reshape(-1, size)
    centre, scale = drawn.mean(0), drawn.std(0)
  else:
    place = np.asarray(latents.places_in_noise(prior, model.event_shape))
  z = []
  for d in dimensions:
    for value in np.linspace(-_RANGE, _RANGE, steps):
      moved = flat.copy()
      moved[:, place[d]] = centre[d] + value * scale[d]
      z.append(_latent(model, moved.reshape(start.shape), space))
  drawn = _drawn(model, z, seed)
  drawn = drawn.reshape(len(dimensions), steps, *drawn.shape[1:])
  return np.moveaxis(drawn, 2, 0)


def most_used(
  model: model_lib.VLAE, images: np.ndarray, num: int, kind: str | None = None
) -> list[int]:
  """Indices of the dimensions with the highest rates over test images."""
  latents.check_code(model)
  use = latents.CodeProbe(model)(images, 'test', kind)
  values = use.variances if use.rates is None else use.rates
  return np.argsort(-values, kind='stable')[:num].tolist()


def _check(model, images, steps, space):
  checks.integer('steps', steps, 2)
  fields.check('space', space, space in SPACES, f'one of {SPACES}')
  latents.check_code(model)
  latents.check_pixels(model, images)


def _points(model, images, space):
  """Posterior means of images, or the noise of these, as an array."""
  found = latents.encode(model, tf.convert_to_tensor(images))
  return np.asarray(found.mean if space == 'z' else found.eps)


def _latent(model, points, space):
  points = tf.convert_to_tensor(points)
  return points if space == 'z' else latents.from_noise(model.prior(), points)


def _drawn(model, z, seed):
  """One image for each latent, `[len(z), num, ...]`, from the same noise."""
  seed = random.stream_seed(seed, 'sample', 1)
  # The noise is a function of the seed and of the shape, which all share.
  return np.stack([model.likelihood(each).sample(seed=seed) for each in z])


def samples(
  model: model_lib.VLAE, num: int | tf.Tensor, seed: int | tf.Tensor = 0
) -> tf.Tensor:
  """Samples of the model, `[num, height, width, channels]`."""

  def draw(start, stop, latent_seed, pixel_seed):
    z = model.prior().sample(stop - start, seed=latent_seed)
    return model.likelihood(z).sample(1, seed=pixel_seed)

  return _in_parts(model, num, 1, seed, draw)[0]


def decompressions(
  model: model_lib.VLAE,
  image: tf.Tensor,
  draws: int = 1,
  seed: int | tf.Tensor = 0,
) -> tf.Tensor:
  """`z ~ q(z|x)`, `x' ~ p(x'|z)`: `[draws, num, height, width, channels]`."""

  def draw(start, stop, latent_seed, pixel_seed):
    z = posterior_samples(model, image[start:stop], latent_seed)
    return model.likelihood(z).sample(draws, seed=pixel_seed)

  return _in_parts(model, tf.shape(image)[0], draws, seed, draw)


def from_latents(
  model: model_lib.VLAE, z: tf.Tensor, draws: int = 1, seed: int | tf.Tensor = 0
) -> tf.Tensor:
  """`x ~ p(x|z)` for given `z`: `[draws, num, height, width, channels]`."""

  def draw(start, stop, latent_seed, pixel_seed):
    del latent_seed
    return model.likelihood(z[start:stop]).sample(draws, seed=pixel_seed)

  return _in_parts(model, tf.shape(z)[0], draws, seed, draw)


def completions(
  model: model_lib.VLAE,
  image: tf.Tensor,
  given: tf.Tensor,
  draws: int = 1,
  seed: int | tf.Tensor = 0,
  proposals: int = 256,
) -> tf.Tensor:
  """Draws the pixels outside `given`, `[height, width]`, latents inferred."""
  mask = tf.cast(given, image.dtype)[..., None]

  def draw(start, stop, latent_seed, pixel_seed):
    part = image[start:stop] * mask

    def infer(pair):
      i, x = pair
      its_seed = tf.random.experimental.stateless_fold_in(latent_seed, i)
      return _latents_given_part(model, x, mask, draws, proposals, its_seed)

    spec = tf.TensorSpec([draws, *model.event_shape])
    numbers = tf.range(stop - start)
    z = tf.map_fn(infer, (numbers, part), fn_output_signature=spec)
    z = tf.transpose(z, [1, 0, *range(2, 2 + len(model.event_shape))])
    return model.likelihood(z).complete(part, given, seed=pixel_seed)

  return _in_parts(model, tf.shape(image)[0], draws, seed, draw)


def posterior_samples(
  model: model_lib.VLAE, image: tf.Tensor, seed: tf.Tensor
) -> tf.Tensor:
  """`z ~ q(z|x)`, one for each image; the seed is TensorFlow's, `[2]`."""
  shape = tf.concat([tf.shape(image)[:1], model.event_shape], 0)
  noise = tf.random.stateless_normal(shape, seed)
  noise = tf.ensure_shape(noise, [image.shape[0], *model.event_shape])
  return reparameterized.draw(model.posterior(image), noise).value


def _latents_given_part(model, image, mask, draws, proposals, seed):
  """Samples `[draws, *event_shape]` of `p(z | given pixels)`."""
  # Sampling-importance-resampling; half of the proposals are of the prior, half
  # of the posterior of the image that is black where no pixel is given.
  prior, half = model.prior(), proposals // 2
  q = model.posterior(image[None])
  seeds_ = tf.unstack(tf.random.experimental.stateless_split(seed, 3))
  of_posterior = q.sample(half, seed=seeds_[1])[:, 0]
  z = tf.concat([prior.sample(half, seed=seeds_[0]), of_posterior], 0)
  of_pixels = model.likelihood(z).conditionals(image).log_prob(image)
  log_prior = prior.log_prob(tf.identity(z))
  # The equal mixture of both proposals, up to a constant.
  log_posterior = q.log_prob(z[:, None])[:, 0]
  log_proposal = tf.reduce_logsumexp([log_prior, log_posterior], axis=0)
  log_weight = (
    tf.reduce_sum(of_pixels * mask[..., 0], [-2, -1]) + log_prior - log_proposal
  )
  chosen = tf.random.stateless_categorical(log_weight[None], draws, seeds_[2])
  return tf.gather(z, chosen[0])


def _in_parts(model, num, draws, seed, draw):
  """Draws `[draws, num, ...]`, in parts that fit the memory."""
  # `draw` gets the first and last number, and seeds of latents and of pixels.
  seeds = [random.stream_seed(seed, 'sample', i) for i in range(2)]

  def part(k, start, stop):
    # The seeds of the first part are not folded.
    fold = tf.random.experimental.stateless_fold_in
    images = draw(start, stop, *(tf.where(k > 0, fold(s, k), s) for s in seeds))
    return [tf.transpose(images, [1, 0, 2, 3, 4])]

  num, size = tf.convert_to_tensor(num), max(1, AT_ONCE // draws)
  shapes = [[None, draws, *model.image_shape]]
  (drawn,) = likelihood.in_parts(num, size, part, shapes)
  return tf.transpose(drawn, [1, 0, 2, 3, 4])
