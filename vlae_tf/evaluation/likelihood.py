"""Importance-sampled likelihoods of images, in nats.

#### References

[1]: Yuri Burda, Roger Grosse, Ruslan Salakhutdinov. Importance Weighted
     Autoencoders. In _International Conference on Learning Representations_,
     2016. https://arxiv.org/abs/1509.00519
"""

import hashlib
import json
import math
import os
import pathlib
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from vlae_tf import data as data_lib
from vlae_tf.data import image_data
from vlae_tf.distributions import pixel_distributions, reparameterized
from vlae_tf.models import objectives
from vlae_tf.models import vlae as model_lib
from vlae_tf.nn import weight_norm
from vlae_tf.utils import checks, console, devices, files, json_files, random

# Importance samples whose noise is drawn together, and the most that are
# decoded together: these, not the number of samples, bound the memory.
BLOCK, LANES = 256, 64
_SECONDS_BETWEEN_WRITES = 30.0
_UNREADABLE = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile)


class Estimates(NamedTuple):
  """Estimates for each image from the same samples, in nats, `[num]` each."""

  log_prob: tf.Tensor | np.ndarray  # Importance-sampled log p(x).
  elbo: tf.Tensor | np.ndarray  # Mean of the log-weights.
  rate: tf.Tensor | np.ndarray  # Mean of log q(z|x) - log p(z).
  distortion: tf.Tensor | np.ndarray  # Mean of -log p(x|z).

  def checked(self) -> 'Estimates':
    """Itself, if all numbers are finite."""
    good = np.isfinite(self).all(0)
    if not good.all():
      raise ValueError(
        '`model` must give finite likelihoods, got NaN or infinity for '
        f'{np.sum(~good)} of {good.size} images: its training diverged. Train '
        'again with a lower learning rate.'
      )
    return self

  def summary(
    self, image_shape: Sequence[int], num_samples: int = 1
  ) -> dict[str, Any]:
    """Means and standard errors over images, in nats, bits and bits/dim."""
    means = {
      'nll': -self.log_prob,
      'elbo': self.elbo,
      'gap': self.log_prob - self.elbo,
      'rate': self.rate,
      'distortion': self.distortion,
    }
    found: dict[str, Any] = {}
    for name, values in means.items():
      found[name] = float(values.mean())
      found[f'{name}_stderr'] = standard_error(values)
    nats_per_bit = math.log(2)
    nats_per_bit_dim = nats_per_bit * math.prod(image_shape)
    return found | {
      'rate_bits': found['rate'] / nats_per_bit,
      'bits_per_dim': found['nll'] / nats_per_bit_dim,
      'elbo_bits_per_dim': -found['elbo'] / nats_per_bit_dim,
      'rate_bits_per_dim': found['rate'] / nats_per_bit_dim,
      'num_images': len(self.log_prob),
      'num_samples': num_samples,
    }


def joined(parts: Sequence[Estimates]) -> Estimates:
  """Concatenates estimates of several batches."""
  return Estimates(*map(np.concatenate, zip(*parts)))


def table(summary: Mapping[str, Any]) -> str:
  """A `summary` as lines of text."""
  rows = [
    ('NLL', 'nll', 'nats'),
    ('ELBO', 'elbo', 'nats'),
    ('gap NLL to -ELBO', 'gap', 'nats'),
    ('rate', 'rate', 'nats'),
    ('distortion', 'distortion', 'nats'),
    ('rate', 'rate_bits', 'bits'),
    ('NLL', 'bits_per_dim', 'bits/dim'),
    ('-ELBO', 'elbo_bits_per_dim', 'bits/dim'),
    ('rate', 'rate_bits_per_dim', 'bits/dim'),
  ]
  lines = [
    f'{summary["num_images"]} images, {summary["num_samples"]} importance '
    'samples each'
  ]
  for name, key, unit in rows:
    error = summary.get(f'{key}_stderr')
    known = error is not None and math.isfinite(error)
    spread = f' +- {error:.3f}' if known else ''
    lines.append(f'{name:17} {summary[key]:10.4f}{spread:11} {unit}')
  return '\n'.join(lines)


def standard_error(values: np.ndarray) -> float:
  """Standard error of a mean; NaN for a single value."""
  if len(values) < 2:
    return math.nan
  return float(np.std(values, ddof=1) / math.sqrt(len(values)))


def with_error(
  mean: float, error: float | None, digits: int = 2, sign: str = ''
) -> str:
  """A mean with its standard error, if known and finite.

  >>> with_error(79.034, 0.128), with_error(0.5, None, sign='+')
  ('79.03 +- 0.13', '+0.50')
  """
  text = f'{mean:{sign}.{digits}f}'
  is_known = error is not None and math.isfinite(error)
  return f'{text} +- {error:.{digits}f}' if is_known else text


