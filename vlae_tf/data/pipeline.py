"""Reproducible batches of images.

The random numbers of a training example are a function of the seed, the step
and the slot in the batch alone; in evaluation, of the seed, the split and the
example's index. Workers, replicas, prefetching and resuming change nothing.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from vlae_tf.data.image_data import check_dtype, pixel_kind
from vlae_tf.utils import checks, devices, fields, random

_PREFETCHED_BATCHES = 4
_UNIT_VALUES = (np.arange(256) / 255).astype(np.float32)
_FOREVER = np.iinfo(np.int64).max
# Names of random streams: independent for the three splits, and of training.
_EVALUATION_STREAMS = {
  'train': 'scored_train',
  'validation': 'validation',
  'test': 'test',
  'train+validation': 'scored_train',
}


def bernoulli_means(images: Any) -> tf.Tensor:
  """Pixels as float32 in [0, 1]: bool as 0 and 1, uint8 as `value / 255`."""
  images = tf.convert_to_tensor(images)
  check_dtype(images, 'images')
  if images.dtype != tf.uint8:
    return tf.cast(images, tf.float32)
  # A table, as graph optimisers turn `/ 255` into an inexact `* (1 / 255)`.
  return tf.gather(_UNIT_VALUES, tf.cast(images, tf.int32))


def training_batches(  # noqa: PLR0913
  images: Any,
  batch_size: int,
  seed: int,
  start_step: int = 0,
  num_replicas: int = 1,
  replicas: Sequence[int] | None = None,
  kind: str | None = None,
  horizontal_flips: bool = False,
) -> tf.data.Dataset:
  """Endless training batches, binarised anew at every step.

  Pixels of 256 levels are not binarised but become `value / 255`. Images may be
  mirrored with probability 1/2.

  Epoch `e` is a permutation of all images that depends on `(seed, e)`. The
  concatenated epochs are cut into global batches of `batch_size`, so a batch
  may span two epochs. Replica `r` of `num_replicas` gets the `r`-th of as many
  equal, contiguous parts of it; those of `replicas` are served here, by default
  all.

  Returns:
    Dictionaries, one per step and replica, with `b = batch_size //
    num_replicas`: `image`, float32 `[b, height, width, channels]` in {0, 1}, or
    in [0, 1] if the kind is 'levels'; `step`, int64 `[]`; `slot`, int64 `[b]`,
    the places in the global batch; `index`, int64 `[b]`, those in `images`.

  Raises:
    ValueError: If an argument is out of range, the batch cannot be divided or
      the kind does not fit.
  """
  replicas = range(num_replicas) if replicas is None else replicas
  checks.integer('batch_size', batch_size, 1)
  checks.integer('start_step', start_step)
  checks.integer('num_replicas', num_replicas, 1)
  if batch_size % num_replicas:
    raise ValueError(
      '`batch_size` must be divisible by `num_replicas`, got '
      f'{batch_size} and {num_replicas}.'
    )
  fits = bool(replicas) and all(0 <= r < num_replicas for r in replicas)
  fields.check('replicas', replicas, fits, f'some of range({num_replicas})')
  images, kind = _on_host(images, kind)
  indices = _index_batches(len(images), batch_size, seed, start_step)
  steps = tf.data.Dataset.range(start_step, _FOREVER)
  slots = np.arange(batch_size, dtype=np.int64).reshape(num_replicas, -1)
  rows = slots[list(replicas)]  # [len(replicas), b]

  def batch(step, index):
    """One element for each replica, stacked along a new first axis."""

    # Drawn for the whole global batch, so that replicas change nothing.
    def uniform(stream, shape):
      seeds = random.stream_seed(seed, stream, step)
      drawn = tf.random.stateless_uniform([batch_size, *shape], seeds)
      return tf.gather(drawn, rows)

    index = tf.gather(index, rows)
    image = _seen(
      tf.gather(images, index),
      kind,
      lambda: uniform('binarize', images.shape[1:]),
    )
    if horizontal_flips:
      flipped = (uniform('flip', []) < 0.5)[..., None, None, None]
      image = tf.where(flipped, image[..., ::-1, :], image)
    return {
      'image': image,
      'step': tf.repeat(step, len(rows)),
      'slot': tf.constant(rows),
      'index': index,
    }

  dataset = tf.data.Dataset.zip(steps, indices).map(batch).unbatch()
  return _tuned(dataset)


def evaluation_batches(
  images: Any,
  batch_size: int,
  seed: int = 0,
  split: str = 'test',
  kind: str | None = None,
  numbers: Sequence[int] | np.ndarray | None = None,
) -> tf.data.Dataset:
  """All images in order, or those of some numbers, with a fixed binarisation.

  Dictionaries of `image` and `index`, as in `training_batches`; the last may
  have fewer images. An example's binary image depends on `(seed, split, index)`
  alone, not on `batch_size`. Pixels of 256 levels become `value / 255`.

  Raises:
    ValueError: If `batch_size` is not positive, `split` is unknown or the
      kind does not fit.
  """
  checks.integer('batch_size', batch_size, 1)
  known = tuple(_EVALUATION_STREAMS)
  fields.check('split', split, split in known, f'one of {known}')
  images, kind = _on_host(images, kind)

  def batch(index):
    def uniform():
      seeds = random.stream_seeds(seed, _EVALUATION_STREAMS[split], index)
      return random.uniform(seeds, images.shape[1:])

    image = _seen(tf.gather(images, index), kind, uniform)
    return {'image': image, 'index': index}

  numbers = range(len(images)) if numbers is None else numbers
  indices = tf.data.Dataset.from_tensor_slices(np.asarray(numbers, np.int64))
  return _tuned(indices.batch(batch_size).map(batch))


def fixed_binarization(
  images: Any, split: str, seed: int = 0, kind: str | None = None
) -> np.ndarray:
  """The images of `evaluation_batches` as one array."""
  batches = evaluation_batches(images, 500, seed, split, kind)
  return np.concatenate([b['image'] for b in batches.as_numpy_iterator()])


def _on_host(images, kind):
  """Images as a tensor in host memory, and their kind."""
  devices.configure()  # The first operation starts all devices.
  with tf.device('CPU:0'):
    images = tf.constant(images)
  return images, pixel_kind(images, kind)


def _seen(images, kind, uniform: Callable[[], tf.Tensor]):
  """Model inputs; only the kind 'grey' draws random numbers."""
  if kind == 'levels':
    return bernoulli_means(images)
  if kind == 'grey':
    images = uniform() < bernoulli_means(images)
  return tf.cast(images, tf.float32)


def _index_batches(num_images, batch_size, seed, start_step):
  start_epoch, offset = divmod(start_step * batch_size, num_images)

  def epoch_order(epoch):
    order = tf.random.experimental.stateless_shuffle(
      tf.range(num_images, dtype=tf.int64),
      seed=random.stream_seed(seed, 'shuffle', epoch),
    )
    return order[tf.where(epoch == start_epoch, offset, 0) :]

  epochs = tf.data.Dataset.range(start_epoch, _FOREVER)
  return epochs.map(epoch_order).rebatch(batch_size, drop_remainder=True)


def _tuned(dataset):
  options = tf.data.Options()
  # Batches are cheap: more threads would only take time from training.
  options.threading.private_threadpool_size = 1
  options.threading.max_intra_op_parallelism = 1
  options.autotune.enabled = False
  options.deterministic = True
  options.experimental_distribute.auto_shard_policy = (
    tf.data.experimental.AutoShardPolicy.OFF
  )
  return dataset.prefetch(_PREFETCHED_BATCHES).with_options(options)
