"""Batches of binarised images whose every random number has one cause.

What the example in a slot of a batch gets is a function of the user's seed,
the step and the slot alone (in evaluation: of the seed, the split and the
example's index), so workers, replicas, pre-fetching and resuming change
nothing.
"""

import numpy as np
import tensorflow as tf

from vlae_tf.system import seeds

_PREFETCHED_BATCHES = 4
_GREY_MEANS = (np.arange(256) / 255).astype(np.float32)
_FOREVER = np.iinfo(np.int64).max
# The three streams keep one image's bits apart in the three splits.
_EVALUATION_STREAMS = {
  'train': 'binarize',
  'validation': 'validation',
  'test': 'test',
  'train+validation': 'binarize',
}


def is_binary(images):
  """Whether images are binary as they are, so that nothing is drawn."""
  return images.dtype == bool


def bernoulli_means(images):
  """Bernoulli means of pixels, by the rule of `ImageData` for dtypes.

  Args:
    images: Bool, uint8 or float32 array or `Tensor` of any shape.

  Returns:
    A float32 `Tensor` of the same shape, in [0, 1].

  Raises:
    ValueError: If the dtype is none of these.
  """
  images = tf.convert_to_tensor(images)
  if images.dtype not in (tf.bool, tf.uint8, tf.float32):
    raise ValueError(
      '`images` must be bool, uint8 or float32, got '
      f'{images.dtype.name} values.'
    )
  if images.dtype != tf.uint8:
    return tf.cast(images, tf.float32)
  # A table, as graph optimisers turn `/ 255` into an inexact `* (1 / 255)`.
  return tf.gather(_GREY_MEANS, tf.cast(images, tf.int32))


def training_batches(
  images, batch_size, seed, start_step=0, num_replicas=1, replicas=None
):
  """Endless training batches, freshly binarised at every read.

  Epoch `e` is a permutation of all images that depends on `(seed, e)`; the
  epochs are put end to end and cut into global batches, so a batch may hold
  the end of one epoch and the beginning of the next. Replica `r` of
  `num_replicas` gets the `r`-th of as many equal, contiguous parts of it.

  Args:
    images: Array of shape `[num_images, height, width, channels]`.
    batch_size: Python integer, the size of the global batch.
    seed: Python integer.
    start_step: Python integer, the step of the first batch.
    num_replicas: Python integer, the number of replicas in all.
    replicas: The replicas served here, all by default.

  Returns:
    A `tf.data.Dataset` that goes through `replicas` at every step. With
    `b = batch_size // num_replicas`, an element is a dictionary of `image`,
    float32 of shape `[b, height, width, channels]` in {0, 1}; `step`, int64
    of shape `[]`; `slot`, int64 of shape `[b]`, the places in the global
    batch; and `index`, int64 of shape `[b]`, the places in `images`.

  Raises:
    ValueError: If an argument is out of range or the batch cannot be divided.
  """
  replicas = range(num_replicas) if replicas is None else replicas
  _check_at_least('batch_size', batch_size, 1)
  _check_at_least('start_step', start_step, 0)
  _check_replicas(batch_size, num_replicas, replicas)
  with tf.device('CPU:0'):
    images = tf.constant(images)
  indices = _index_batches(len(images), batch_size, seed, start_step)
  steps = tf.data.Dataset.range(start_step, _FOREVER)
  rows = _replica_slots(batch_size, num_replicas, replicas)

  def batch(step, index):
    return _training_batch(images, step, index, rows, seed)

  dataset = tf.data.Dataset.zip(steps, indices).map(batch).unbatch()
  return _tuned(dataset)