def corrected_mean(
  values: np.ndarray, numbers: np.ndarray, better: np.ndarray
) -> tuple[float, float]:
  """Mean of rough values of all images and better values of some images.

  `mean{ v[i] } + mean{ b[j] - v[n[j]] }` and its standard error: a regression
  estimator of slope one (Cochran, Sampling Techniques, chapter 7). Only the
  differences of the few images add to the error, not their values.

  >>> mean, stderr = corrected_mean([3.0, 5.0, 7.0], [0, 2], [2.0, 6.0])
  >>> round(mean, 9), round(stderr, 2)
  (4.0, 1.15)
  """
  values, better = np.float64(values), np.float64(better)
  rough = values[np.asarray(numbers, int)]
  change = better - rough
  mean = float(values.mean() + change.mean())
  if min(len(values), len(change)) < 2:
    return mean, math.nan
  both = np.cov(rough, change)
  variance = (np.var(values, ddof=1) + 2 * both[0, 1]) / len(values)
  variance += both[1, 1] / len(change)
  return mean, math.sqrt(max(float(variance), 0.0))


def check_kind(
  model: model_lib.VLAE,
  images: np.ndarray,
  kind: str | None,
  name: str = 'images',
) -> str:
  """Checks images of a data set against a model; returns their kind."""
  image_data.check_images(images, name)
  if tuple(images.shape[1:]) != tuple(model.image_shape):
    raise ValueError(
      f'`{name}` must be of the shape of those of `model`, '
      f'{tuple(model.image_shape)}, got {images.shape[1:]}.'
    )
  kind = image_data.pixel_kind(images, kind)
  pixel_distribution = getattr(model.likelihood, 'pixel_distribution', None)
  if pixel_distribution is not None:
    pixel_distributions.check_kind(pixel_distribution, kind)
  return kind


