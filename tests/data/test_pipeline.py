"""Each random number of a batch depends on what it is for, on nothing else."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from vlae_tf import data
from vlae_tf.utils import random

pytestmark = pytest.mark.usefixtures('all_eagerly')

_SHAPE = (4, 6, 1)


def _grey(size=10, seed=0):
  rng = np.random.RandomState(seed)
  return rng.randint(0, 256, [size, *_SHAPE]).astype(np.uint8)


def _take(dataset, count):
  return list(itertools.islice(dataset.as_numpy_iterator(), count))


def _assert_same(batches, expected):
  assert len(batches) == len(expected)
  for batch, other in zip(batches, expected, strict=True):
    assert batch.keys() == other.keys()
    for key, value in batch.items():
      np.testing.assert_array_equal(value, other[key])


def test_batch_is_what_the_stateless_laws_say():
  """Oracle: the definition, computed for one step without tf.data."""
  images, step, batch_size = _grey(10), 5, 4
  batch = _take(data.training_batches(images, batch_size, 3, step), 1)[0]
  orders = [
    tf.random.experimental.stateless_shuffle(
      tf.range(10, dtype=tf.int64), seed=random.stream_seed(3, 'shuffle', epoch)
    )
    for epoch in range(3)
  ]
  index = np.concatenate(orders)[step * 4 : step * 4 + 4]
  uniform = tf.random.stateless_uniform(
    [4, *_SHAPE], random.stream_seed(3, 'binarize', step)
  )
  expected = uniform.numpy() < (images[index] / 255).astype(np.float32)
  np.testing.assert_array_equal(batch['index'], index)
  np.testing.assert_array_equal(batch['image'], expected)
  np.testing.assert_array_equal(batch['slot'], range(4))
  assert batch['step'] == step


def test_elements_have_static_shapes_and_dtypes():
  spec = data.training_batches(_grey(), 6, 0, num_replicas=2).element_spec
  assert spec['image'] == tf.TensorSpec([3, *_SHAPE], tf.float32)
  assert spec['step'] == tf.TensorSpec([], tf.int64)
  assert spec['slot'] == spec['index'] == tf.TensorSpec([3], tf.int64)


_MORE = pytest.mark.exhaustive('more sizes')


def _more(*values):
  return (pytest.param(value, marks=_MORE) for value in values)


@pytest.mark.parametrize('batch_size', [3, 23, *_more(1, 7, 10)])
def test_each_epoch_visits_each_image_once(batch_size):
  count = -(-30 // batch_size)
  batches = _take(data.training_batches(_grey(10), batch_size, 0), count)
  index = np.concatenate([batch['index'] for batch in batches])[:30]
  epochs = index.reshape(3, 10)
  np.testing.assert_array_equal(np.sort(epochs), [range(10)] * 3)
  assert len({tuple(epoch) for epoch in epochs}) == 3


@pytest.mark.parametrize('start', [1, 17, *_more(2, 3, 40)])
@pytest.mark.parametrize('size', [10, *_more(2)])
def test_resumed_batches_equal_those_that_were_skipped(start, size):
  images = _grey(size)
  straight = _take(data.training_batches(images, 4, 1), start + 4)
  resumed = data.training_batches(images, 4, 1, start_step=start)
  _assert_same(_take(resumed, 4), straight[start:])


def test_resuming_far_away_costs_nothing():
  batch = _take(data.training_batches(_grey(), 4, 0, start_step=10**9), 1)[0]
  assert batch['step'] == 10**9


@pytest.mark.parametrize('num_replicas', [2, *_more(4)])
def test_replicas_put_together_are_the_global_batch(num_replicas):
  whole = _take(data.training_batches(_grey(), 8, 2), 5)
  parts = _take(
    data.training_batches(_grey(), 8, 2, num_replicas=num_replicas),
    5 * num_replicas,
  )
  for step, batch in enumerate(whole):
    mine = parts[step * num_replicas : (step + 1) * num_replicas]
    assert {int(part['step']) for part in mine} == {step}
    for key in ('image', 'slot', 'index'):
      joined = np.concatenate([part[key] for part in mine])
      np.testing.assert_array_equal(joined, batch[key])


def test_workers_together_serve_the_replicas_of_one_host():
  one_host = _take(data.training_batches(_grey(), 8, 2, 3, 4), 12)
  for worker, replicas in enumerate((range(0, 1), range(1, 4))):
    dataset = data.training_batches(_grey(), 8, 2, 3, 4, replicas)
    served = _take(dataset, 3 * len(replicas))
    expected = [one_host[4 * step + r] for step in range(3) for r in replicas]
    _assert_same(served, expected)
    assert served[0]['slot'][0] == (0, 2)[worker]


def test_training_binarises_afresh_and_evaluation_once():
  images = np.full([6, *_SHAPE], 0.5, np.float32)
  epochs = _take(data.training_batches(images, 6, 0), 2)
  first, second = (b['image'][np.argsort(b['index'])] for b in epochs)
  assert not np.array_equal(first, second)
  fixed = data.evaluation_batches(images, 6, split='validation')
  once, again = _take(fixed, 1), _take(fixed, 1)
  _assert_same(once, again)


def test_seeds_splits_and_examples_have_numbers_of_their_own():
  images = np.full([2, 16, 16, 1], 0.5, np.float32)
  drawn = [
    data.fixed_binarization(images, split, seed)
    for split in ('train', 'validation', 'test')
    for seed in (0, 1)
  ]
  assert len({image.tobytes() for pair in drawn for image in pair}) == 12
  batches = [_take(data.training_batches(images, 2, s), 1)[0] for s in (0, 1)]
  assert len({i.tobytes() for b in batches for i in b['image']}) == 4


@pytest.mark.parametrize('split', ['train', 'train+validation'])
def test_what_is_scored_is_not_what_was_trained_on(split):
  # Step and index are numbers alike: the streams have to differ.
  images = np.full([3, 16, 16, 1], 0.5, np.float32)
  scored = data.fixed_binarization(images, split)
  steps = _take(data.training_batches(images, 1, 0), 3)
  for image, step in zip(scored, steps, strict=True):
    assert 0.3 < np.mean(image == step['image'][0]) < 0.7


@pytest.mark.parametrize('batch_size', [4, *_more(1, 10, 99)])
def test_evaluation_does_not_depend_on_the_batch_size(batch_size):
  images = _grey(10)
  batches = _take(data.evaluation_batches(images, batch_size), 99)
  joined = np.concatenate([batch['image'] for batch in batches])
  fixed = data.fixed_binarization(images, 'test')
  np.testing.assert_array_equal(joined, fixed)
  index = np.concatenate([batch['index'] for batch in batches])
  np.testing.assert_array_equal(index, range(10))
  prefix = data.fixed_binarization(images[:3], 'test')
  np.testing.assert_array_equal(prefix, fixed[:3])


@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
def test_mean_of_binarisation_is_the_grey_value(dtype):
  """A z-test of each grey value, 4 standard errors at a fixed seed."""
  grey = np.array([0, 1, 30, 128, 200, 254, 255], np.uint8)
  images = np.tile(grey[:, None, None, None], [1, 50, 40, 1])
  mean = grey / 255
  images = images if dtype == np.uint8 else (images / 255).astype(dtype)
  trained = _take(data.training_batches(images, 7, 0), 10)
  trained = [b['image'][np.argsort(b['index'])] for b in trained]
  for drawn in (np.stack(trained), data.fixed_binarization(images, 'test')):
    assert set(np.unique(drawn)) == {0, 1}
    drawn = np.moveaxis(drawn.reshape(-1, 7, 2000), 1, 0).reshape(7, -1)
    deviation = np.abs(drawn.mean(axis=1) - mean)
    error = np.sqrt(mean * (1 - mean) / drawn.shape[1])
    assert np.all(deviation <= 4 * error)


def test_pixels_are_drawn_independently():
  """Neighbours, channels and examples of grey 1/2 have no correlation."""
  images = np.full([40, 20, 20, 2], 0.5, np.float32)
  batches = data.training_batches(images, 40, 0, kind='grey')
  drawn = _take(batches, 1)[0]['image'] * 2 - 1
  for axis in range(4):
    pairs = drawn * np.roll(drawn, 1, axis)
    assert abs(pairs.mean()) < 4 / np.sqrt(drawn.size)


def test_binary_images_stay_as_they_are():
  images = _grey() > 100
  batch = _take(data.training_batches(images, 10, 0), 1)[0]
  np.testing.assert_array_equal(batch['image'], images[batch['index']])
  np.testing.assert_array_equal(data.fixed_binarization(images, 'test'), images)


def test_means_follow_the_dtype():
  grey = np.arange(256, dtype=np.uint8)
  means = data.bernoulli_means(grey).numpy()
  np.testing.assert_array_equal(means, (grey / 255).astype(np.float32))
  np.testing.assert_array_equal(data.bernoulli_means(grey > 9), grey > 9)
  np.testing.assert_array_equal(data.bernoulli_means(means), means)


@pytest.mark.parametrize('given', [None, 'levels'])
def test_levels_are_scaled_and_never_drawn(given):
  """Oracle: division in double precision, rounded once."""
  channels = 3 if given is None else 1
  images = np.arange(256 * channels, dtype=np.uint8)
  images = images.reshape([16, 4, 4, channels])
  expected = (images.astype(np.float64) / 255).astype(np.float32)
  for batch in _take(data.training_batches(images, 8, 0, kind=given), 3):
    np.testing.assert_array_equal(batch['image'], expected[batch['index']])
  fixed = data.fixed_binarization(images, 'validation', kind=given)
  assert fixed.dtype == np.float32
  np.testing.assert_array_equal(fixed, expected)


def test_grey_channels_are_drawn_when_they_are_called_grey():
  images = np.full([4, 8, 8, 3], 128, np.uint8)
  drawn = data.fixed_binarization(images, 'test', kind='grey')
  assert set(np.unique(drawn)) == {0, 1}
  as_means = data.fixed_binarization(
    (images / 255).astype(np.float32), 'test', kind='grey'
  )
  np.testing.assert_array_equal(drawn, as_means)


@pytest.mark.parametrize(
  ('dtype', 'kind', 'message'),
  [
    (bool, 'levels', "`kind` must be .* bool images have.*got 'levels'"),
    (np.float32, None, "`kind` must be 'grey' for float32 images of 3 chan"),
    (np.int32, None, '`images` must be bool, uint8 or float32, got int32'),
  ],
)
def test_kind_that_does_not_fit_is_named_by_all(dtype, kind, message):
  images = np.ones([4, 2, 2, 3], dtype)
  with pytest.raises(ValueError, match=message):
    data.training_batches(images, 2, 0, kind=kind)
  with pytest.raises(ValueError, match=message):
    data.evaluation_batches(images, 2, kind=kind)
  with pytest.raises(ValueError, match=message):
    data.fixed_binarization(images, 'test', kind=kind)


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    ({'batch_size': 0}, '`batch_size` must be at least 1, got 0'),
    ({'start_step': -1}, '`start_step` must be at least 0, got -1'),
    ({'num_replicas': 0}, '`num_replicas` must be at least 1, got 0'),
    ({'num_replicas': 3}, '`batch_size` must be divisible.*got 4 and 3'),
    ({'num_replicas': 2, 'replicas': [2]}, r'`replicas` must be.*range\(2\)'),
    ({'replicas': []}, r'`replicas` must be some of range\(1\), got \[\]'),
  ],
)
def test_bad_argument_of_training_is_named(arguments, message):
  with pytest.raises(ValueError, match=message):
    data.training_batches(
      **{'images': _grey(), 'batch_size': 4, 'seed': 0, **arguments}
    )


def test_bad_argument_of_evaluation_is_named():
  with pytest.raises(ValueError, match='`batch_size` must be at least 1'):
    data.evaluation_batches(_grey(), 0)
  with pytest.raises(ValueError, match=r"`split` must be one of.*got 'dev'"):
    data.evaluation_batches(_grey(), 1, split='dev')
  with pytest.raises(ValueError, match=r'`images` must be bool.*got int32'):
    data.bernoulli_means(np.zeros([1], np.int32))


def test_flips_mirror_half_of_the_images_and_nothing_else():
  images, size, seed = _grey(10), 4, 3
  plain, flipped = (
    _take(
      data.training_batches(
        images, size, seed, kind='levels', horizontal_flips=flips
      ),
      40,
    )
    for flips in (False, True)
  )
  mirrored = []
  for step, (one, other) in enumerate(zip(plain, flipped)):
    np.testing.assert_array_equal(one['index'], other['index'])
    uniform = tf.random.stateless_uniform(
      [size], random.stream_seed(seed, 'flip', step)
    )
    for k in range(size):
      image = one['image'][k]
      expected = image[:, ::-1] if uniform[k] < 0.5 else image
      np.testing.assert_array_equal(other['image'][k], expected)
      mirrored.append(float(uniform[k]) < 0.5)
  assert 0.35 < np.mean(mirrored) < 0.65


def test_flips_do_not_depend_on_replicas_or_on_where_one_begins():
  def batches(step, **replicas):
    return data.training_batches(
      _grey(10), 4, 3, step, kind='levels', horizontal_flips=True, **replicas
    )

  whole = _take(batches(0), 6)
  _assert_same(_take(batches(4), 2), whole[4:])
  parts = _take(batches(0, num_replicas=2), 12)
  for k, batch in enumerate(whole):
    both = np.concatenate([p['image'] for p in parts[2 * k : 2 * k + 2]])
    np.testing.assert_array_equal(both, batch['image'])