def evaluation_batches(images, batch_size, seed=0, split='test'):
  """All images in order, binarised once and for all.

  An example's binary image depends on `(seed, split, index)` alone: not on
  the size of the batches, and on the run only if it asks for another seed.

  Args:
    images: Array of shape `[num_images, height, width, channels]`.
    batch_size: Python integer.
    seed: Python integer.
    split: 'train', 'validation', 'test' or 'train+validation'.

  Returns:
    A `tf.data.Dataset` of dictionaries of `image`, float32 of shape
    `[batch, height, width, channels]` in {0, 1}, and `index`, int64 of shape
    `[batch]`. The last batch may be smaller.

  Raises:
    ValueError: If `batch_size` is not positive or `split` is unknown.
  """
  _check_at_least('batch_size', batch_size, 1)
  if split not in _EVALUATION_STREAMS:
    raise ValueError(
      f'`split` must be one of {tuple(_EVALUATION_STREAMS)}, got {split!r}.'
    )
  with tf.device('CPU:0'):
    images = tf.constant(images)

  def batch(index):
    chosen = tf.gather(images, index)
    if not is_binary(images):
      uniform = seeds.uniform_per_example(
        seed, _EVALUATION_STREAMS[split], index, images.shape[1:]
      )
      chosen = uniform < bernoulli_means(chosen)
    return {'image': tf.cast(chosen, tf.float32), 'index': index}

  indices = tf.data.Dataset.range(len(images)).batch(batch_size)
  return _tuned(indices.map(batch))


def fixed_binarization(images, split, seed=0):
  """The binary images that `evaluation_batches` gives, as one array.

  Args:
    images: Array of shape `[num_images, height, width, channels]`.
    split: 'train', 'validation', 'test' or 'train+validation'.
    seed: Python integer.

  Returns:
    A float32 array of shape `[num_images, height, width, channels]`.
  """
  batches = evaluation_batches(images, 500, seed, split)
  return np.concatenate([b['image'] for b in batches.as_numpy_iterator()])


def _index_batches(num_images, batch_size, seed, start_step):
  start_epoch, offset = divmod(start_step * batch_size, num_images)

  def epoch_order(epoch):
    order = tf.random.experimental.stateless_shuffle(
      tf.range(num_images, dtype=tf.int64),
      seed=seeds.stream_seed(seed, 'shuffle', epoch),
    )
    return order[tf.where(epoch == start_epoch, offset, 0) :]

  epochs = tf.data.Dataset.range(start_epoch, _FOREVER)
  return epochs.map(epoch_order).rebatch(batch_size, drop_remainder=True)


def _training_batch(images, step, index, slots, seed):
  """One element for each replica, stacked along a new first axis."""
  chosen = tf.gather(images, tf.gather(index, slots))
  if not is_binary(images):
    # Drawn for the whole global batch, whoever asks for a part of it.
    uniform = tf.random.stateless_uniform(
      [index.shape[0], *images.shape[1:]],
      seeds.stream_seed(seed, 'binarize', step),
    )
    chosen = tf.gather(uniform, slots) < bernoulli_means(chosen)
  return {
    'image': tf.cast(chosen, tf.float32),
    'step': tf.repeat(step, len(slots)),
    'slot': tf.constant(slots),
    'index': tf.gather(index, slots),
  }


def _replica_slots(batch_size, num_replicas, replicas):
  """Slots in the global batch, int64 of shape `[len(replicas), b]`."""
  slots = np.arange(batch_size, dtype=np.int64).reshape(num_replicas, -1)
  return slots[list(replicas)]


def _check_replicas(batch_size, num_replicas, replicas):
  _check_at_least('num_replicas', num_replicas, 1)
  if batch_size % num_replicas:
    raise ValueError(
      '`batch_size` must be divisible by `num_replicas`, got '
      f'{batch_size} and {num_replicas}.'
    )
  if not replicas or not all(0 <= r < num_replicas for r in replicas):
    raise ValueError(
      f'`replicas` must be some of range({num_replicas}), got {replicas}.'
    )


def _check_at_least(name, value, least):
  if value < least:
    raise ValueError(f'`{name}` must be at least {least}, got {value}.')


def _tuned(dataset):
  options = tf.data.Options()
  # Cheap batches: threads beyond one would only take time from training.
  options.threading.private_threadpool_size = 1
  options.threading.max_intra_op_parallelism = 1
  options.autotune.enabled = False
  options.deterministic = True
  options.experimental_distribute.auto_shard_policy = (
    tf.data.experimental.AutoShardPolicy.OFF
  )
  return dataset.prefetch(_PREFETCHED_BATCHES).with_options(options)