def num_images(num_samples: int | tf.Tensor) -> int | tf.Tensor:
  """Number of images to score together so that the lanes are full."""
  size = largest_divisor(num_samples, BLOCK)
  if isinstance(size, int):
    return max(1, LANES // size)
  return tf.maximum(1, LANES // size)


def largest_divisor(num: int | tf.Tensor, most: int) -> int | tf.Tensor:
  """Largest divisor of `num`, an integer or integer scalar, up to `most`."""
  if isinstance(num, int):
    return max(n for n in range(1, most + 1) if num % n == 0)
  sizes = tf.range(1, most + 1, dtype=num.dtype)
  return tf.reduce_max(tf.where(num % sizes == 0, sizes, 1))


def estimate(
  model: model_lib.VLAE,
  image: tf.Tensor,
  index: tf.Tensor,
  num_samples: int | tf.Tensor,
  seed: int | tf.Tensor = 0,
) -> Estimates:
  """`log p(x) ~ log mean{ p(x|z[k]) p(z[k]) / q(z[k]|x) }` [1], in a graph."""
  block = largest_divisor(num_samples, BLOCK)
  q = model.posterior(image)
  batch = tf.shape(index)[0]

  def add(k, log_sum, rate, distortion):
    noise = _noise(model, index, k, block, seed)
    terms = _terms_of(model, reparameterized.draw(q, noise), image, block)
    all_weights = tf.concat([log_sum[None], terms.elbo], 0)
    return (
      k + 1,
      tf.reduce_logsumexp(all_weights, axis=0),
      rate + tf.reduce_sum(terms.rate, 0),
      distortion + tf.reduce_sum(terms.distortion, 0),
    )

  zeros = tf.zeros([batch])
  _, log_sum, rate, distortion = tf.while_loop(
    lambda k, *_: k < num_samples // block,
    add,
    (0, tf.fill([batch], -math.inf), zeros, zeros),
    parallel_iterations=1,
  )
  total = tf.cast(num_samples, tf.float32)
  rate, distortion = rate / total, distortion / total
  log_prob = log_sum - tf.math.log(total)
  return Estimates(log_prob, -rate - distortion, rate, distortion)


def estimate_in_groups(
  model: model_lib.VLAE,
  image: tf.Tensor,
  index: tf.Tensor,
  num_samples: int | tf.Tensor,
  seed: int | tf.Tensor = 0,
) -> Estimates:
  """`estimate` of any number of images, `num_images` at a time."""

  def part(_, start, stop):
    images, indices = image[start:stop], index[start:stop]
    return estimate(model, images, indices, num_samples, seed)

  size, shapes = num_images(num_samples), [[None]] * len(Estimates._fields)
  return Estimates(*in_parts(tf.shape(image)[0], size, part, shapes))


def in_parts(
  num: int | tf.Tensor,
  size: int | tf.Tensor,
  compute: Callable[..., Sequence[tf.Tensor]],
  shapes: Sequence[Sequence[int | None]],
) -> list[tf.Tensor]:
  """Joins the results of `compute(k, start, stop)` for each part of `num`."""
  total = (num + size - 1) // size
  arrays = [
    tf.TensorArray(tf.float32, total, infer_shape=False, element_shape=shape)
    for shape in shapes
  ]

  def add(k, *arrays):
    values = compute(k, k * size, tf.minimum((k + 1) * size, num))
    return k + 1, *(a.write(k, v) for a, v in zip(arrays, values))

  _, *arrays = tf.while_loop(
    lambda k, *_: k < total, add, (0, *arrays), parallel_iterations=1
  )
  return [array.concat() for array in arrays]


def _noise(model, index, k, block, seed):
  """Noise `[block, batch, *event_shape]`, a function of each image's index."""
  of_images = random.stream_seeds(seed, 'importance', index)
  noise = random.normal(
    random.folded(of_images, k), [block, *model.event_shape]
  )
  static = block if isinstance(block, int) else None
  noise = tf.ensure_shape(noise, [None, static, *model.event_shape])
  return tf.transpose(noise, [1, 0, *range(2, len(noise.shape))])


def _terms_of(model, draw, image, block):
  """`Terms` `[block, batch]` of a `Draw`, at most `LANES` at a time."""
  at_once = largest_divisor(block, LANES)
  if isinstance(block, int) and at_once == block:
    return model.terms(draw, image)
  batch = draw.log_prob.shape[-1]

  def in_lanes(x):
    shape = [block // at_once, at_once, tf.shape(x)[1], *x.shape[2:]]
    static = at_once if isinstance(at_once, int) else None
    x = tf.reshape(x, shape)
    return tf.ensure_shape(x, [None, static, batch, *x.shape[3:]])

  spec = tf.TensorSpec([None, batch])
  terms = tf.map_fn(
    lambda part: model.terms(reparameterized.Draw(*part), image),
    reparameterized.Draw(*map(in_lanes, draw)),
    fn_output_signature=objectives.Terms(spec, spec),
    parallel_iterations=1,
  )
  shape = tf.shape(draw.log_prob)
  return objectives.Terms(*(tf.reshape(t, shape) for t in terms))


class Evaluator:
  """Estimates log p(x) by importance sampling from the posterior [1].

  `log p(x) ~ log mean{ p(x|z[k]) p(z[k]) / q(z[k]|x) }`, a lower bound in
  expectation that tightens as samples are added.

  >>> from vlae_tf import Config, build_model
  >>> small = dict(encoder_widths='4', prior='gaussian', decoder='factorised')
  >>> config = Config(latent_size=2, decoder_depth=2, **small)
  >>> model = build_model(config, image_shape=(4, 4, 1))
  >>> found = Evaluator(model, num_samples=8)(np.ones([3, 4, 4, 1], bool))
  >>> found.log_prob.shape, bool((found.log_prob > found.elbo).all())
  ((3,), True)
  """

  def __init__(
    self,
    model: model_lib.VLAE,
    num_samples: int = 1,
    seed: int = 0,
    strategy: tf.distribute.Strategy | None = None,
    streams: int = 1,
  ):
    """Creates the evaluator; its graph is traced at the first use.

    The replicas of the `strategy` under which the model was built share the
    images; `streams` is the number of batches in parallel threads. A model
    without latents takes one sample per image.
    """
    num_samples = checks.integer('num_samples', num_samples, 1)
    self._model = model
    if not math.prod(model.event_shape):
      num_samples = 1  # It is exact.
    self.num_samples = num_samples
    self._seed = checks.integer('seed', seed, 0, random.MAX_SEED)
    self._strategy, self._streams = strategy, streams
    if strategy is not None and strategy.num_replicas_in_sync == 1:
      self._strategy = None
    self._compiled = tf.function(
      lambda *batch: (
        self._strategy.run(self._estimate, batch)
        if self._strategy
        else self._estimate(*batch)
      ),
      reduce_retracing=True,
      autograph=False,
    )

  def __call__(
    self,
    images: np.ndarray,
    split: str = 'test',
    progress: Callable[[int], Any] = lambda _: None,
    kind: str | None = None,
  ) -> Estimates:
    """Estimates for all images, in the binarisation fixed for their split.

    Raises:
      ValueError: The images do not fit the model, or a number is not finite.
    """
    parts = []
    for part in self.parts(images, split, kind):
      parts.append(part.checked())
      progress(len(part.log_prob))
    return joined(parts)

  def parts(
    self,
    images: np.ndarray,
    split: str = 'test',
    kind: str | None = None,
    numbers: Sequence[int] | np.ndarray | None = None,
  ) -> Iterator[Estimates]:
    """Estimates batch by batch; of the images `numbers`, in that order."""
    kind = check_kind(self._model, images, kind)
    replicas = self._strategy.num_replicas_in_sync if self._strategy else 1
    on_each = num_images(self.num_samples)
    batches = data_lib.evaluation_batches(
      images, on_each * replicas, split=split, kind=kind, numbers=numbers
    )
    for found in devices.threaded_map(
      lambda batch: self.estimate(**batch), batches, self._streams
    ):
      yield Estimates(*map(np.asarray, found))

  def estimate(self, image: tf.Tensor, index: tf.Tensor) -> Estimates:
    """Estimates for a batch; `index` `[batch]` seeds the samples."""
    image, index = tf.convert_to_tensor(image), tf.convert_to_tensor(index)
    if not index.dtype.is_integer or index.shape != image.shape[:1]:
      raise ValueError(
        f'`index` must be integers of shape {image.shape[:1]}, got '
        f'{index.dtype.name} of shape {index.shape}.'
      )
    pixel_distributions.check_support('image', self._model.likelihood, image)
    if self._strategy is None:
      return self._compiled(image, index)
    strategy, num = self._strategy, len(index)
    each = math.ceil(num / strategy.num_replicas_in_sync)

    def of_replica(x):
      def rows(context):
        first = context.replica_id_in_sync_group * each
        # The last image is repeated where there are not enough.
        return tf.gather(x, np.minimum(np.arange(each) + first, num - 1))

      return strategy.experimental_distribute_values_from_function(rows)

    found = self._compiled(of_replica(image), of_replica(index))
    # Of the replicas of all workers, not of this one alone.
    return Estimates(*(strategy.gather(x, 0)[:num] for x in found))

  def _estimate(self, image, index):
    layers = weight_norm.layers_of(self._model)
    # Once, not for every block of samples.
    kernels = [layer.kernel for layer in layers]
    with weight_norm.given_kernels(layers, kernels):
      return estimate(self._model, image, index, self.num_samples, self._seed)


class PartialScore:
  """Estimates of a score in progress, kept on disk so that it can resume.

  `NAME.part.npz` beside the score `NAME.json` holds the images that are done;
  `finish` writes `NAME.npz`: `log_prob`, `elbo`, `rate` and `distortion` of
  each image, in nats, and `settings` as JSON.
  """

  def __init__(
    self,
    path: str | os.PathLike,
    settings: Mapping[str, Any],
    seconds: float = _SECONDS_BETWEEN_WRITES,
  ):
    path = pathlib.Path(path)
    self._settings = dict(settings)
    self._seconds = seconds
    self._part = path.with_suffix('.part.npz')
    self._whole = path.with_suffix('.npz')
    self._parts = self._left()
    self._written = time.monotonic()

  @property
  def num_images(self) -> int:
    """Number of images that are done."""
    return sum(len(part.log_prob) for part in self._parts)

  def add(self, part: Estimates) -> None:
    """Adds the next images; writes all if the last write is long ago."""
    self._parts.append(part)
    if time.monotonic() - self._written >= self._seconds:
      self._write(self._part)
      self._written = time.monotonic()

  def finish(self) -> Estimates:
    """Writes all images and removes the partial file."""
    found = self._write(self._whole)
    self._part.unlink(missing_ok=True)
    return found

  def _write(self, path):
    found = joined(self._parts)
    self._parts = [found]
    settings = {'settings': json.dumps(self._settings)}
    files.write_arrays(path, found._asdict() | settings)
    return found

  def _left(self):
    """`Estimates` of an interrupted start of the same score, at most one."""
    if not self._part.exists():
      return []
    try:
      with np.load(self._part) as file:
        settings = json_files.parse(str(file['settings']))
        found = Estimates(*(file[name] for name in Estimates._fields))
    except _UNREADABLE as error:
      console.warn(f'{self._part} cannot be read ({error!r}); from the start.')
      return []
    if settings != self._settings:
      console.warn(f'{self._part} is of another evaluation; from the start.')
      return []
    return [found]


def digest(model: model_lib.VLAE) -> str:
  """SHA-256 of the weights of a model."""
  found = hashlib.sha256()
  for variable in model.variables:
    found.update(np.ascontiguousarray(variable.numpy()).tobytes())
  return found.hexdigest()
